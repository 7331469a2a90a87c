"""A schema is changed in what a finding is about, and in nothing else."""

import pandas as pd
import pytest
import tensorflow_data_validation as tfdv
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from retrainer.components.lib.statistics.dataset import Dataset
from retrainer.components.lib.statistics.statistics_artifact import StatisticsIndex
from retrainer.components.validate_examples.finding_kinds import (
    DISTINCT_VALUES,
    MISSING_COLUMN,
    MISSING_VALUES,
    NEW_COLUMN,
    OUT_OF_DOMAIN,
    UNEXPECTED_VALUES,
    WRONG_SHAPE,
    WRONG_TYPE,
)
from retrainer.components.validate_examples.findings import Finding
from retrainer.components.validate_examples.schema_editor import SchemaEditor, Source, with_rows
from retrainer.components.validate_examples.settings import parse_settings
from retrainer.components.validate_examples.window import Window

ROWS = 100
OWN = """
    drift_comparator { infinity_norm { threshold: 0.4 } } skew_comparator { infinity_norm { threshold: 0.3 } }
    in_environment: "TRAINING"
"""
SCHEMA = f"""
    feature {{ name: "kind" type: BYTES domain: "kinds" distribution_constraints {{ min_domain_mass: 0.9 }} {OWN} }}
    feature {{ name: "other" type: BYTES domain: "kinds" }}
    feature {{ name: "whole" type: INT int_domain {{ min: 0 }} annotation {{ tag: "inferred_domain" }}
               presence {{ min_fraction: 1 min_count: 1 }} {OWN} }}
    feature {{ name: "real" type: FLOAT float_domain {{ min: 0 }} presence {{ min_fraction: 1 }} {OWN} }}
    feature {{ name: "y" type: INT }}
    string_domain {{ name: "kinds" value: "a" value: "b" }}
"""


def rows(**changes):
    columns = {
        "kind": ["a", "b"] * 50, "other": ["a", "b"] * 50, "whole": list(range(ROWS)),
        "real": [i + 0.5 for i in range(ROWS)], "y": [0, 1] * 50,
    }  # fmt: skip
    frame = pd.DataFrame({**columns, **changes})
    return Dataset(tfdv.generate_statistics_from_dataframe(frame))


@pytest.fixture
def accepted():
    """A function that accepts a finding in the newest rows: the features and domains that changed, as text."""

    def go(column, about, schema=SCHEMA, train=None, **changes):
        newest, train = rows(**changes), train or rows()
        index = StatisticsIndex("y", (), ("1", "2"), {"train": ("1",), "eval": ("2",)})
        splits = {"train": train, "eval": newest}
        window = Window(index, splits, {"1": train, "2": newest}, {"2": train})
        edited = text_format.Parse(schema, schema_pb2.Schema())
        before = text_format.Parse(schema, schema_pb2.Schema())
        source = Source(window.subjects[1], window, parse_settings())
        SchemaEditor(edited, source).accept(Finding(about, column, "evaluation (2)", "", ""))
        known = {feature.name: feature for feature in before.feature}
        changed = [one for one in edited.feature if known.get(one.name) != one]
        domains = {one.name: list(one.value) for one in edited.string_domain}
        assert [one.name for one in changed] in ([column], [])
        return (changed[0] if changed else None), domains

    return go


KINDS = {"kinds": ["a", "b"]}


def test_a_column_that_is_gone_is_deprecated(accepted):
    feature, domains = accepted("whole", MISSING_COLUMN)
    assert feature.lifecycle_stage == schema_pb2.DEPRECATED
    assert (feature.presence.min_fraction, feature.int_domain.min, domains) == (1, 0, KINDS)


def test_missing_values_are_allowed_in_a_tenth_more(accepted):
    gaps = pd.array([None] * 20 + [1] * 80, "Int64")
    feature, _ = accepted("whole", MISSING_VALUES, whole=gaps)
    assert (feature.presence.min_fraction, feature.presence.min_count) == (0.72, 1)
    assert (feature.type, feature.int_domain.HasField("min")) == (schema_pb2.INT, True)


def test_values_are_added_to_the_domain_of_all_columns_that_share_it(accepted):
    feature, domains = accepted("kind", UNEXPECTED_VALUES, kind=["a", "c"] * 50)
    assert feature is None
    assert {name: sorted(values) for name, values in domains.items()} == {"kinds": ["a", "b", "c"]}


def test_a_range_is_widened(accepted):
    feature, domains = accepted("real", OUT_OF_DOMAIN, real=[-1.5] * ROWS)
    assert (feature.float_domain.min, feature.presence.min_fraction, domains) == (-1.5, 1, KINDS)
    whole, _ = accepted("whole", OUT_OF_DOMAIN, whole=[-2] * ROWS)
    assert whole.int_domain.min == -2
    assert whole.drift_comparator.infinity_norm.threshold == 0.4


def test_fractions_make_a_number_that_is_compared_as_before(accepted):
    feature, domains = accepted("whole", WRONG_TYPE, whole=[0.5] * ROWS)
    assert (feature.type, feature.WhichOneof("domain_info")) == (schema_pb2.FLOAT, "float_domain")
    assert feature.drift_comparator.infinity_norm.threshold == 0.4
    assert feature.skew_comparator.infinity_norm.threshold == 0.3
    assert list(feature.annotation.tag) == ["inferred_domain"]
    assert domains == KINDS


