"""Tests of the collector's settings in processes that run one task."""

import os
import subprocess
import sys

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
