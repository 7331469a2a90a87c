"""The public workflow does what .ci/run does, with actions that nobody can replace."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
WORKFLOW = ROOT / ".github/workflows/ci.yml"
STEPS = [
    step for job in yaml.safe_load(WORKFLOW.read_text())["jobs"].values() for step in job["steps"]
]
COMMANDS = "\n".join(step.get("run", "") for step in STEPS)


def test_every_make_target_of_the_local_check_runs_there() -> None:
    local = set(re.findall(r"\bmake ([a-z]+)", (ROOT / ".ci/run").read_text().split("need ", 1)[1]))
    assert local >= {"setup", "lint", "lowest", "image", "test"}
    assert local <= set(re.findall(r"\bmake ([a-z]+)", COMMANDS))


def test_all_tests_run_as_in_the_local_check() -> None:
    runs = re.findall(r"make test \S+", (ROOT / ".ci/run").read_text())
    assert runs
    for run in runs:
        assert run in COMMANDS
    for variable in re.findall(r"RETRAINER_TEST_\w+=\S+", (ROOT / ".ci/run").read_text()):
        assert variable in COMMANDS


def test_both_lines_of_libraries_are_tested() -> None:
    matrix = yaml.safe_load(WORKFLOW.read_text())["jobs"]["tests"]["strategy"]["matrix"]
    assert {row["python"] for row in matrix["include"]} == {"3.11", "3.13"}


@pytest.mark.parametrize("action", [step["uses"] for step in STEPS if "uses" in step])
def test_an_action_is_pinned_to_a_commit(action: str) -> None:
    assert re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", action)
