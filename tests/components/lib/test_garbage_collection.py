"""The collector runs seldom in a task's process, and is paused within a block and as it was after it."""

import gc
import os
import subprocess
import sys

import pytest

from retrainer.components.lib.garbage_collection import collection_paused

PROGRAM = """
import atexit, gc
atexit.register(lambda: print(gc.get_threshold()[0], gc.get_freeze_count() > 0))
import retrainer.components
"""


def run(environment: dict[str, str]) -> list[str]:
    inherited = {name: value for name, value in os.environ.items() if name != "_KFP_RUNTIME"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**inherited, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


def test_a_task_collects_seldom_and_not_at_its_end() -> None:
    assert run({"_KFP_RUNTIME": "true"}) == ["50000", "True"]


def test_a_program_that_imports_the_components_keeps_its_collector() -> None:
    assert run({})[1:] == ["False"]


def test_it_runs_again_after_a_failure() -> None:
    was_enabled = []

    @collection_paused()
    def fail() -> None:
        was_enabled.append(gc.isenabled())
        raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert was_enabled == [False]
    assert gc.isenabled()


def test_a_block_within_a_paused_one_leaves_it_paused() -> None:
    with collection_paused():
        with collection_paused():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()