def test_text_in_place_of_numbers_is_no_longer_compared_as_numbers(accepted):
    feature, domains = accepted("whole", WRONG_TYPE, whole=["x", "z"] * 50)
    assert (feature.type, feature.domain) == (schema_pb2.BYTES, "whole")
    assert domains == {**KINDS, "whole": ["x", "z"]}
    assert not feature.HasField("drift_comparator")
    assert not feature.HasField("skew_comparator")
    assert not feature.annotation.tag
    assert list(feature.in_environment) == ["TRAINING"]
    free, domains = accepted("whole", WRONG_TYPE, whole=[f"x{i}" for i in range(ROWS)])
    assert (free.WhichOneof("domain_info"), domains) == (None, KINDS)


def test_numbers_in_place_of_text_leave_its_domain_to_the_other_columns(accepted):
    feature, domains = accepted("kind", WRONG_TYPE, kind=[0.5, -1.0] * 50)
    assert (feature.type, feature.WhichOneof("domain_info")) == (schema_pb2.FLOAT, None)
    assert not feature.HasField("distribution_constraints")
    assert not feature.HasField("drift_comparator")
    assert domains == KINDS
    alone = SCHEMA.replace('"other" type: BYTES domain: "kinds"', '"other" type: BYTES')
    feature, domains = accepted("kind", WRONG_TYPE, alone, kind=[0.5, -1.0] * 50)
    assert domains == {}


def test_a_new_column_has_what_its_rows_imply(accepted):
    train = rows(new=["p", "q"] * 50)
    feature, domains = accepted("new", NEW_COLUMN, train=train, new=["p", "q"] * 50)
    assert (feature.type, feature.domain) == (schema_pb2.BYTES, "new")
    assert feature.presence.min_fraction == 0.9
    assert domains == {**KINDS, "new": ["p", "q"]}
    number, domains = accepted("new", NEW_COLUMN, train=rows(new=[1.5] * ROWS), new=[2.5] * ROWS)
    assert (number.type, domains) == (schema_pb2.FLOAT, KINDS)


@pytest.mark.parametrize(
    ("older", "fraction"),
    [
        ({}, None),
        ({"new": [None] * ROWS}, None),
        ({"new": [None] * 50 + [1.5] * 50}, 0.45),
        ({"new": [None] * 5 + [1.5] * 95}, 0.9),
        ({"new": [None] * 10 + [1.5] * 90}, 0.9),
        ({"new": [None] * 11 + [1.5] * 89}, 0.801),
    ],
)
def test_a_new_column_may_be_missing_where_the_rest_of_the_window_lacks_it(
    accepted, older, fraction
):
    feature, _ = accepted("new", NEW_COLUMN, train=rows(**older), new=[1.5] * ROWS)
    assert feature.HasField("presence") is (fraction is not None)
    if fraction is not None:
        assert feature.presence.min_fraction == fraction


def test_a_shape_or_a_number_of_distinct_values_is_replaced_and_the_rest_stays(accepted):
    shaped = SCHEMA.replace('name: "real"', 'name: "real" shape { dim { size: 2 } }')
    feature, _ = accepted("real", WRONG_SHAPE, shaped)
    assert not feature.HasField("shape") or feature.shape.dim[0].size == 1
    assert (feature.float_domain.min, feature.presence.min_fraction) == (0, 1)
    assert feature.drift_comparator.infinity_norm.threshold == 0.4
    unique = SCHEMA.replace('name: "other"', 'name: "other" unique_constraints { min: 3 max: 4 }')
    feature, domains = accepted("other", DISTINCT_VALUES, unique)
    assert (feature.unique_constraints.min, feature.unique_constraints.max) != (3, 4)
    assert (feature.domain, domains) == ("kinds", KINDS)


def test_datasets_without_rows_are_left_out():
    index = StatisticsIndex("y", (), ("1", "2"), {"train": ("1",), "eval": ("2",)})
    some, none = rows(), Dataset(tfdv.generate_statistics_from_dataframe(pd.DataFrame({"y": []})))
    window = Window(index, {"train": none, "eval": some}, {"1": none, "2": some}, {"2": none})
    assert [one.folder for one in with_rows(window)] == ["Split-eval"]


def test_a_column_that_was_just_added_can_be_changed_as_well():
    index = StatisticsIndex("y", (), ("1", "2"), {"train": ("1",), "eval": ("2",)})
    old, new = rows(), rows(new=[1.5] * ROWS)
    window = Window(index, {"train": old, "eval": new}, {"1": old, "2": new}, {"2": old})
    schema = text_format.Parse(SCHEMA, schema_pb2.Schema())
    editor = SchemaEditor(schema, Source(window.subjects[1], window, parse_settings()))
    for kind in (NEW_COLUMN, MISSING_COLUMN):
        editor.accept(Finding(kind, "new", "evaluation (2)", "", ""))
    added = schema.feature[-1]
    assert (added.name, added.lifecycle_stage) == ("new", schema_pb2.DEPRECATED)
