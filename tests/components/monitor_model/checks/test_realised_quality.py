"""Realised quality: labels that come late, of a model that is as good as the gate measured, or no longer."""

import json
from datetime import timedelta

import numpy as np
import pytest

from retrainer.components.lib.monitoring.signals import Kind, Outcome
from retrainer.components.lib.predictions.joined_sets import newest_joined
from retrainer.components.lib.predictions.prediction_sets import list_predictions
from retrainer.components.lib.registry.evaluation_summary import EvaluationSummary, SliceMetrics
from retrainer.components.lib.registry.registry import Registry
from retrainer.components.lib.store import Store
from retrainer.components.monitor_model.checks import realised_quality
from retrainer.components.monitor_model.look import Look
from retrainer.components.monitor_model.windows import read_feed
from tests.servers.served_predictions import push_version, table_of, write_predictions
from tests.servers.training_spans import trained_on

from .realised_world import START, World


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def test_a_model_as_good_as_the_gate_measured_is_ok_and_each_span_counts_once(world):
    for day in range(3):
        world.serve(day)
        found = world.look(day)
    assert found["log_loss"].outcome == found["zero_one"].outcome == Outcome.OK
    loss = found["log_loss"]
    assert loss.kind == Kind.REALISED
    assert loss.evidence["rows"] == 1200
    assert loss.evidence["labelled_share"] == 1.0
    low, high = loss.evidence["interval"]
    assert low < loss.value < high < 1
    assert loss.evidence["evidence"] < 1 < loss.evidence["evidence_needed"]
    assert loss.bound > loss.evidence["baseline"] > 0
    again = world.look(2)
    assert again["log_loss"].content() == loss.content()
    # A label that comes later changes no test: its span counted when its labels were due.
    assert found["share of labels"].outcome == Outcome.OK


def test_spans_before_the_champion_count_if_it_scored_them_since_and_has_not_seen_them(world):
    seen = trained_on([f"{START - timedelta(days=3):%Y-%m-%d}"])
    version = push_version(world.store, world.folder / "second", since=START, info=seen)
    world.serve(-3, version=version, scored=START)
    since = world.serve(-2, version=version, scored=START)
    world.serve(-1, version=version, scored=START - timedelta(minutes=1))
    assert world.look(-1)["log_loss"].evidence["spans"] == [since]


def test_a_model_that_got_worse_is_found_and_clears_when_it_is_good_again(world):
    for day in range(2):
        world.serve(day)
        assert world.look(day)["log_loss"].outcome == Outcome.OK
    for day in range(2, 12):
        world.serve(day, wrong=0.6)
        found = world.look(day)
        if found["log_loss"].outcome == Outcome.BREACHED:
            break
    assert 4 <= day <= 9
    assert found["log_loss"].value > found["log_loss"].bound
    assert "spans do not vary so much by chance" in found["log_loss"].meaning
    for after in range(day + 1, day + 7):
        world.serve(after)
        found = world.look(after)
    assert found["log_loss"].outcome == Outcome.OK


@pytest.mark.parametrize("cells", [["AA", "UA"], ['["AA", "ZZ"]', '["ZZ", "UA"]']])
def test_a_slice_that_got_worse_is_found_beside_one_that_did_not(world, cells):
    """Where the cells are lists, a row is in the slice of each value."""
    world.lists = ("carrier",) if cells[0] != "AA" else ()
    registry = Registry(Store(world.store).models_uri)
    slices = (
        SliceMetrics({}, rows=20_000),
        *(SliceMetrics({"carrier": one}, rows=10_000) for one in ("AA", "UA")),
    )
    EvaluationSummary(slices).write(registry.version_uri(world.version))
    for day in range(8):
        world.serve(day, 1000, wrong=0.8, carriers=cells, carrier=cells[1])
    found = world.look(7)
    assert found["log_loss of carrier = UA"].outcome == Outcome.BREACHED
    assert found["log_loss of carrier = AA"].outcome == Outcome.OK
    assert "log loss of carrier = UA" in found["log_loss of carrier = UA"].meaning


