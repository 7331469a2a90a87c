"""Scoring on Beam: the files that are written in process, byte for byte, by workers that reach all by its URI."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import fsspec
import fsspec.config
import pytest
from servers.storage import StorageServer

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.predictions.prediction_sets import list_predictions
from retrainer.components.lib.uris import exists, filesystem, read_bytes, read_json, write_atomic
from retrainer.components.predict_batch import on_beam
from retrainer.components.predict_batch.predict import Predicted

BEAM = ["--runner=DirectRunner"]
HEADER = "id,carrier,hour,distance,note\n"


def written(predicted: Predicted) -> dict[str, Any]:
    """Return digests of the files, and the records without their time."""
    found: dict[str, Any] = {}
    for one in predicted.sets:
        record = read_json(f"{one.uri}/predictions.json")
        record.pop("scored")
        found[one.span] = record
        for name in one.files:
            found[f"{one.span}/{name}"] = hashlib.sha256(
                read_bytes(f"{one.uri}/{name}")
            ).hexdigest()
    return found


def lines(name: str, count: int) -> str:
    return "".join(f"{name}{number},UA,{number % 24},{number}.5,\n" for number in range(count))


@pytest.fixture
def parts(project):
    """A span of four files whose types only all of them show, with rows that can't be scored and a file without any."""
    for name, text in {
        "a": HEADER + lines("", 40_000),
        "b": "",
        "c": HEADER + "x,UA,late,1,n\ny,UA\n" + lines("r", 300),
        "d": HEADER + "7,ÅÄ,,2,\n8,UA,1,inf,0700\n",
    }.items():
        (project.inbox / f"site={name}").mkdir()
        if text:
            project.span(f"site={name}/1.csv", text)
    return project


@pytest.mark.parametrize("types", [{}, {"id": "text", "note": "text"}], ids=["inferred", "known"])
def test_the_files_are_those_of_this_process(parts, tmp_path, types):
    options = {"pattern": "site=*/{span}.csv", "keep": ("note", "site"), "types": types}
    here = parts.predict(output=str(tmp_path / "here"), **options)
    on_beam_ = parts.predict(beam_args=BEAM, **options)
    assert len(here.sets[0].files) == 3
    assert here.errors == 4
    assert written(on_beam_) == written(here)
    assert parts.predict(beam_args=BEAM, **options).sets == on_beam_.sets
    folder = Path(on_beam_.sets[0].uri)
    assert {one.name for one in folder.parent.iterdir()} == {folder.name}


def test_a_column_that_only_some_lines_name_has_one_type_in_all_files(project, tmp_path):
    first = {"id": 1, "carrier": "UA", "hour": 1, "distance": 1}
    project.span("1-a.jsonl", json.dumps({**first, "id": "a"}) + "\n")
    project.span("1-b.jsonl", json.dumps({**first, "note": 7}) + "\n")
    project.span("1-c.jsonl", "")
    options = {"pattern": "{span}-*.jsonl", "keep": ("note",)}
    here = project.predict(output=str(tmp_path / "here"), **options)
    assert written(project.predict(beam_args=BEAM, **options)) == written(here)
    # Types that the settings name need no pass over the span; that a column is nowhere is noticed all the same.
    types = {"id": "text", "note": "integer", "gone": "text"}
    here = project.predict(output=str(tmp_path / "here"), types=types, **options)
    assert written(project.predict(beam_args=BEAM, types=types, **options)) == written(here)
    for beam_args in ([], BEAM):
        with pytest.raises(RetrainerError, match=r"no column 'gone', which predict\.columns"):
            project.predict("{span}-*.jsonl", keep=("gone",), types=types, beam_args=beam_args)


def test_errors_are_those_of_this_process(parts, tmp_path):
    def error(**options: Any) -> str:
        with pytest.raises(RetrainerError) as here:
            parts.predict("site=*/{span}.csv", **options)
        with pytest.raises(RetrainerError) as there:
            parts.predict("site=*/{span}.csv", beam_args=BEAM, **options)
        assert str(there.value) == str(here.value)
        assert list_predictions(parts.store) == []
        return str(here.value)

    assert "4 of 40,304 rows could not be scored" in error(max_errors=0.00005)
    types = {"id": "text", "note": "text"}
    parts.span("site=b/1.csv", "id,carrier,distance,note\na,UA,1,\n")
    assert "site=b/1.csv' has no column 'hour'" in error(types=types)
    for name in "abcd":
        (parts.inbox / f"site={name}" / "1.csv").unlink(missing_ok=True)
        parts.span(f"site={name}/1.csv", HEADER)
    assert "none of the span's 4 files has a row" in error(types=types, keep=("note",))


