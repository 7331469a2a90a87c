"""The section `gate`, checked without data."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from retrainer.components.lib.errors import RetrainerError
from retrainer.pipelines.project.checks import check_settings
from retrainer.pipelines.project.config import load_config
from retrainer.pipelines.project.starting import init_project


@pytest.fixture
def check(tmp_path: Path) -> Callable[..., list[str]]:
    """A function that checks a project with sections of its own, and returns the warnings."""
    init_project(tmp_path)

    def call(**sections: Any) -> list[str]:
        file = tmp_path / "retrain.yaml"
        content = yaml.safe_load(file.read_text())
        file.write_text(yaml.safe_dump({**content, **sections}))
        return check_settings(load_config(file))

    return call


def test_defaults_are_no_problem(check: Callable[..., list[str]]) -> None:
    assert check(gate={"require_significance": True}) == check()


def test_a_metric_that_is_not_computed_is_named(check: Callable[..., list[str]]) -> None:
    gate = {"require_significance": {"metrics": ["auc", "acu", "auc_classId:1"]}}
    (found,) = [line for line in check(gate=gate) if "gate" in line]
    assert "gate.require_significance.metrics[1] names 'acu'" in found
    assert "Did you mean 'auc'?" in found


def test_a_comparison_is_not_made_on_an_engine(check: Callable[..., list[str]]) -> None:
    with pytest.raises(RetrainerError, match="Take evaluate_model out of engine"):
        check(gate={"require_significance": True}, beam_args=["--runner=DirectRunner"])
