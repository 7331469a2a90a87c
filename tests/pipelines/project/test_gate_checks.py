"""The section `gate`, checked without data."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import yaml
from tensorflow_model_analysis.metrics import metric_specs

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.evaluation.array_metrics.array_path import NotCoveredError
from retrainer.components.lib.evaluation.eval_config import BASELINE, CANDIDATE, build_eval_config
from retrainer.components.lib.evaluation.paired.differences import paired_differences
from retrainer.components.lib.evaluation.paired.not_compared import NOT_COMPARED
from retrainer.components.lib.evaluation.scores import Scores
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
    with pytest.raises(RetrainerError, match=r"metrics\[1\] names 'acu'.* Did you mean 'auc'\?"):
        check(gate=gate)
    # One that is like none may be a name that only TFMA knows.
    gate = {"require_significance": {"metrics": ["auc", "rank_of_winner"]}}
    (found,) = [line for line in check(gate=gate) if "gate" in line]
    assert "gate.require_significance.metrics[1] names 'rank_of_winner'" in found


def test_an_unknown_setting_is_named_as_it_is_written(check: Callable[..., list[str]]) -> None:
    gate = {"require_significance": {"promote_on": "better", "margn": 0.1}}
    with pytest.raises(RetrainerError) as error:
        check(gate=gate)
    first, second = sorted(str(error.value).splitlines())
    assert (
        "'gate.require_significance.promote_on' is 'better': input should be 'no_loss' or"
        in second + first
    )
    assert "unknown key 'gate.require_significance.margn'. Did you mean 'margin'?" in first + second


def test_an_engine_compares_too(check: Callable[..., list[str]]) -> None:
    on_beam = {"beam_args": ["--runner=DirectRunner"]}
    assert check(gate={"require_significance": True}, **on_beam) == check(gate={}, **on_beam)


def test_a_column_of_lists_is_no_cluster(check: Callable[..., list[str]], tmp_path: Path) -> None:
    data = yaml.safe_load((tmp_path / "retrain.yaml").read_text())["data"]
    data["columns"] = {"tags": {"split_pattern": ["channel", {"value": ","}]}}
    gate = {"require_significance": True, "cluster": "tags"}
    with pytest.raises(
        RetrainerError, match=r"retrain.yaml:\d+: gate.cluster names 'tags', a column of lists"
    ):
        check(data=data, gate=gate)


def test_a_metric_that_can_not_be_compared_by_is_named_with_its_line(
    check: Callable[..., list[str]],
) -> None:
    floor = {"value_threshold": {"lower_bound": 0.5}}
    metrics = [{"class_name": "AUC", "threshold": floor}, {"class_name": "ExactMatch"}]
    evaluation = {"metrics_specs": [{"metrics": metrics}]}
    gate = {"require_significance": True}
    assert not [line for line in check(evaluation=evaluation, gate=gate) if "gate" in line]
    metrics[1]["threshold"] = floor
    with pytest.raises(RetrainerError, match=r"retrain.yaml:\d+: .*can't compare by 'exact_match'"):
        check(evaluation=evaluation, gate=gate)
    gate = {"require_significance": {"metrics": ["auc"]}}
    assert not [line for line in check(evaluation=evaluation, gate=gate) if "gate" in line]


def test_what_can_not_be_compared_by_is_what_evaluate_model_says() -> None:
    for name in sorted(NOT_COMPARED):
        config = build_eval_config([{"metrics": [{"class_name": name}]}], [], {}, "y", "", True)
        label = np.array([0, 1, 0, 1])
        prediction = label.astype(np.float32)
        rows = Scores(
            label, {CANDIDATE: prediction, BASELINE: prediction}, None, pa.table({"": label})
        )
        computed = metric_specs.to_computations(list(config.metrics_specs), eval_config=config)
        names = {key.name for computation in computed for key in computation.keys}
        with pytest.raises(NotCoveredError):
            paired_differences(config, rows, names - {"example_count"}, label)
