"""Drift and skew, as a run of monitoring finds them."""

import shutil
from datetime import UTC, datetime

import numpy as np
import pytest
from servers.served_predictions import make_columns, push_version, write_predictions
from servers.training_spans import trained_on, write_training_span

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.monitoring.looks import Looks
from retrainer.components.lib.monitoring.signals import Outcome
from retrainer.components.lib.store import Store
from retrainer.components.monitor_model import monitor as module
from retrainer.components.monitor_model.checks import drift, skew
from retrainer.components.monitor_model.monitor import monitor

BEGAN = datetime(2026, 10, 1, tzinfo=UTC)
MONTHS = ["2026-06", "2026-07", "2026-08", "2026-09"]
SETTINGS = {"window": {"catch_up": 60}}


def day(number):
    return f"2026-10-{number:02d}"


@pytest.fixture(autouse=True)
def only_these(monkeypatch):
    checks = (skew.find_signals, drift.find_signals)
    monkeypatch.setattr(module.judge, "__defaults__", (checks,))


@pytest.fixture(scope="module")
def three_weeks(tmp_path_factory):
    """A champion that was trained on four months, and three weeks of clean requests."""
    folder = tmp_path_factory.mktemp("drift")
    store = str(folder / "store")
    for number, month in enumerate(MONTHS):
        write_training_span(store, month, make_columns(2000, 100 + number))
    push_version(store, folder, since=BEGAN, info=trained_on(MONTHS))
    for number in range(1, 22):
        write_predictions(store, day(number), make_columns(500, number))
    look_at(store, 22)
    return store


@pytest.fixture
def store(three_weeks, tmp_path):
    shutil.copytree(three_weeks, tmp_path / "store")
    return str(tmp_path / "store")


def look_at(store, number, settings=SETTINGS):
    found = monitor(store, settings, clock=lambda: datetime(2026, 10, number, 12, tzinfo=UTC))
    return found, {one.name: one for look in found.looks[-1:] for one in look.signals}


def test_clean_requests_raise_no_alarm(three_weeks):
    looks = Looks(three_weeks).newest(60)
    judged = [one for look in looks for one in look.signals if one.kind in ("drift", "skew")]
    assert not [one.meaning for one in judged if one.outcome == Outcome.BREACHED]
    first = {one.name: one for one in looks[0].signals}
    assert first["drift/distance"].outcome == Outcome.SILENT
    assert "have no values of it" in first["drift/distance"].meaning
    second = {one.name: one for one in looks[1].signals}
    assert "judged from 5 on" in second["drift/distance"].meaning
    assert first["skew/distance"].outcome == Outcome.OK
    last = {one.name: one for one in looks[-1].signals}
    assert last["drift/distance"].outcome == Outcome.OK
    assert last["drift/carrier"].evidence["method"] == "infinity_norm"
    assert last["drift/distance"].evidence["method"] == "jensen_shannon"


def test_a_column_that_moved_is_drift_and_skew_and_others_are_not(store):
    for number in (22, 23):
        write_predictions(store, day(number), make_columns(500, number, shift=300))
    found, signals = look_at(store, 24)
    assert sorted(found.detected) == ["drift/distance", "skew/distance"]
    assert signals["drift/hour"].outcome == Outcome.OK
    moved = signals["drift/distance"]
    assert moved.value > moved.bound
    assert "Most moved: " in moved.meaning
    # The spans that it breached do not become usual.
    assert moved.evidence["reference"]["last"] == day(21)


def test_a_new_champion_of_the_new_world_does_not_find_the_same_drift_again(store, tmp_path):
    for number in (22, 23, 24):
        write_predictions(store, day(number), make_columns(500, number, shift=300))
    look_at(store, 25)
    write_training_span(store, day(24), make_columns(2000, 7, shift=300))
    push_version(
        store, tmp_path, since=datetime(2026, 10, 25, tzinfo=UTC), info=trained_on([day(24)])
    )
    for number in range(25, 28):
        write_predictions(store, day(number), make_columns(500, number, shift=300), version=2)
    found, signals = look_at(store, 28)
    assert found.detected == []
    assert signals["skew/distance"].outcome == Outcome.OK
    assert signals["drift/distance"].outcome == Outcome.SILENT
    assert "not known yet" in signals["drift/distance"].meaning


def test_a_threshold_that_was_set_and_columns_that_are_ignored(store):
    write_predictions(store, day(22), make_columns(500, 22, shift=300))
    section = {
        "thresholds": {"distance": 0.9, "carrier": 0.0},
        "ignore": ["hour"],
        "method": {"columns": {"distance": "ks"}},
    }
    _, signals = look_at(store, 23, {**SETTINGS, "drift": section})
    assert signals["drift/distance"].outcome == Outcome.OK
    assert signals["drift/distance"].bound == 0.9
    assert signals["drift/distance"].evidence["method"] == "ks"
    assert signals["drift/carrier"].outcome == Outcome.BREACHED
    assert "drift/hour" not in signals


def test_a_method_that_cannot_measure_text_is_an_error_that_names_it(store):
    write_predictions(store, day(22), make_columns(500, 22))
    section = {"method": {"columns": {"carrier": "wasserstein"}}}
    with pytest.raises(RetrainerError, match=r"measures column 'carrier' by wasserstein"):
        look_at(store, 23, {**SETTINGS, "drift": section})


def test_broken_data_is_no_drift(store):
    columns = make_columns(500, 22)
    columns["distance"] = np.zeros(500)
    write_predictions(store, day(22), columns)
    found, signals = look_at(store, 23)
    assert found.detected == ["data/distance"]
    assert signals["drift/distance"].outcome == Outcome.SILENT
    assert signals["skew/distance"].outcome == Outcome.SILENT
    # When it is whole again, the broken day is not part of what is usual.
    write_predictions(store, day(23), make_columns(500, 23))
    _, signals = look_at(store, 24)
    assert signals["drift/distance"].outcome == Outcome.OK
    assert signals["drift/distance"].evidence["reference"] == {
        "first": day(1),
        "last": day(21),
        "spans": 21,
    }


def test_a_column_that_is_new_gone_or_of_another_type_is_not_judged_and_is_no_pass(store):
    columns = make_columns(500, 22)
    columns["altitude"] = np.arange(500.0)
    columns["hour"] = [str(one) for one in columns["hour"]]
    del columns["carrier"]
    write_predictions(store, day(22), columns)
    _, signals = look_at(store, 23)
    for name, words in (
        ("altitude", "the spans before have no values of it"),
        ("hour", "broken data, no drift: hour: values of type BYTES"),
        ("carrier", "broken data"),
    ):
        assert signals[f"drift/{name}"].outcome == Outcome.SILENT
        assert words in signals[f"drift/{name}"].meaning


def test_without_its_training_data_the_run_fails_and_drift_is_recorded(store):
    write_predictions(store, day(22), make_columns(500, 22))
    shutil.rmtree(Store(store).span_uri("2026-07"))
    with pytest.raises(RetrainerError, match=r"span 2026-07.*the baseline of skew is missing"):
        look_at(store, 23)
    newest = Looks(store).newest(1)[0]
    names = {one.name for one in newest.signals}
    assert "drift/distance" in names
    assert "skew/distance" not in names
    found, signals = look_at(store, 23, {**SETTINGS, "drift": {"skew": False}})
    assert found.looks
    assert "skew/distance" not in signals
