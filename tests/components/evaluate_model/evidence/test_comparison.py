"""Evidence in a whole evaluation."""

import json
import re
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from retrainer.components.evaluate_model import kept_rows, measurement
from retrainer.components.evaluate_model.evidence.checks import Kind
from retrainer.components.evaluate_model.fitness import check_cluster
from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.examples import Examples


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
    assert not evidence(by_value)
    assert {"value_threshold", "change_threshold"} < {check["kind"] for check in checks}
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
            "gate.cluster names the column 'customer', but the eval split has no such column",
        ),
    ],
)
def test_what_can_not_be_compared_is_named(
    run: Callable[..., Any], gate: dict[str, Any], words: str
) -> None:
    with pytest.raises(RetrainerError, match=words):
        run(specs(0.5), gate=gate)


def test_a_column_of_lists_marks_no_clusters() -> None:
    examples = Examples("late", splits={}, spans=(), lists=("tags",))
    with pytest.raises(
        RetrainerError, match="'tags', a column of lists, and each row must be in one"
    ):
        check_cluster(examples, "tags")


ON_BEAM = ["--runner=DirectRunner", "--direct_running_mode=in_memory"]


def evidence(outcome: Any) -> list[dict[str, Any]]:
    """Return the checks on evidence, whose numbers are the comparison's own."""
    checks = json.loads((outcome.folder / "blessing" / "checks.json").read_text())["checks"]
    return [check for check in checks if check["kind"] in {*Kind}]


def test_beam_brings_the_rows_back_in_their_order(run: Callable[..., Any]) -> None:
    """Groups are drawn by a row's place, so equal intervals mean equal rows in equal order, whichever worker had them.

    The champion predicts NaN on some rows, which are left out.
    """
    asked = {
        "require_significance": {"draws": 30},
        "cluster": "tailnum",
        "slices": {"min_rows": 50},
    }
    # Batches of 128 rows, which end in the middle of a file.
    settings = {"champion": "nan", "gate": asked, "batch_rows": 128}
    here = run(specs(0.5), **settings)
    found = evidence(here)
    assert any(check["passed"] is not None and check["slice"] != "overall" for check in found)
    there = run(specs(0.5), **settings, beam_args=ON_BEAM)
    assert evidence(there) == found
    assert there.verdict == here.verdict
    assert "predicts NaN or infinity on the others" in here.verdict


# The sample itself is tested in test_kept_rows.py.
@pytest.mark.slow
def test_more_rows_than_come_back_are_compared_by_a_sample(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_rows, "MOST_PREDICTIONS", 600)
    asked = {"require_significance": {"draws": 30}}
    first = run(specs(0.5), gate=asked, beam_args=ON_BEAM)
    overall = evidence(first)[0]
    assert overall["rows"] == pytest.approx(300, abs=50), "of 600 rows, with two predictions each"
    assert f"intervals from {overall['rows']} of 600 rows, drawn at random" in first.page
    assert evidence(run(specs(0.5), gate=asked, beam_args=ON_BEAM)) == evidence(first)


def test_a_metric_that_can_not_be_compared_is_named_before_any_row_is_read(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measurement, "score", None)
    similarity = {"class_name": "ExactMatch", "threshold": {"value_threshold": {"lower_bound": 0}}}
    with pytest.raises(RetrainerError, match=r"can't compare by 'exact_match': .* \(exact_match"):
        run([{"metrics": [similarity]}], gate={"require_significance": True})


def test_a_metric_without_a_value_is_shown_nothing_about(
    run: Callable[..., Any], some_flights: pd.DataFrame
) -> None:
    """A verdict is written all the same."""
    outcome = run(
        specs(0.5), frame=some_flights.assign(late=0), gate={"require_significance": True}
    )
    assert outcome.verdict.startswith("refused: all eval rows have label 0")
    (overall, *_) = evidence(outcome)
    assert overall["passed"] is False
    assert "600 rows, all with label 0" in overall["reason"]
    assert outcome.blessing["reasons"][-1] == overall["reason"]


@pytest.mark.parametrize(
    ("challenger", "champion", "passed", "words"),
    [
        ("coin", "late", False, "undefined because of the model's predictions"),
        ("late", "coin", None, "undefined for the champion"),
    ],
)
def test_a_metric_that_predictions_leave_undefined(
    run: Callable[..., Any], challenger: str, champion: str, passed: bool | None, words: str
) -> None:
    """A constant has no positive prediction, so no precision: of the challenger that refuses it."""
    metrics = [{"metrics": [*specs(0.4)[0]["metrics"], {"class_name": "PPV"}]}]
    asked = {"require_significance": {"metrics": ["ppv"]}}
    outcome = run(metrics, challenger=challenger, champion=champion, gate=asked)
    (overall, *_) = evidence(outcome)
    assert overall["passed"] is passed
    assert words in overall["reason"]
    assert outcome.blessing["blessed"] is (passed is None)


def test_a_model_that_is_the_champion_again_does_not_differ(run: Callable[..., Any]) -> None:
    same = {"challenger": "late", "champion": "late"}
    outcome = run(specs(0.5), **same, gate={"require_significance": True})
    assert outcome.verdict.endswith(
        "; auc equals that of champion version 3 on every sample of the rows"
    )
    gain = run(specs(0.5), **same, gate={"require_significance": {"promote_on": "gain"}})
    assert gain.verdict.endswith("interval of the difference ±0 to ±0): there is no gain")
