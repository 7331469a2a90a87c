"""Columns of the requests against the champion's schema."""

from datetime import UTC, datetime

import numpy as np
import pytest
from servers.served_predictions import make_columns, push_version, write_predictions

from retrainer.components.lib.monitoring.signals import Outcome
from retrainer.components.monitor_model import monitor as module
from retrainer.components.monitor_model.monitor import monitor

SCHEMA = """
feature { name: "hour" type: INT presence { min_fraction: 1.0 min_count: 1 } int_domain { min: 0 max: 23 } }
feature { name: "distance" type: FLOAT presence { min_fraction: 0.9 min_count: 1 } }
feature { name: "carrier" type: BYTES presence { min_fraction: 1.0 min_count: 1 } domain: "carrier" }
feature { name: "late" type: INT presence { min_fraction: 1.0 min_count: 1 } not_in_environment: "SERVING" }
string_domain { name: "carrier" value: "AA" value: "B6" value: "UA" }
default_environment: "TRAINING"
default_environment: "SERVING"
"""
ROWS = 100


@pytest.fixture
def look_at(tmp_path, monkeypatch):
    """The signals of a day with these columns, after two usual days."""
    monkeypatch.setattr(module.judge, "__defaults__", ((),))
    store = str(tmp_path / "store")

    def look_at(schema=SCHEMA, settings=None, **changed):
        push_version(store, tmp_path, since=datetime(2026, 11, 1, tzinfo=UTC), schema=schema)
        for number in (1, 2, 3):
            columns = make_columns(ROWS, number) | (changed if number == 3 else {})
            columns = {name: values for name, values in columns.items() if values is not None}
            write_predictions(store, f"2026-11-0{number}", columns)
        found = monitor(store, settings or {}, clock=lambda: datetime(2026, 11, 4, 12, tzinfo=UTC))
        return {one.subject: one for one in found.looks[-1].signals if one.evidence.get("column")}

    return look_at


def test_what_fits_is_ok_and_the_label_is_not_asked_for(look_at):
    signals = look_at()
    assert set(signals) == {"hour", "distance", "carrier"}
    assert {one.outcome for one in signals.values()} == {Outcome.OK}
    assert not any("anomalies" in one.evidence for one in signals.values())


@pytest.mark.parametrize(("new", "outcome"), [(20, Outcome.OK), (60, Outcome.BREACHED)])
def test_some_new_values_are_drift_and_many_are_broken_data(look_at, new, outcome):
    signal = look_at(carrier=["Å1"] * new + ["AA", "B6"] * ((ROWS - new) // 2))["carrier"]
    assert signal.outcome == outcome
    assert f"{new} % of the values are not in the schema" in signal.meaning


@pytest.mark.parametrize(("settings", "outcome"), [({}, "ok"), ({"max_unknown": 0.05}, "breached")])
def test_numbers_beyond_the_range_of_the_schema(look_at, settings, outcome):
    signal = look_at(settings={"data": settings}, hour=[99] * 10 + [1, 2] * 45)["hour"]
    assert signal.outcome == outcome
    assert "above the schema's range" in signal.meaning
    assert signal.evidence["anomalies"] == ["INT_TYPE_BIG_INT"]


def test_text_where_the_schema_has_numbers_is_broken_data(look_at):
    signal = look_at(hour=["one", "two"] * 50)["hour"]
    assert signal.outcome == Outcome.BREACHED
    assert signal.meaning == "hour: values of type BYTES, and the schema has INT"


def test_nan_is_a_missing_value(look_at):
    values = np.where(np.arange(ROWS) < 40, np.nan, np.arange(ROWS, dtype=float))
    signal = look_at(distance=values)["distance"]
    assert signal.outcome == Outcome.BREACHED
    assert signal.value == pytest.approx(0.4)


@pytest.mark.parametrize(("missing", "outcome"), [(14, "ok"), (16, "breached")])
def test_missing_values_beyond_what_the_schema_allows(look_at, missing, outcome):
    values = [None] * missing + [float(n) for n in range(ROWS - missing)]
    signal = look_at(distance=values)["distance"]
    assert signal.outcome == outcome
    # The sentence stands alone in incidents and messages.
    assert outcome == "ok" or "of the values of distance are missing" in signal.meaning


def test_a_column_that_is_gone_is_missing(look_at):
    assert look_at(carrier=None)["carrier"].outcome == Outcome.BREACHED
