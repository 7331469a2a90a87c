"""Results that are found again in the store."""

import json
import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from retrainer.components.lib.digests import digest_file, digest_value
from retrainer.components.lib.runs import reuse
from retrainer.components.lib.runs.reuse import MOST_ENTRIES, Result, Work, reuse_or_make
from retrainer.components.lib.store import Store


@pytest.fixture(autouse=True)
def package(monkeypatch):
    """Stands for a package that nobody edits while the tests run."""
    monkeypatch.setattr(reuse, "digest_code", lambda: "as it is")


class Task:
    """A task that notes how often it did its work."""

    def __init__(self, folder: Path, store: str | None = None):
        self.folder, self.store = folder, store or str(folder / "store")
        self.calls = 0
        (folder / "rows").mkdir()
        (folder / "rows" / "manifest.json").write_text("rows")

    @property
    def entries(self) -> Path:
        return Path(Store(self.store).reused_uri("learn"))

    def work(self, outputs: Path, **parameters) -> Work:
        return Work(
            component="learn",
            parameters={"steps": 1, **parameters},
            inputs={"rows": str(self.folder / "rows")},
            outputs={"model": str(outputs / "model"), "page": str(outputs / "page")},
        )

    def run(self, store=None, salt="", lasting=None, **parameters) -> tuple[Result, Path]:
        self.outputs = outputs = self.folder / f"run-{len(list(self.folder.glob('run-*')))}"
        work = self.work(outputs, **parameters)

        def make() -> Result:
            self.calls += 1
            assert not (outputs / "model").exists()
            (outputs / "model" / "variables").mkdir(parents=True)
            (outputs / "model" / "graph").write_text("graph" * work.parameters["steps"])
            (outputs / "model" / "variables" / "values").write_text("1 2 3")
            (outputs / "page").write_text("<html>")
            kept = {} if lasting is None else {"is_lasting": lasting}
            return Result("learned", {"auc": 0.5}, **kept)

        chosen = self.store if store is None else store
        work = Work(**{**vars(work), "salt": salt})
        return reuse_or_make(chosen, work, make), outputs


@pytest.fixture
def task(tmp_path):
    return Task(tmp_path)


def test_equal_inputs_are_not_worked_on_again(task):
    first, made = task.run()
    second, found = task.run()
    assert task.calls == 1
    assert second.values == first.values == {"auc": 0.5}
    assert first.verdict == "learned"
    assert second.verdict.startswith("learned; reused, made 20")
    for name in ("model/graph", "model/variables/values", "page"):
        assert (found / name).read_bytes() == (made / name).read_bytes()


def test_a_result_of_one_file_or_of_a_folder_of_several_is_kept(task):
    for names in ([], ["left", "right", "deep/left", "deep/right"]):
        made, found = (task.folder / f"{side}-{len(names)}" for side in ("made", "found"))

        def write(names=names, made=made):
            for name in names:
                (made / name).parent.mkdir(parents=True, exist_ok=True)
                (made / name).write_text(name)
            if not names:
                made.write_text("page")
            return Result("learned")

        for output in (made, found):
            work = Work("learn", {"names": names}, {}, {"output": str(output)})
            result = reuse_or_make(task.store, work, write)
        assert "reused" in result.verdict
        files = {f.relative_to(found).as_posix() for f in found.rglob("*") if f.is_file()}
        assert files == set(names)
        assert all((found / name).read_text() == name for name in names)
        assert names or found.read_text() == "page"


@pytest.mark.parametrize("changed", ["input", "parameter", "code", "user code", "salt"])
def test_what_a_result_depends_on_makes_another_one(task, monkeypatch, changed):
    library = task.folder / "library"
    library.mkdir()
    monkeypatch.syspath_prepend(str(library))
    (library / "shopmodel.py").write_text("SIZE = 1")
    given = {"module": "shopmodel"}
    task.run(**given)
    task.run(**given)
    assert task.calls == 1
    if changed == "input":
        (task.folder / "rows" / "manifest.json").write_text("other rows")
    elif changed == "parameter":
        given["steps"] = 2
    elif changed == "code":
        monkeypatch.setattr(reuse, "digest_code", lambda: "edited")
    elif changed == "user code":
        (library / "shopmodel.py").write_text("SIZE = 22")
    else:
        given["salt"] = "COLOUR=blue"
    task.run(**given)
    assert task.calls == 2
    task.run(**given)
    assert task.calls == 2


