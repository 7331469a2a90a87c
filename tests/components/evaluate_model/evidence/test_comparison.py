"""Evidence in a whole evaluation."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from retrainer.components.lib.errors import RetrainerError


def specs(lower: float, change: float | None = None) -> list[dict[str, Any]]:
    threshold: dict[str, Any] = {"value_threshold": {"lower_bound": {"value": lower}}}
    if change is not None:
        threshold["change_threshold"] = {"absolute": change, "direction": "HIGHER_IS_BETTER"}
    overall = [{"slicing_specs": [{}], "threshold": threshold}]
    return [{"metrics": [{"class_name": "AUC", "per_slice_thresholds": overall}]}]


def test_evidence_decides_where_it_is_asked_for(run: Callable[..., Any]) -> None:
    """A challenger that passes the threshold by its value alone is refused on 600 rows, and says how many it needs."""
    asked = {"require_significance": {"margin": 0.001, "draws": 50.0}, "cluster": "carrier"}
    by_value = run(specs(0.5, -0.5), challenger="late", champion="champion")
    assert by_value.blessing["blessed"]
    checks = json.loads((by_value.folder / "blessing" / "checks.json").read_text())["checks"]
    assert {check["kind"] for check in checks} == {"value_threshold", "change_threshold"}
    outcome = run(specs(0.5, -0.5), challenger="champion", champion="late", gate=asked)
    assert not outcome.blessing["blessed"]
    assert "interval of the difference" in outcome.verdict
    checks = json.loads((outcome.folder / "blessing" / "checks.json").read_text())["checks"]
    overall = next(check for check in checks if check["kind"] == "no_loss")
    low, high = overall["interval"]
    assert low < overall["difference"] < high
    assert overall["bound"] == -0.001
    assert not overall["passed"]
    assert any(check["kind"] == "slice_loss" and check["passed"] is None for check in checks)
    assert "<h2>Evidence</h2>" in outcome.page


def test_a_clear_gain_is_blessed_with_its_interval(run: Callable[..., Any]) -> None:
    asked = {"require_significance": {"promote_on": "gain"}}
    outcome = run(specs(0.5), challenger="late", champion="coin", gate=asked)
    assert outcome.blessing["blessed"]
    assert re.search(r"; interval of the change in auc \+0\.\d+ to \+0\.\d+$", outcome.verdict)


def test_without_a_champion_there_is_nothing_to_compare(run: Callable[..., Any]) -> None:
    outcome = run(specs(0.5), champion=None, gate={"require_significance": True})
    assert outcome.blessing["blessed"]
    assert "<h2>Evidence</h2>" not in outcome.page


@pytest.mark.parametrize(
    ("gate", "words"),
    [
        (
            {"require_significance": {"metrics": ["acu"]}},
            "names 'acu', which is not computed. Did you mean 'auc'",
        ),
        (
            {"require_significance": {"metrics": ["example_count"]}},
            "no better when it is higher or lower",
        ),
        (
            {"require_significance": True, "cluster": "customer"},
            "the column 'customer', but the eval split",
        ),
    ],
)
def test_what_can_not_be_compared_is_named(
    run: Callable[..., Any], gate: dict[str, Any], words: str
) -> None:
    with pytest.raises(RetrainerError, match=words):
        run(specs(0.5), gate=gate)


def test_evidence_needs_the_rows_in_this_process(run: Callable[..., Any]) -> None:
    with pytest.raises(RetrainerError, match="evaluate_model runs on Beam here"):
        run(
            specs(0.5),
            gate={"require_significance": True},
            beam_args=["--runner=DirectRunner"],
        )
