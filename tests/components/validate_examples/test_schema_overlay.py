"""Thresholds of three sources: the settings for a column, the schema's own, and the usual ones."""

import pandas as pd
import pytest
import tensorflow_data_validation as tfdv
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.statistics.dataset import Dataset
from retrainer.components.validate_examples.schema_overlay import overlay as with_domains
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


DOMAINS = """
    feature { name: "whole" type: INT int_domain { min: 0 max: 9 } annotation { tag: "inferred_domain" } }
    feature { name: "flag" type: INT bool_domain {} }
    feature { name: "real" type: FLOAT float_domain { min: 0 max: 9 } }
    feature { name: "kind" type: BYTES domain: "kinds" }
    feature { name: "own" type: BYTES string_domain { value: "a" } distribution_constraints { min_domain_mass: 0.5 } }
    feature { name: "free" type: BYTES }
    feature { name: "digits" type: INT string_domain { value: "1" } }
    string_domain { name: "kinds" value: "a" value: "b" }
"""


@pytest.fixture
def laid():
    """A function that lays settings' domains over a schema, and gives its features as text without the label's."""

    def go(**domains):
        before = text_format.Parse(DOMAINS, schema_pb2.Schema())
        settings = parse_settings(domains=domains, min_domain_mass=0.9)
        after = with_domains(before, settings.domains, settings.min_domain_mass)
        assert before == text_format.Parse(DOMAINS, schema_pb2.Schema())
        return {feature.name: feature for feature in after.feature}

    return go


def test_a_text_with_a_domain_may_have_few_other_values(laid):
    masses = {
        name: one.distribution_constraints.min_domain_mass
        for name, one in laid(kind={"min_domain_mass": 0}).items()
        if one.HasField("distribution_constraints")
    }
    assert masses == {"kind": 0, "own": 0.5}
    assert laid()["kind"].distribution_constraints.min_domain_mass == 0.9
    free = laid(free={"values": ["x"], "min_domain_mass": 1})["free"]
    assert free.distribution_constraints.min_domain_mass == 1


def test_values_of_the_settings_replace_those_of_the_schema(laid):
    features = laid(kind={"values": ["x"]}, own={"values": ["y", "z"]}, free={"values": ["x"]})
    for name, values in (("kind", ["x"]), ("own", ["y", "z"]), ("free", ["x"])):
        assert features[name].WhichOneof("domain_info") == "string_domain"
        assert (features[name].string_domain.name, list(features[name].string_domain.value)) == (
            name,
            values,
        )


@pytest.mark.parametrize(
    ("column", "domain", "field", "bounds"),
    [
        ("whole", {"min": 0.5}, "int_domain", (1, None)),
        ("whole", {"max": 8.5}, "int_domain", (None, 8)),
        ("whole", {"min": 0, "max": 0}, "int_domain", (0, 0)),
        ("flag", {"max": 3}, "int_domain", (None, 3)),
        ("real", {"min": 0.5}, "float_domain", (0.5, None)),
        ("real", {"max": 8.5}, "float_domain", (None, 8.5)),
        ("real", {"min": 0, "max": 1}, "float_domain", (0, 1)),
    ],
)
def test_a_bound_of_the_settings_replaces_the_whole_range(laid, column, domain, field, bounds):
    feature = laid(**{column: domain})[column]
    assert feature.WhichOneof("domain_info") == field
    range_ = getattr(feature, field)
    found = [getattr(range_, name) if range_.HasField(name) else None for name in ("min", "max")]
    assert tuple(found) == bounds
    assert not feature.HasField("annotation")


@pytest.mark.parametrize(
    ("column", "domain", "says"),
    [
        ("kind", {"min": 0}, "has min or max, but the column is text"),
        ("kind", {"max": 0}, "has min or max, but the column is text"),
        ("whole", {"values": ["a"]}, "has values, but the column is a number"),
        ("free", {"min_domain_mass": 0.5}, "the schema lists no values of the column"),
        ("whole", {"min_domain_mass": 0.5}, "the schema lists no values of the column"),
        ("kinds", {"min": 0}, "names 'kinds', which the schema does not have. Did you mean 'kind'"),
    ],
)
def test_a_domain_that_does_not_fit_its_column_is_named(laid, column, domain, says):
    with pytest.raises(RetrainerError, match=rf"validation\.domains.*{says}"):
        laid(**{column: domain})


def test_a_share_of_rows_is_of_the_values_that_the_schema_lists(laid):
    features = laid(kind={"min_domain_mass": 0.25}, own={"min_domain_mass": 0.25})
    assert features["kind"].distribution_constraints.min_domain_mass == 0.25
    assert features["own"].distribution_constraints.min_domain_mass == 0.5
