"""Estimated quality: right where inputs change, silent where its assumptions fail, an error without a reference."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf
from servers.reference_rows import MadeUpReference, Served, calibrated_rows, export_model, sigmoid

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.monitoring.signals import Kind, Outcome, Signal
from retrainer.components.monitor_model import monitor as module
from retrainer.components.monitor_model.checks.estimated_quality import find_signals
from retrainer.components.monitor_model.distances.clean_past import CleanPast
from retrainer.components.monitor_model.estimation import quality
from retrainer.components.monitor_model.estimation.metrics import BINARY
from retrainer.components.monitor_model.look import Look


def auc(rows: pa.Table) -> float:
    return BINARY["auc"](
        sigmoid(rows["x"].to_numpy()), rows["late"].to_numpy().astype(float), np.ones(len(rows))
    )


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("exported") / "model"
    return export_model(path, lambda x: tf.sigmoid(x)[:, None], x=tf.float32)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, model: str) -> Served:
    return Served(
        tmp_path_factory.mktemp("served"),
        model,
        [calibrated_rows(6_000), calibrated_rows(6_000, 2)],
    )


@pytest.fixture
def other(tmp_path: Path, model: str) -> Callable[..., Served]:
    """A function that serves a model that answers otherwise, with a reference of its own."""

    def make(function: Callable[[np.ndarray], np.ndarray], reference: pa.Table) -> Served:
        served = Served(tmp_path, model, [calibrated_rows(50)])
        x = reference["x"].to_numpy()
        labels = reference["late"].to_numpy().astype(float)
        served.made_up = MadeUpReference({"x": x}, function(x), labels)
        return served

    return make


def only(signals: Sequence[Signal]) -> Signal:
    (found,) = signals
    return found


def judge(look: Look) -> Signal:
    return only(list(find_signals(look)))


def test_usual_rows_are_ok_and_the_estimate_is_right_within_its_error(served: Served) -> None:
    for seed in range(10, 14):
        rows = calibrated_rows(4_000, seed)
        found = judge(served.look("estimated_quality", served.span(rows)))
        assert (found.name, found.outcome) == ("estimated_quality/auc", Outcome.OK)
        low, high = found.evidence["interval"]
        assert low < auc(rows) < high
        assert found.bound is not None
        assert found.clears_at is not None
        assert found.bound < found.clears_at < found.evidence["usual"]["mean"]
        assert found.evidence["usual"]["from"] == "the evaluation rows"
        assert found.evidence["rows"] == 4_000


def test_inputs_that_are_harder_to_tell_apart_lower_the_estimate(served: Served) -> None:
    rows = calibrated_rows(4_000, 20)
    near = rows.filter(pa.compute.less(pa.compute.abs(rows["x"]), 0.8))
    found = judge(served.look("estimated_quality", served.span(near)))
    assert found.outcome == Outcome.BREACHED
    assert found.value == pytest.approx(auc(near), abs=3 * found.evidence["standard_error"])
    assert "below" in found.meaning


def test_inputs_that_are_easier_are_no_breach(served: Served) -> None:
    rows = calibrated_rows(4_000, 21)
    far = rows.filter(pa.compute.greater(pa.compute.abs(rows["x"]), 1.5))
    assert judge(served.look("estimated_quality", served.span(far))).outcome == Outcome.OK


def test_a_concept_that_moves_leaves_the_estimate_as_it_is_until_labels_contradict_it(
    served: Served,
) -> None:
    rows = calibrated_rows(4_000, 22)
    span = served.span(rows)
    random = np.random.default_rng(3)
    drawn = random.random(4_000) < sigmoid(-rows["x"].to_numpy())
    assert judge(served.look("estimated_quality", span)).outcome == Outcome.OK
    right = served.labelled(span, rows["late"].to_numpy().astype(float))
    assert judge(served.look("estimated_quality", span, joined=(right,))).outcome == Outcome.OK
    wrong = served.labelled(served.span(rows), drawn.astype(float))
    found = judge(served.look("estimated_quality", span, joined=(wrong,)))
    assert found.outcome == Outcome.SILENT
    assert "the concept has moved" in found.meaning
    # Early labels are seldom like later ones.
    early = served.labelled(served.span(rows), drawn.astype(float)[:1_000], share=0.1)
    assert judge(served.look("estimated_quality", span, joined=(early,))).outcome == Outcome.OK


def test_earlier_spans_that_vary_widen_the_bound(served: Served) -> None:
    near = calibrated_rows(3_000, 30)
    near = near.filter(pa.compute.less(pa.compute.abs(near["x"]), 1.0))
    usual = calibrated_rows(3_000, 31)
    # Each seventh span is like the one that is judged, as Sundays are like Sundays.
    earlier = [served.span(near if number % 7 == 6 else usual) for number in range(14)]
    alone = judge(served.look("estimated_quality", served.span(near)))
    found = judge(served.look("estimated_quality", served.span(near), earlier=tuple(earlier)))
    assert (alone.outcome, found.outcome) == (Outcome.BREACHED, Outcome.OK)
    assert found.evidence["usual"]["from"] == "the windows before"
    assert found.evidence["usual"]["deviation"] > 0.03


def test_earlier_spans_that_breached_or_were_broken_do_not_widen_the_bound(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    near = calibrated_rows(3_000, 34)
    near = near.filter(pa.compute.less(pa.compute.abs(near["x"]), 1.0))
    usual = calibrated_rows(3_000, 35)
    earlier = [served.span(near if number in (3, 9) else usual) for number in range(14)]
    past = CleanPast(
        broken={"x": {earlier[3].span}}, breached={"estimated_quality/auc": {earlier[9].span}}
    )
    monkeypatch.setattr(quality, "read_clean_past", lambda _: past)
    look = served.look("estimated_quality", served.span(near), earlier=tuple(earlier))
    found = judge(look)
    assert found.outcome == Outcome.BREACHED
    assert found.evidence["usual"]["count"] == 12


def test_sampled_rows_weigh_what_they_stand_for(served: Served) -> None:
    rows = calibrated_rows(8_000, 32)
    near = rows.filter(pa.compute.less(pa.compute.abs(rows["x"]), 0.8))
    far = rows.filter(pa.compute.greater_equal(pa.compute.abs(rows["x"]), 0.8))
    kept = far.take(np.arange(0, len(far), 10))
    whole = judge(served.look("estimated_quality", served.span(rows)))
    sampled = judge(
        served.look("estimated_quality", served.span(near), served.span(kept, sample_rate=0.1))
    )
    unweighted = judge(served.look("estimated_quality", served.span(near), served.span(kept)))
    assert sampled.value == pytest.approx(whole.value, abs=0.02)
    assert unweighted.value < whole.value - 0.1
    assert sampled.evidence["standard_error"] > whole.evidence["standard_error"]


def test_rows_of_another_version_or_without_an_answer_are_left_out(served: Served) -> None:
    rows = calibrated_rows(1_000, 33)
    span = served.span(rows, failed=100)
    assert judge(served.look("estimated_quality", span)).evidence["rows"] == 900
    other_version = replace(served.version, version=99)
    found = judge(
        replace(
            served.look("estimated_quality", span),
            model=other_version,
            _shared=served.look("estimated_quality", span)._shared,
        )
    )
    assert found.outcome == Outcome.SILENT
    assert "has 0 rows" in found.meaning


@pytest.mark.parametrize(
    ("change", "settings", "expected"),
    [
        (
            lambda x: np.where(np.arange(len(x)) % 20, sigmoid(x), np.nan),
            {},
            "no finite prediction",
        ),
        (lambda x: x, {}, "no probabilities: they reach from -"),
        (lambda x: np.where(np.arange(len(x)) % 20, sigmoid(x), 1.0), {}, "outside of those that"),
        (lambda x: sigmoid(x), {"min_rows": 5_000}, "has 2,000 rows .* and 5,000 are needed"),
    ],
)
def test_it_is_silent_where_its_assumptions_fail(
    served: Served,
    change: Callable[[np.ndarray], np.ndarray],
    settings: Mapping[str, Any],
    expected: str,
) -> None:
    rows = calibrated_rows(2_000, 40)
    span = served.span(rows, change(rows["x"].to_numpy()))
    found = judge(served.look("estimated_quality", span, settings=settings))
    assert found.outcome == Outcome.SILENT
    assert re.search(expected, found.meaning)
    assert found.value is None


def test_broken_data_in_a_feature_is_no_estimate(served: Served) -> None:
    look = served.look("estimated_quality", served.span(calibrated_rows(1_000, 41)))
    found = judge(look.with_broken({"x": "every row has one value", "y": "unused"}))
    assert found.outcome == Outcome.SILENT
    assert "broken data in x: every row has one value" in found.meaning


def test_one_score_for_all_rows_ranks_nothing(served: Served) -> None:
    span = served.span(calibrated_rows(1_000, 42), np.full(1_000, 0.5))
    found = judge(served.look("estimated_quality", span))
    assert (found.outcome, found.value) == (Outcome.BREACHED, 0.5)


def test_a_fixed_bound_wins(served: Served) -> None:
    span = served.span(calibrated_rows(2_000, 43))
    found = judge(served.look("estimated_quality", span, settings={"bounds": {"auc": 0.99}}))
    assert (found.outcome, found.bound, found.clears_at) == (Outcome.BREACHED, 0.99, None)


def test_several_metrics_and_one_that_does_not_exist(served: Served) -> None:
    span = served.span(calibrated_rows(2_000, 44))
    look = served.look(
        "estimated_quality", span, settings={"metrics": ["auc", "log_loss", "accuracy"]}
    )
    assert {one.subject: one.outcome for one in find_signals(look)} == {
        "auc": Outcome.OK, "log_loss": Outcome.OK, "accuracy": Outcome.OK,
    }  # fmt: skip
    with pytest.raises(RetrainerError, match="'mae' can't be estimated of a binary model"):
        list(find_signals(served.look("estimated_quality", span, settings={"metrics": ["mae"]})))


def test_off_without_a_span_or_without_a_label_nothing_passes(served: Served) -> None:
    span = served.span(calibrated_rows(1_000, 45))
    assert not list(
        find_signals(served.look("estimated_quality", span, settings={"enabled": False}))
    )
    assert not list(find_signals(served.look("estimated_quality")))
    found = judge(replace(served.look("estimated_quality", span), label=""))
    assert found.outcome == Outcome.SILENT


def test_a_missing_reference_is_an_error(served: Served) -> None:
    look = served.look("estimated_quality", served.span(calibrated_rows(1_000, 46)))
    lost = replace(served.version, info={})
    with pytest.raises(RetrainerError, match="has no reference rows"):
        list(find_signals(replace(look, model=lost)))


def constant(rows: pa.Table, late: int) -> pa.Table:
    return rows.set_column(1, "late", pa.array([late] * len(rows)))


@pytest.mark.parametrize(
    ("function", "reference", "expected"),
    [
        (sigmoid, constant(calibrated_rows(1_000), 1), "0 rows of class 0, 1,000 rows of class 1"),
        (lambda x: 0.0 * x + 0.25, calibrated_rows(1_000), "gives every row of the reference the score 0.25"),
        (sigmoid, calibrated_rows(400), "has 400 rows, and 500 are needed"),
        (lambda x: x, calibrated_rows(1_000), "no probabilities"),
        (lambda x: sigmoid(-x), calibrated_rows(3_000), "fails on the evaluation rows themselves"),
    ],
)  # fmt: skip
def test_a_reference_that_nothing_can_be_calibrated_on(
    other: Callable[..., Served],
    function: Callable[..., Any],
    reference: pa.Table,
    expected: str,
) -> None:
    served = other(function, reference)
    found = judge(served.look("estimated_quality", served.span(calibrated_rows(1_000, 50))))
    assert found.outcome == Outcome.SILENT
    assert expected in found.meaning


def test_distorted_scores_are_calibrated(other: Callable[..., Served]) -> None:
    served = other(lambda x: sigmoid(x) ** 3, calibrated_rows(8_000))
    rows = calibrated_rows(4_000, 51, shift=0.5)
    found = judge(
        served.look(
            "estimated_quality",
            served.span(rows, sigmoid(rows["x"].to_numpy()) ** 3),
            settings={"metrics": ["accuracy"]},
        )
    )
    real = ((sigmoid(rows["x"].to_numpy()) ** 3 >= 0.5) == rows["late"].to_numpy()).mean()
    assert found.value == pytest.approx(real, abs=3 * found.evidence["standard_error"])


def test_several_classes(other: Callable[..., Served]) -> None:
    def probabilities(x: np.ndarray) -> np.ndarray:
        parts = [np.exp(one * x) for one in (-1.0, 0.2, 1.0)]
        return np.stack([one / sum(parts) for one in parts], axis=1)

    def draw(rows: int, seed: int, shift: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
        random = np.random.default_rng(seed)
        x = random.normal(shift, 1.5, rows).astype(np.float32)
        scores = probabilities(x)
        return x, (random.random(rows)[:, None] > scores.cumsum(axis=1)).sum(axis=1)

    x, late = draw(6_000, 1)
    served = other(probabilities, pa.table({"x": x, "late": late}))
    for shift, outcome in ((0.0, Outcome.OK), (-0.4, Outcome.OK)):
        x, late = draw(4_000, 60, shift)
        scores = probabilities(x)
        span = served.span(pa.table({"x": x}), scores)
        found = judge(served.look("estimated_quality", span))
        assert (found.subject, found.outcome) == ("accuracy", outcome)
        real = (scores.argmax(axis=1) == late).mean()
        assert found.value == pytest.approx(real, abs=3 * found.evidence["standard_error"])
    assert found.evidence["problem"] == "multiclass"


def test_regression(other: Callable[..., Served]) -> None:
    def draw(rows: int, seed: int, shift: float = 0.0) -> pa.Table:
        random = np.random.default_rng(seed)
        x = random.normal(shift, 1, rows)
        late = 2 * x + np.exp(0.6 * x) * random.normal(0, 1, rows)
        return pa.table({"x": pa.array(x, pa.float32()), "late": late})

    served = other(lambda x: 2 * x, draw(8_000, 1))
    for seed, shift, outcome in ((2, 0.0, Outcome.OK), (3, 0.7, Outcome.BREACHED)):
        rows = draw(4_000, seed, shift)
        x = rows["x"].to_numpy()
        found = judge(served.look("estimated_quality", served.span(rows, 2 * x)))
        assert (found.subject, found.outcome) == ("mae", outcome)
        real = np.abs(2 * x - rows["late"].to_numpy()).mean()
        assert found.value == pytest.approx(real, rel=0.07)
        assert found.evidence["method"] == "DLE"
    far = draw(2_000, 4, 30.0)
    found = judge(served.look("estimated_quality", served.span(far, 2 * far["x"].to_numpy())))
    assert found.outcome == Outcome.SILENT
    assert "that the reference does not have" in found.meaning


def test_a_run_of_monitoring_detects_it_after_two_looks_and_the_windows_before_stay_clean(
    tmp_path: Path, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module.judge, "__defaults__", ((find_signals,),))
    served = Served(tmp_path, model, [calibrated_rows(6_000)])
    hard = calibrated_rows(6_000, 99)
    hard = hard.filter(pa.compute.less(pa.compute.abs(hard["x"]), 0.8)).slice(0, 700)
    for number in range(12):
        served.span(hard if number >= 8 else calibrated_rows(700, 100 + number))

    def run(days: int, **settings: Any) -> module.Monitored:
        newest = datetime.fromisoformat(served.spans[days - 1].span)
        now = newest.replace(tzinfo=UTC) + timedelta(hours=36)
        return module.monitor(served.store, settings, label="late", clock=lambda: now)

    assert not run(9).detected
    found = run(12)
    assert found.detected == ["estimated_quality/auc"]
    (signal,) = (one for one in found.looks[-1].signals if one.kind == Kind.ESTIMATED)
    # The breached days are no part of what is usual.
    assert (signal.evidence["usual"]["from"], signal.evidence["usual"]["count"]) == (
        "the windows before",
        8,
    )
