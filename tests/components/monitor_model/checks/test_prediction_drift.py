"""Drift of predictions, against reference rows and over time."""

from datetime import UTC, datetime
from types import SimpleNamespace

import numpy as np
import pytest
from servers.served_predictions import make_columns, push_version, write_predictions

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.monitoring.signals import Outcome
from retrainer.components.monitor_model import look as look_module
from retrainer.components.monitor_model import monitor as module
from retrainer.components.monitor_model.checks import prediction_drift
from retrainer.components.monitor_model.monitor import monitor

BEGAN = datetime(2026, 10, 1, tzinfo=UTC)


def day(number):
    return f"2026-10-{number:02d}"


def scores(rows, seed, shift=0.0):
    return 1 / (1 + np.exp(-np.random.default_rng(seed).normal(shift - 1, 1, rows)))


@pytest.fixture(autouse=True)
def only_this(monkeypatch):
    monkeypatch.setattr(module.judge, "__defaults__", ((prediction_drift.find_signals,),))


@pytest.fixture
def store(tmp_path):
    found = str(tmp_path / "store")
    push_version(found, tmp_path, since=BEGAN)
    for number in range(1, 18):
        write_predictions(found, day(number), make_columns(300, number), scores(300, number))
    return found


@pytest.fixture
def reference(store, tmp_path, monkeypatch):
    """Predictions of version 1 on its evaluation split."""
    table = write_predictions(
        str(tmp_path / "elsewhere"), "2026-09", make_columns(3000), scores(3000, 99)
    )
    made = SimpleNamespace(table=table, spans=("2026-09",))
    monkeypatch.setattr(look_module, "find_or_make_reference", lambda *_, **__: made)


def look_at(store, number, label="late", **section):
    found = monitor(
        store,
        {"window": {"catch_up": 3}, "drift": section},
        label=label,
        clock=lambda: datetime(2026, 10, number, 12, tzinfo=UTC),
    )
    return found, {one.name: one for look in found.looks[-1:] for one in look.signals}


def test_clean_predictions_raise_no_alarm_and_moved_ones_do(store, reference):
    found, signals = look_at(store, 18)
    assert found.detected == []
    assert signals["prediction_drift/prediction"].outcome == Outcome.OK
    assert signals["prediction_drift/prediction over time"].outcome == Outcome.OK
    for number in (18, 19):
        write_predictions(store, day(number), make_columns(300, number), scores(300, number, 1.0))
    found, signals = look_at(store, 20)
    assert found.detected == [
        "prediction_drift/prediction",
        "prediction_drift/prediction over time",
    ]
    assert "on its evaluation split" in signals["prediction_drift/prediction"].meaning


def test_predictions_of_the_version_before_show_nothing(store, reference, tmp_path):
    push_version(store, tmp_path, since=datetime(2026, 10, 18, tzinfo=UTC))
    write_predictions(store, day(18), make_columns(300, 18), scores(300, 18, 1.0), version=2)
    _, signals = look_at(store, 19)
    over_time = signals["prediction_drift/prediction over time"]
    assert over_time.outcome == Outcome.SILENT
    assert "have no values of it" in over_time.meaning


def test_predictions_on_broken_data_are_not_judged(store, reference):
    columns = make_columns(300, 18)
    columns["distance"] = np.zeros(300)
    write_predictions(store, day(18), columns, scores(300, 18, 3.0))
    found, signals = look_at(store, 19)
    assert found.detected == ["data/distance"]
    for name in ("prediction", "prediction over time"):
        assert signals[f"prediction_drift/{name}"].outcome == Outcome.SILENT
    # What was answered to them is no usual answer: predictions that move the day after are found.
    write_predictions(store, day(19), make_columns(300, 19), scores(300, 19, 1.0))
    _, signals = look_at(store, 20)
    for name in ("prediction", "prediction over time"):
        assert signals[f"prediction_drift/{name}"].outcome == Outcome.BREACHED
        assert signals[f"prediction_drift/{name}"].bound < 0.1


def test_without_a_label_there_is_no_reference_and_no_pass(store):
    _, signals = look_at(store, 18, label="")
    assert signals["prediction_drift/prediction"].outcome == Outcome.SILENT
    assert "data.label" in signals["prediction_drift/prediction"].meaning


def test_without_its_reference_rows_the_run_fails(store):
    with pytest.raises(RetrainerError, match="evaluat"):
        look_at(store, 18)
    _, signals = look_at(store, 18, predictions=False)
    assert not any(name.startswith("prediction_drift/") for name in signals)
