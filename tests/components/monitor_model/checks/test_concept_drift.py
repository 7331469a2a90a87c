"""Concept drift: found when the error of labelled rows rises, once, and not because of weekends or late labels."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf
from servers.reference_rows import (
    SINCE,
    MadeUpReference,
    Served,
    calibrated_rows,
    export_model,
)

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.monitoring.signals import Outcome, Signal
from retrainer.components.lib.predictions.joined_sets import JoinedSet
from retrainer.components.lib.store import Store
from retrainer.components.monitor_model.checks import concept_drift
from retrainer.components.monitor_model.checks.concept_drift import find_signals
from retrainer.components.monitor_model.checks.labels import mature_sets
from retrainer.components.monitor_model.look import Look


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("exported") / "model"
    return export_model(path, lambda x: tf.sigmoid(x)[:, None], x=tf.float32)


@pytest.fixture
def served(tmp_path: Path, model: str) -> Served:
    return Served(tmp_path, model, [calibrated_rows(4_000)])


def day(
    served: Served, seed: int, moved: float = 0.0, rows: int = 800, **options: Any
) -> JoinedSet:
    """The next day, whose concept has moved, with its labels."""
    table = calibrated_rows(rows, 1_000 + seed, moved=moved)
    share = options.pop("share", 1.0)
    return served.labelled(served.span(table, **options), table["late"].to_numpy(), share)


def look_at(served: Served, days: list[JoinedSet], **settings: Any) -> Look:
    return served.look("concept_drift", joined=tuple(reversed(days)), settings=settings)


def judge(look: Look) -> Signal:
    (found,) = find_signals(look)
    assert found.name == "concept_drift/error of labelled rows"
    return found


def states(served: Served) -> Path:
    return Path(Store(served.store).error_stream_uri(served.version.version))


def test_a_concept_that_stays_is_ok_and_one_that_moves_is_found_and_goes_on(served: Served) -> None:
    days = []
    for number in range(10):
        days.append(day(served, number))
        if number % 3 == 0:
            assert judge(look_at(served, days)).outcome == Outcome.OK
    found = None
    for number in range(10, 16):
        days.append(day(served, number, moved=2.0))
        found = judge(look_at(served, days))
        if number >= 11:
            assert found.outcome == Outcome.BREACHED
    assert found is not None
    assert found.value is not None
    assert found.bound is not None
    assert found.clears_at is not None
    assert found.value > found.bound > found.clears_at > found.evidence["usual"]
    assert found.window == days[-1].span
    assert found.evidence["alarm"]["span"] in (days[10].span, days[11].span)
    assert "the error has risen since span" in found.meaning
    assert set(found.evidence["others"]) == {"page_hinkley", "ddm"}


def test_labels_of_broken_data_are_no_drift_when_they_come(served: Served) -> None:
    days = [day(served, number, 4.0 if number >= 8 else 0.0) for number in range(11)]
    broken = {"x": {one.span for one in days[8:]}}
    look = replace(look_at(served, days), broken_before=broken)
    assert mature_sets(look)[1] == f"the data of span {days[-1].span} was broken (x)"
    assert judge(look).outcome == Outcome.OK
    # On a whole column the same labels are one.
    assert judge(look_at(served, days)).outcome == Outcome.BREACHED


def test_it_clears_when_the_error_falls_again(served: Served) -> None:
    moved = [0.0] * 8 + [2.0] * 4 + [0.0] * 12
    days = [day(served, number, one) for number, one in enumerate(moved)]
    assert judge(look_at(served, days[:12])).outcome == Outcome.BREACHED
    assert judge(look_at(served, days)).outcome == Outcome.OK


def test_a_model_that_is_worse_from_its_first_day_on_is_found(served: Served) -> None:
    days = [day(served, number, moved=2.5) for number in range(3)]
    assert judge(look_at(served, days)).outcome == Outcome.BREACHED


def test_weekends_that_are_harder_are_no_drift(served: Served) -> None:
    days = [day(served, number, 1.0 if number % 7 >= 5 else 0.0) for number in range(21)]
    looks = [judge(look_at(served, days[:n])) for n in (6, 7, 14, 21)]
    assert {one.outcome for one in looks} == {Outcome.OK}


def test_one_look_or_many_find_the_same_and_a_second_look_reads_nothing(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    days = [day(served, number, 2.0 if number >= 8 else 0.0) for number in range(20)]
    for number in (3, 4, 11, 20):
        many = judge(look_at(served, days[:number]))
    kept = states(served).read_bytes()
    states(served).unlink()
    assert judge(look_at(served, days)) == many
    assert states(served).read_bytes() == kept

    def fail(*_: object, **__: object) -> None:
        raise AssertionError("it was read again")

    monkeypatch.setattr(concept_drift, "read_joined", fail)
    assert judge(look_at(served, days)) == many
    assert states(served).read_bytes() == kept


def test_labels_that_come_late_count_where_they_belong(served: Served) -> None:
    tables = [calibrated_rows(800, 2_000 + number) for number in range(6)]
    spans = [served.span(table) for table in tables]
    labels = [table["late"].to_numpy() for table in tables]
    early = [
        served.labelled(span, one[:500], version="early")
        for span, one in zip(spans, labels, strict=True)
    ]
    late = [served.labelled(span, one) for span, one in zip(spans, labels, strict=True)]
    judge(look_at(served, [*early[:2], *early[3:]]))
    found = judge(look_at(served, [*late[:3], *early[3:]]))
    content = json.loads(states(served).read_text())["states"][-1]["spans"]
    assert [(one["span"], one["rows"]) for one in content] == [
        (span.span, 800 if number < 3 else 500) for number, span in enumerate(spans)
    ]
    states(served).unlink()
    assert judge(look_at(served, [*late[:3], *early[3:]])) == found


def test_spans_that_are_older_than_all_states_stay_as_they_were_counted(served: Served) -> None:
    days = [day(served, number, rows=100) for number in range(20)]
    judge(look_at(served, days[:19], min_rows=1))
    # The oldest spans' labels were removed from the store, and one more span has come.
    found = judge(look_at(served, days[4:], min_rows=1))
    assert found.evidence["spans"] == 20
    assert found.evidence["rows"] == 2_000


def test_a_champion_that_comes_back_begins_again(served: Served) -> None:
    days = [day(served, number) for number in range(4)]
    judge(look_at(served, days))
    later = replace(look_at(served, days[-1:]), since=SINCE + timedelta(days=1))
    assert judge(later).evidence["spans"] == 1


def test_rows_of_other_versions_and_a_span_without_any_of_the_champions(served: Served) -> None:
    days = [day(served, 0), day(served, 1, moved=3.0, version=99), day(served, 2)]
    found = judge(look_at(served, days))
    assert (found.outcome, found.evidence["rows"], found.evidence["spans"]) == (
        Outcome.OK,
        1_600,
        3,
    )
    alone = judge(look_at(served, days[1:2]))
    assert alone.outcome == Outcome.SILENT
    assert "0 labelled rows" in alone.meaning


def test_where_nothing_can_be_judged_it_is_silent(served: Served) -> None:
    assert judge(look_at(served, [])).outcome == Outcome.SILENT
    few = judge(look_at(served, [day(served, 1, rows=200)]))
    assert "200 labelled rows of version 1, and 300 are needed" in few.meaning
    immature = judge(look_at(served, [day(served, 2, share=0.2)]))
    assert immature.outcome == Outcome.SILENT
    assert "have their label" in immature.meaning
    assert not list(find_signals(look_at(served, [], enabled=False)))


def test_a_missing_reference_is_an_error(served: Served) -> None:
    look = look_at(served, [day(served, 0)])
    with pytest.raises(RetrainerError, match="has no reference rows"):
        judge(replace(look, model=replace(served.version, info={})))


def test_a_damaged_state_is_made_again(served: Served) -> None:
    days = [day(served, number) for number in range(3)]
    found = judge(look_at(served, days))
    for content in ("{", '{"format": 1}', '{"format": 9, "made_of": ""}'):
        states(served).write_text(content)
        assert judge(look_at(served, days)) == found


def test_a_day_of_one_class_and_labels_of_no_class(served: Served) -> None:
    table = calibrated_rows(600, 5)
    span = served.span(table)
    one = served.labelled(span, np.zeros(600))
    assert judge(look_at(served, [one])).value is not None
    strange = served.labelled(span, np.full(600, 7.0), version="2")
    assert judge(look_at(served, [strange])).outcome == Outcome.SILENT


@pytest.mark.parametrize(
    ("function", "make"),
    [
        # A number, whose error grows.
        (
            lambda x: 2.0 * x,
            lambda x, random, wrong: 2 * x + (1 + 2 * wrong) * random.normal(0, 1, len(x)),
        ),
        # Three classes, of which two are confused.
        (
            lambda x: np.eye(3)[(np.abs(x) * 3).astype(int) % 3] * 0.7 + 0.1,
            lambda x, random, wrong: (
                (np.abs(x) * 3).astype(int) + (random.random(len(x)) < 0.2 + 0.4 * wrong)
            ) % 3,
        ),
    ],
)  # fmt: skip
def test_numbers_and_several_classes(
    served: Served, function: Callable[..., np.ndarray], make: Callable[..., np.ndarray]
) -> None:
    random = np.random.default_rng(1)

    def draw(rows: int, wrong: float) -> tuple[np.ndarray, np.ndarray]:
        x = random.normal(0, 1, rows)
        return x, make(x, random, wrong).astype(float)

    x, late = draw(3_000, 0)
    served.made_up = MadeUpReference({"x": x}, function(x), late)
    days = []
    for number in range(12):
        x, late = draw(600, 1.0 if number >= 9 else 0.0)
        days.append(served.labelled(served.span(pa.table({"x": x}), function(x)), late))
    assert judge(look_at(served, days[:9])).outcome == Outcome.OK
    assert judge(look_at(served, days)).outcome == Outcome.BREACHED


def test_a_weak_models_labels_turn_round_after_four_days(served: Served) -> None:
    """Scores near the share of positive rows have a loss near its largest, which can't rise by much."""
    random = np.random.default_rng(6)

    def draw(rows: int, turned: bool) -> tuple[np.ndarray, np.ndarray]:
        score = np.clip(0.4 + 0.1 * random.normal(0, 1, rows), 0.05, 0.95)
        share = np.clip(0.4 + (-1.5 if turned else 1.5) * (score - 0.4), 0, 1)
        return score, (random.random(rows) < share).astype(float)

    score, late = draw(4_000, False)
    served.made_up = MadeUpReference({"x": score}, score, late)
    days = []
    for number in range(7):
        score, late = draw(3_000, number >= 4)
        days.append(served.labelled(served.span(pa.table({"x": score}), score), late))
    assert judge(look_at(served, days[:4])).outcome == Outcome.OK
    assert judge(look_at(served, days[:5])).outcome == Outcome.BREACHED
    assert judge(look_at(served, days)).outcome == Outcome.BREACHED