def test_without_a_store_nothing_is_kept(task):
    task.run(store="")
    task.run(store="")
    assert task.calls == 2
    assert not Path(task.store).exists()


def test_an_input_that_is_missing_is_left_to_the_work_to_say(task):
    (task.folder / "rows" / "manifest.json").unlink()
    (task.folder / "rows").rmdir()
    assert task.run()[0].verdict == "learned"
    assert not task.entries.exists()


def test_code_that_can_t_be_followed_is_not_reused(task, caplog):
    for _ in range(2):
        task.run(module_source="import importlib\nimportlib.import_module(x)")
    assert task.calls == 2
    assert "model.py:2 imports a module whose name is only known when it runs" in caplog.text
    assert not task.entries.exists()


def test_what_a_failed_attempt_left_there_is_no_part_of_a_result(task):
    task.run()
    following = task.folder / "run-1"
    (following / "model").mkdir(parents=True)
    (following / "model" / "leftover").write_text("half")
    reused = reuse_or_make(task.store, task.work(following), lambda: Result("not reached"))
    assert "reused" in reused.verdict
    assert not (following / "model" / "leftover").exists()


def test_what_a_busy_machine_may_have_caused_is_not_kept(task):
    task.run(lasting=False)
    task.run()
    assert task.calls == 2


def test_switched_off_the_work_is_done_and_takes_the_place_of_the_earlier_one(task, monkeypatch):
    task.run()
    before = next(task.entries.glob("*.json")).read_text()
    monkeypatch.setenv("RETRAINER_REUSE", "off")
    task.run()
    assert task.calls == 2
    monkeypatch.delenv("RETRAINER_REUSE")
    task.run()
    assert task.calls == 2
    (entry,) = task.entries.glob("*.json")
    assert entry.read_text() != before
    # One record, and the one folder that it names.
    assert len(list(task.entries.iterdir())) == 2


def damage_content(entry, folder):
    (folder / "model" / "graph").write_text("scribble")


def damage_missing(entry, folder):
    (folder / "page").unlink()


def damage_half(entry, folder):
    entry.write_text('{"half": ')


def damage_kind(entry, folder):
    entry.write_text("[]")


def damage_values(entry, folder):
    entry.write_text(entry.read_text().replace('"auc": 0.5', '"auc": 0.9'))


def forge(entry, change):
    """Write an entry whose digest fits."""
    content = json.loads(entry.read_text())
    del content["digest"]
    change(content)
    entry.write_text(json.dumps({**content, "digest": digest_value(content)}))


def damage_escape(entry, folder):
    forge(entry, lambda content: content["outputs"]["model"].update({"../../../escaped": "0"}))


def damage_folder(entry, folder):
    shutil.copytree(folder, folder.parent / "../../spans")
    forge(entry, lambda content: content.update(folder="../../spans"))


def damage_format(entry, folder):
    forge(entry, lambda content: content.update(format=content["format"] + 1))


@pytest.mark.parametrize(
    "damage",
    [
        damage_content,
        damage_missing,
        damage_half,
        damage_kind,
        damage_format,
        damage_values,
        damage_escape,
        damage_folder,
    ],
)
def test_a_broken_entry_is_made_again_and_reported(task, caplog, damage):
    task.run()
    (entry,) = task.entries.glob("*.json")
    (folder,) = (path for path in task.entries.iterdir() if path.is_dir())
    damage(entry, folder)
    _, found = task.run()
    assert task.calls == 2, caplog.text
    assert "is made again: " in caplog.text
    assert (found / "model" / "graph").read_text() == "graph"
    assert not list(task.folder.rglob("escaped"))
    task.run()
    assert task.calls == 2


def test_a_store_that_can_t_be_written_fails_no_task(task, caplog, monkeypatch):
    def refuse(*_):
        raise PermissionError("not yours")

    monkeypatch.setattr(reuse, "write_json", refuse)
    assert task.run()[0].verdict == "learned"
    assert "is not kept in the store, so a later run makes it again: not yours" in caplog.text