def test_workers_read_the_key_of_private_columns_themselves(project, tmp_path, monkeypatch):
    project.span("1.csv", HEADER + "a,UA,1,1,x\n")
    monkeypatch.setenv("RETRAINER_HASH_KEY", "k" * 32)
    options = {"hash": ("note",), "keep": ("note",)}
    here = project.predict(output=str(tmp_path / "here"), **options)
    assert written(project.predict(beam_args=BEAM, **options)) == written(here)
    monkeypatch.setattr(on_beam._Score, "setup", another_key(on_beam._Score.setup))
    with pytest.raises(RetrainerError, match=r"another key of private columns .*HASH_KEY"):
        project.predict(beam_args=BEAM, output=str(tmp_path / "other"), **options)


def another_key(setup: Any) -> Any:
    def changed(self: Any) -> None:
        os.environ["RETRAINER_HASH_KEY"] = "l" * 32
        setup(self)

    return changed


def test_on_a_bucket_workers_write_aside_and_the_record_comes_last(project, tmp_path, monkeypatch):
    for name in "12":
        project.span(f"1-{name}.csv", HEADER + lines(name, 1_000))
    here = project.predict("{span}-*.csv", output=str(tmp_path / "here"))
    with StorageServer() as server:
        options = {"token": "anon", "endpoint_url": server.url}
        monkeypatch.setitem(fsspec.config.conf, "gs", options)
        # As on a cluster: nothing of this machine is in reach but by URIs.
        monkeypatch.setattr(on_beam, "runs_here", lambda _: False)
        whole = on_beam._Score._write

        def twice(self: Any, *arguments: Any) -> Any:
            """A worker that was lost wrote files that nobody asks for."""
            write_atomic(f"{self._side}/lost/part-00000-00000.parquet", "half a file")
            return whole(self, *arguments)

        monkeypatch.setattr(on_beam._Score, "_write", twice)
        fs, store = filesystem("gs://acme/store")
        fs.put(project.store, store, recursive=True)
        for one in (project.inbox / "1-1.csv", project.inbox / "1-2.csv"):
            write_atomic(f"gs://acme/in/{one.name}", one.read_bytes())
        project.store = "gs://acme/store"
        monkeypatch.setattr(project, "inbox", "gs://acme/in")
        order: list[str] = []
        write_json = on_beam.write_json

        def noted(uri: str, value: Any) -> None:
            order.append(uri)
            assert not uri.endswith("predictions.json") or len(files(uri)) == 2
            write_json(uri, value)

        monkeypatch.setattr(on_beam, "write_json", noted)
        there = project.predict("{span}-*.csv", beam_args=BEAM)
        assert there.sets[0].version == here.sets[0].version
        ours, theirs = written(here), written(there)
        for record in (ours["1"], theirs["1"]):
            record.pop("sources")
        assert theirs == ours
        assert order[-1] == f"{there.sets[0].uri}/predictions.json"
        # Nothing else is left beside it.
        assert sorted(names("gs://acme/store/predictions/1")) == [there.sets[0].version]


def files(uri: str) -> list[str]:
    return names(uri.rpartition("/")[0])


def names(uri: str) -> list[str]:
    fs, path = filesystem(uri)
    return [one.rstrip("/").rpartition("/")[2] for one in fs.ls(path, detail=False)]


def test_what_a_killed_task_left_on_a_bucket_is_removed(monkeypatch):
    with StorageServer() as server:
        options = {"token": "anon", "endpoint_url": server.url}
        monkeypatch.setitem(fsspec.config.conf, "gs", options)
        monkeypatch.setattr(on_beam, "runs_here", lambda _: False)
        home = "gs://acme/store/predictions/1"
        write_atomic(f"{home}/.writing-old/x/part-00000-00000.parquet", "half")
        with on_beam.side_folder(home, ["--runner=FlinkRunner"]) as side:
            write_atomic(f"{side}/x/part", "half")
            assert exists(f"{home}/.writing-old"), "it may be another task's"
        assert not exists(side)
        monkeypatch.setattr(on_beam, "LEFTOVER_SECONDS", -1)
        with on_beam.side_folder(home, ["--runner=FlinkRunner"]):
            pass
        assert not exists(f"{home}/.writing-old")