def test_labels_that_are_not_due_or_too_few_are_silent_and_count_when_they_come(world):
    world.serve(0, labelled=0.2)
    found = world.look(0)
    assert found["labels"].outcome == Outcome.SILENT
    assert "have their label, and 50 % is the minimum" in found["labels"].meaning
    assert found["share of labels"].outcome == Outcome.BREACHED
    assert found["share of labels"].value == pytest.approx(0.2, abs=0.1)
    # Unless somebody has said when labels come, none is late: late ones would hold every retrain back.
    del world.settings["labels"]["delay_seconds"]
    found = world.look(0)
    for name in ("share of labels", "selection of labels"):
        assert found[name].outcome == Outcome.SILENT
        assert "nothing says when" in found[name].meaning
    world.settings["labels"]["delay_seconds"] = 10 * 86400
    assert "old enough" in world.look(0)["share of labels"].meaning
    world.settings["labels"]["delay_seconds"] = 0
    world.folder.joinpath("labels", "2026-03-01.jsonl").unlink()
    world.folder.joinpath("labels", "more.jsonl").write_text(
        "".join(
            json.dumps({"request_id": "2026-03-01-1-stable", "row": row, "late": row % 4 == 0})
            + "\n"
            for row in range(400)
        )
    )
    assert world.look(0)["log_loss"].evidence["rows"] == 400


def test_labels_for_accepted_cases_only_are_a_signal_and_judge_nothing(world):
    span = world.serve(0, 2000)
    found = table_of(list_predictions(world.store, span)[0])
    scores, ids = found["prediction"].to_pylist(), found["request_id"].to_pylist()
    world.folder.joinpath("labels", f"{span}.jsonl").write_text(
        "".join(
            json.dumps({"request_id": ids[row], "row": row, "late": 0}) + "\n"
            for row in range(2000)
            if scores[row] < 0.35
        )
    )
    found = world.look(0)
    assert found["selection of labels"].outcome == Outcome.BREACHED
    assert found["selection of labels"].value > 0.1
    assert found["labels"].outcome == Outcome.SILENT
    assert "labels come for some predictions of span 2026-03-01 only" in found["labels"].meaning


def test_a_window_of_one_class_still_has_losses(world):
    world.serve(0, 200, only=0)
    found = world.look(0)
    assert found["log_loss"].outcome != Outcome.SILENT
    assert found["log_loss"].evidence["rows"] == 200


def test_rows_of_another_version_are_left_out(world, tmp_path):
    other = write_predictions(
        str(tmp_path / "other"),
        "2026-03-01",
        {"carrier": ["AA"] * 100},
        np.full(100, 0.99),
        version=7,
    )
    world.serve(0, 100, more=table_of(other))
    world.folder.joinpath("labels", "other.jsonl").write_text(
        "".join(
            json.dumps({"request_id": "2026-03-01-7-stable", "row": row, "late": 0}) + "\n"
            for row in range(100)
        )
    )
    loss = world.look(0)["log_loss"]
    assert newest_joined(world.store)[0].model_versions == {"1": 100, "7": 100}
    assert (loss.evidence["rows"], loss.outcome) == (100, Outcome.OK)


def test_no_labels_at_all_are_silent_and_nothing_without_a_label(world):
    world.serve(0)
    world.folder.joinpath("labels", "2026-03-01.jsonl").unlink()
    found = world.look(0)
    assert found["labels"].outcome == Outcome.SILENT
    assert found["share of labels"].outcome == Outcome.BREACHED


def test_a_missing_baseline_is_an_error(world):
    from retrainer.components.lib.errors import RetrainerError

    world.serve(0)
    world.look(0)
    now = START + timedelta(days=1, hours=2)
    champion = Registry(Store(world.store).models_uri).resolve("champion")
    feed = read_feed(list_predictions(world.store), now, 600)
    look = Look(
        world.store, world.settings, now, feed.sets, (), champion, START,
        tuple(newest_joined(world.store)), "late", feed=feed,
    )  # fmt: skip
    with pytest.raises(RetrainerError, match="eval"):
        list(realised_quality.find_signals(look))


def test_sampled_rows_weigh_what_they_stand_for():
    from retrainer.components.monitor_model.loss_tests import _sums

    sums = _sums(np.array([1.0, 0.0]), np.array([1.0, 9.0]))
    assert sums.mean == pytest.approx(0.1)
    assert sums.plus(sums).mean == pytest.approx(0.1)
    assert sums.error > sums.plus(sums).error > 0


def test_one_bad_day_is_no_alarm_and_the_sentence_agrees_with_the_outcome(world):
    """All rows of a day are of one weather, so that they are no thousand witnesses."""
    for day in range(6):
        world.serve(day, 1000, wrong=0.6 if day == 3 else 0.0)
        found = world.look(day)
        for name in ("log_loss", "zero_one"):
            assert found[name].outcome == Outcome.OK, day
    assert found["log_loss"].value < found["log_loss"].bound
    assert "chance" not in found["log_loss"].meaning