def test_a_writer_that_dies_leaves_nothing_that_is_taken(task, monkeypatch):
    def die(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as dying:
        dying.setattr(reuse, "write_json", die)
        with pytest.raises(KeyboardInterrupt):
            task.run()
    assert list(task.entries.iterdir())
    task.run()
    assert task.calls == 2


def test_old_entries_go_when_there_are_many(task):
    for steps in range(1, MOST_ENTRIES + 3):
        task.run(steps=steps)
        for path in task.entries.iterdir():
            # As if each was made an hour after the one before.
            if path.is_dir() and path.name.split(".")[1] > "20260101T235959":
                set_stamp(path, f"20990101T{steps:02d}0000")
    assert len(list(task.entries.glob("*.json"))) == MOST_ENTRIES
    assert len([path for path in task.entries.iterdir() if path.is_dir()]) == MOST_ENTRIES
    made = task.calls
    task.run(steps=MOST_ENTRIES + 2)
    task.run(steps=1)
    assert task.calls == made + 1


def test_old_entries_and_unfinished_ones_go_with_time(task):
    task.run()
    (folder,) = (path for path in task.entries.iterdir() if path.is_dir())
    set_stamp(folder, "20200101T000000")
    leftover = task.entries / f"{'0' * 64}.20200101T000000.00000000"
    leftover.mkdir()
    task.run(steps=2)
    assert not leftover.exists()
    assert len(list(task.entries.iterdir())) == 2
    task.run()
    assert task.calls == 3


@pytest.mark.parametrize(("hours", "is_kept"), [(30 * 24 - 1, True), (30 * 24 + 1, False)])
def test_a_result_is_kept_for_thirty_days(task, hours, is_kept):
    task.run()
    (folder,) = (path for path in task.entries.iterdir() if path.is_dir())
    set_stamp(folder, f"{datetime.now(UTC) - timedelta(hours=hours):%Y%m%dT%H%M%S}")
    task.run(steps=2)
    assert len(list(task.entries.glob("*.json"))) == 1 + is_kept


@pytest.mark.parametrize(("hours", "is_kept"), [(23, True), (25, False)])
def test_what_another_writer_put_there_for_the_same_key_stays_for_a_day(task, hours, is_kept):
    task.run()
    (folder,) = (path for path in task.entries.iterdir() if path.is_dir())
    stamp = datetime.now(UTC) - timedelta(hours=hours)
    other = task.entries / f"{folder.name.split('.')[0]}.{stamp:%Y%m%dT%H%M%S}.00000000"
    other.mkdir()
    task.run(steps=2)
    assert (other.exists(), folder.exists()) == (is_kept, True)


def test_old_entries_go_from_a_bucket_s_store_too(tmp_path, monkeypatch):
    from fsspec.implementations.memory import MemoryFileSystem

    monkeypatch.setattr(reuse, "MOST_ENTRIES", 1)
    task = Task(tmp_path, "memory://acme/pruned")
    try:
        for steps in (1, 2):
            task.run(steps=steps)
        left = MemoryFileSystem().find("/acme/pruned")
        assert len({name.split("/")[-1] for name in left if name.endswith(".json")}) == 1
        assert len([name for name in left if name.endswith("/graph")]) == 1
    finally:
        MemoryFileSystem().rm("/acme/pruned", recursive=True)


def set_stamp(folder: Path, stamp: str) -> None:
    key, _, number = folder.name.split(".")
    new = f"{key}.{stamp}.{number}"
    os.rename(folder, folder.with_name(new))
    forge(folder.with_name(f"{key}.json"), lambda content: content.update(folder=new))


def test_a_bucket_s_store_is_used_as_well(tmp_path):
    from fsspec.implementations.memory import MemoryFileSystem

    task = Task(tmp_path, "memory://acme/store")
    try:
        task.run()
        result, found = task.run()
        assert task.calls == 1
        assert (found / "model" / "variables" / "values").read_text() == "1 2 3"
        assert "reused" in result.verdict
    finally:
        MemoryFileSystem().rm("/acme", recursive=True)


def test_an_entry_that_names_a_file_outside_of_its_output_takes_nothing_from_there(task):
    task.run()
    (entry,) = task.entries.glob("*.json")
    (folder,) = (path for path in task.entries.iterdir() if path.is_dir())
    outside = folder / "model" / "../../../outside"
    outside.write_text("somebody's")
    names = {"../../../outside": digest_file(str(outside))}
    forge(entry, lambda content: content["outputs"]["model"].update(names))
    task.run()
    assert task.calls == 2
    assert not (task.folder.parent / "outside").exists()


def test_the_order_that_outputs_and_inputs_are_named_in_makes_no_difference(tmp_path):
    task = Task(tmp_path)
    task.run()
    work = task.work(tmp_path / "again")
    turned = Work(**{**vars(work), "outputs": dict(reversed(work.outputs.items()))})
    result = reuse_or_make(task.store, turned, lambda: pytest.fail("it is there"))
    assert "reused" in result.verdict
    assert (tmp_path / "again" / "page").read_text() == "<html>"
