"""A push that is killed, whose replies are lost, or that is not alone: then the next push finishes the work."""

import multiprocessing
import os
import signal
import sys

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from retrainer.components.lib.digests import digest_folder
from retrainer.components.lib.registry.evaluation_summary import EvaluationSummary, SliceMetrics
from retrainer.components.lib.registry.registry import CHAMPION, Registry
from retrainer.components.lib.verdicts import Blessing
from retrainer.components.push_model.push import ChampionChangedError, push

FORK = multiprocessing.get_context("fork")
WRITES = {"os.mkdir", "os.link", "os.rename", "os.remove", "shutil.copyfile", "open"}


class Work:
    """Two models with their blessings; the first is the champion of a store."""

    def __init__(self, folder, store):
        self.folder, self.store = folder, store
        self.models = [self._model(name) for name in ("a", "b", "c")]
        self.push(0, None)

    @property
    def registry(self):
        return Registry(f"{self.store}/models")

    def _model(self, name):
        model = self.folder / name
        (model / "variables").mkdir(parents=True, exist_ok=True)
        (model / "saved_model.pb").write_text(f"graph {name}")
        (model / "variables" / "variables.index").write_text(f"weights {name}")
        return str(model)

    def push(self, number, champion):
        model = self.models[number]
        blessing = str(self.folder / f"blessing-{number}")
        EvaluationSummary((SliceMetrics({}, {"auc": 0.9}),)).write(blessing)
        Blessing(True, (), "blessed: auc 0.9", digest_folder(model), champion).write(blessing)
        output = str(self.folder / f"pushed-{number}")
        return push(model, blessing, None, self.store, output, {"run": f"run-{number}"})

    def check(self):
        """Check that every version that a reader sees is whole, and so is the champion."""
        versions = self.registry.versions()
        for version in versions:
            assert digest_folder(version.uri) == version.digest
            assert self.registry.evaluation(version.version)
        assert self.registry.resolve(CHAMPION) in versions
        return versions


def _push_and_die(work, calls):
    """Push the second model, and be killed before the n-th call that changes the store."""
    left = [calls]

    def count_down(event, arguments):
        if event not in WRITES or not str(arguments[0]).startswith(work.store):
            return
        reads = event == "open" and not (arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR)
        if reads:
            return
        if not left[0]:
            os.kill(os.getpid(), signal.SIGKILL)
        left[0] -= 1

    sys.addaudithook(count_down)
    work.push(1, 1)


def test_a_push_that_is_killed_anywhere_shows_no_half_version_and_is_finished_by_the_next(tmp_path):
    died = 0
    for calls in range(200):
        folder = tmp_path / str(calls)
        folder.mkdir()
        work = Work(folder, str(folder / "store"))
        child = FORK.Process(target=_push_and_die, args=(work, calls))
        child.start()
        child.join()
        seen = work.check()
        assert len(seen) <= 2
        assert work.registry.version_of(CHAMPION) in (1, 2)
        assert work.push(1, 1).startswith(("pushed as version", "unchanged"))
        assert len(work.check()) == 2
        assert work.registry.resolve(CHAMPION).digest == digest_folder(work.models[1])
        if child.exitcode == 0:
            break
        assert child.exitcode == -signal.SIGKILL
        died += 1
    # Reserved, folders, two files, evaluation, record, digest, alias: each with its temporary file.
    assert 20 < died < 199


def test_a_reply_that_is_lost_at_any_call_costs_at_most_a_retry(tmp_path, monkeypatch):
    names = ("pipe_file", "put_file", "rm_file")
    lost = 0
    for calls in range(100):
        folder = tmp_path / str(calls)
        folder.mkdir()
        work = Work(folder, f"memory://{tmp_path.name}/{calls}")
        left = [calls]

        def losing(method, left=left):
            def call(fs, *args, **kwargs):
                done = method(fs, *args, **kwargs)
                left[0] -= 1
                if left[0] == -1:
                    raise ConnectionResetError("no reply")
                return done

            return call

        with monkeypatch.context() as patched:
            for name in names:
                patched.setattr(MemoryFileSystem, name, losing(getattr(MemoryFileSystem, name)))
            try:
                verdict = work.push(1, 1)
            except OSError:
                verdict = ""
        champion = work.registry.version_of(CHAMPION)
        # A move whose reply was lost counts as made.
        assert champion == (2 if verdict else 1)
        assert work.push(1, 1).startswith("unchanged" if verdict else "pushed as version")
        assert len(work.registry.versions()) == 2
        if left[0] >= 0:
            break
        lost += 1
    assert 5 < lost < 99


def _push_at(work, number, barrier, outcomes):
    barrier.wait()
    try:
        outcomes.put(work.push(number, 1).split()[0])
    except ChampionChangedError:
        outcomes.put("lost")


def test_of_two_pushes_at_once_one_wins_and_the_other_names_the_new_champion(tmp_path):
    work = Work(tmp_path, str(tmp_path / "store"))
    barrier, outcomes = FORK.Barrier(2), FORK.Queue()
    children = [
        FORK.Process(target=_push_at, args=(work, number, barrier, outcomes)) for number in (1, 2)
    ]
    for child in children:
        child.start()
    for child in children:
        child.join()
    assert sorted(outcomes.get(timeout=5) for _ in children) == ["lost", "pushed"]
    assert [one.version for one in work.check()] == [1, 2, 3]


def test_a_model_that_changes_while_it_is_pushed_is_not_added(tmp_path, monkeypatch):
    from retrainer.components.lib.registry import registry as module

    work = Work(tmp_path, str(tmp_path / "store"))
    copy = module.copy_model

    def change_and_copy(folder, uri):
        with open(f"{folder}/saved_model.pb", "a") as file:
            file.write("!")
        return copy(folder, uri)

    monkeypatch.setattr(module, "copy_model", change_and_copy)
    with pytest.raises(Exception, match="the blessing is of another model"):
        work.push(1, 1)
    assert [one.version for one in work.check()] == [1]
    assert work.registry.numbers() == [1]
