"""Thresholds of three sources: the settings for a column, the schema's own, and the usual ones."""

import pandas as pd
import pytest
import tensorflow_data_validation as tfdv
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.statistics.dataset import Dataset
from retrainer.components.validate_examples.schema_overlay import set_comparators
from retrainer.components.validate_examples.settings import parse_settings

JS, LI = "jensen_shannon_divergence", "infinity_norm"


@pytest.fixture(scope="module")
def rows():
    frame = pd.DataFrame({"n": [1.0, 2.0], "t": ["a", "b"], "own": ["a", "b"]})
    return Dataset(tfdv.generate_statistics_from_dataframe(frame))


def schema():
    own = "drift_comparator { infinity_norm { threshold: 0.7 } }"
    return text_format.Parse(
        f"""
        feature {{ name: "n" type: FLOAT }}
        feature {{ name: "t" type: BYTES }}
        feature {{ name: "own" type: BYTES {own} }}
        feature {{ name: "gone" type: BYTES {own} }}
        """,
        schema_pb2.Schema(),
    )


def thresholds(written):
    return {
        one.name: {
            measure: getattr(one.drift_comparator, measure).threshold
            for measure in (JS, LI)
            if one.drift_comparator.HasField(measure)
        }
        for one in written.feature
    }


@pytest.fixture
def overlay(rows):
    """A function that writes settings' thresholds into the schema: what was set, and what is in the schema then."""

    def go(skipped=(), **drift):
        written = schema()
        settings = parse_settings(drift=drift)
        chosen = set_comparators(written, rows, settings.drift, "drift_comparator", skipped)
        return chosen, thresholds(written)

    return go


def test_the_schemas_own_threshold_stays_and_others_have_the_usual_one(overlay):
    assert overlay() == (
        {"n": False, "t": False, "own": True},
        {"n": {JS: 0.3}, "t": {LI: 0.1}, "own": {LI: 0.7}, "gone": {}},
    )


def test_a_columns_threshold_in_the_settings_counts_over_the_schemas_and_the_usual_one(overlay):
    columns = {"own": {LI: 0.2}, "t": {JS: 0.4}, "n": {JS: 0.5}}
    assert overlay(columns=columns, **{LI: 0.6}) == (
        {"n": True, "t": True, "own": True},
        {"n": {JS: 0.5}, "t": {JS: 0.4}, "own": {LI: 0.2}, "gone": {}},
    )


def test_a_usual_threshold_that_is_set_is_chosen_for_the_columns_that_it_is_about(overlay):
    chosen, written = overlay(**{LI: 0.6})
    assert chosen == {"n": False, "t": True, "own": True}
    assert (written["n"], written["t"], written["own"]) == ({JS: 0.3}, {LI: 0.6}, {LI: 0.7})


def test_a_skipped_column_is_compared_only_where_somebody_asks_for_it(overlay):
    chosen, written = overlay(["t", "own"])
    assert chosen == {"n": False, "own": True}
    assert (written["t"], written["own"]) == ({}, {LI: 0.7})
    assert overlay(["t"], columns={"t": {LI: 0.2}})[0]["t"]
    assert overlay(columns={"t": {}, "own": {}}) == (
        {"n": False}, {"n": {JS: 0.3}, "t": {}, "own": {}, "gone": {}},
    )  # fmt: skip


def test_a_number_is_not_measured_by_what_reads_0(overlay):
    with pytest.raises(RetrainerError, match=r"validation\.drift\.columns\.n has infinity_norm"):
        overlay(columns={"n": {JS: 0.5, LI: 0.5}})
    with pytest.raises(RetrainerError, match="nowhere"):
        overlay(columns={"nowhere": {LI: 0.5}})
