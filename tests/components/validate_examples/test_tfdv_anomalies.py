"""TFDV's anomalies in words: what was found and expected, and how severe it is."""

import re

import pandas as pd
import pytest
import tensorflow_data_validation as tfdv
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2

from retrainer.components.lib.statistics.dataset import Dataset
from retrainer.components.validate_examples.tfdv_anomalies import anomaly_findings
from retrainer.components.validate_examples.window import Subject

ROWS = 100


@pytest.fixture(scope="module")
def rows():
    frame = pd.DataFrame(
        {
            "float": [i - 0.5 for i in range(75)] + [None] * 25,
            "int": list(range(ROWS)),
            "low": [-5] * 30 + list(range(1, 71)),
            "negative": [-5] * 30 + [-4] * 70,
            "text": ["a"] * 60 + ["b"] * 20 + list("v" * 6 + "w" * 5 + "x" * 4 + "y" * 3 + "z" * 2),
            "long": ["x" * 24] * 60 + ["y" * 25] * 40,
            "many": ["a"] * 70 + list("v" * 9 + "w" * 7 + "x" * 5 + "y" * 4 + "z" * 3 + "!!"),
            "empty": [None] * ROWS,
        }
    )
    return Dataset(tfdv.generate_statistics_from_dataframe(frame))


@pytest.fixture
def findings(rows):
    """A function that gives the findings of anomalies, each a column and TFDV's name, with a schema in text."""

    def go(*anomalies, schema="", training=False, **more):
        protos = anomalies_pb2.Anomalies()
        for column, name in anomalies:
            kind = anomalies_pb2.AnomalyInfo.Type.Value(name)
            reason = protos.anomaly_info[column].reason.add(type=kind)
            reason.description = "TFDV says so. "
        parsed = text_format.Parse(schema, schema_pb2.Schema())
        subject = Subject("Split-eval", rows, "evaluation (3)", training)
        return anomaly_findings(protos, parsed, subject, **{"from_settings": (), **more})

    return go


@pytest.fixture
def one(findings):
    """A function that gives the only finding: its kind, what was seen and expected, and its severity."""

    def go(column, anomaly, feature="", domains=""):
        schema = f"feature {{ name: '{column}' {feature} }} {domains}" if feature else domains
        (found,) = findings((column, anomaly), schema=schema)
        assert (found.column, found.where, found.anomaly) == (column, "evaluation (3)", anomaly)
        # By its quantiles, a share is known to a few percent.
        seen = re.sub(
            r"about ([\d.]+)", lambda m: f"about {round(float(m[1]), -1):.0f}", found.seen
        )
        return found.kind.name, seen, found.expected, found.severity

    return go


EVERY, MOST = "presence { min_fraction: 1 }", "presence { min_fraction: 0.9 }"


@pytest.mark.parametrize(
    ("column", "anomaly", "feature", "kind", "seen", "expected", "severity"),
    [
        ("gone", "SCHEMA_MISSING_COLUMN", f"type: INT {EVERY}", "missing_column",
         "no such column", "type INT, a value in every row", ""),
        ("empty", "FEATURE_TYPE_NOT_PRESENT", f"type: BYTES {MOST}", "missing_column",
         "no value in any row", "type BYTES", ""),
        ("text", "SCHEMA_NEW_COLUMN", "", "new_column",
         "a column of type BYTES", "no column beyond the schema", ""),
        ("text", "UNEXPECTED_DATA_TYPE", f"type: FLOAT {MOST}", "wrong_type",
         "type BYTES", "type FLOAT", ""),
        ("float", "UNEXPECTED_DATA_TYPE", f"type: INT {EVERY}", "wrong_type",
         "type FLOAT", "type INT, a value in every row", ""),
        # The model takes an integer that may be missing as a float.
        ("float", "UNEXPECTED_DATA_TYPE", f"type: INT {MOST}", "wrong_type",
         "type FLOAT", "type INT", "warning"),
        ("int", "UNEXPECTED_DATA_TYPE", f"type: FLOAT {EVERY}", "wrong_type",
         "type INT", "type FLOAT, a value in every row", "warning"),
        ("int", "UNEXPECTED_DATA_TYPE", f"type: BYTES {MOST}", "wrong_type",
         "type INT", "type BYTES", ""),
        ("text", "FLOAT_TYPE_STRING_NOT_FLOAT", "type: BYTES", "wrong_type",
         "TFDV says so", "values of its domain", ""),
        ("float", "FEATURE_TYPE_LOW_NUMBER_PRESENT", "presence { min_count: 1000 }",
         "missing_values", "75 rows with a value", "at least 1,000", ""),
        ("float", "FEATURE_TYPE_LOW_FRACTION_PRESENT", EVERY, "missing_values",
         "25 % of the rows without a value", "a value in every row", ""),
        ("float", "FEATURE_TYPE_LOW_FRACTION_PRESENT", MOST, "missing_values",
         "25 % of the rows without a value", "at most 10 %", ""),
        ("float", "INVALID_FEATURE_SHAPE", "shape { dim { size: 2 } }", "wrong_shape",
         "TFDV says so", "shape 2", ""),
        ("float", "FEATURE_TYPE_LOW_NUMBER_VALUES", "value_count { min: 2 max: 3 }", "wrong_shape",
         "TFDV says so", "from 2 to 3 values in a cell", ""),
        ("float", "VALUE_NESTEDNESS_MISMATCH", "type: FLOAT", "wrong_shape",
         "TFDV says so", "what the schema requires", ""),
        ("text", "FEATURE_TYPE_HIGH_UNIQUE", "unique_constraints { min: 2 max: 3 }",
         "distinct_values", "TFDV says so", "from 2 to 3 distinct values", ""),
        ("int", "DOMAIN_INVALID_FOR_TYPE", "type: INT", "invalid_schema",
         "TFDV says so", "a consistent schema", ""),
        ("float", "FLOAT_TYPE_HAS_NAN", "type: FLOAT", "not_a_number",
         "NaN in some cells", "numbers, or empty cells", ""),
        ("float", "FLOAT_TYPE_HAS_INF", "type: FLOAT", "infinite",
         "infinity in some cells", "finite numbers", ""),
        ("int", "INT_TYPE_BIG_INT", "int_domain { max: 49 }", "out_of_domain",
         "a maximum of 99 (about 50 % of the rows are above the domain)", "at most 49", ""),
        ("low", "INT_TYPE_SMALL_INT", "int_domain { min: 0 } annotation { tag: 'inferred_domain' }",
         "out_of_domain", "a minimum of -5 (about 30 % of the rows are below the domain)",
         "at least 0", "warning"),
        ("float", "FLOAT_TYPE_BIG_FLOAT", "float_domain { max: 36.5 }", "out_of_domain",
         "a maximum of 73.5 (about 50 % of the rows are above the domain)", "at most 36.5", ""),
        # Of all rows, a share says nothing.
        ("negative", "INT_TYPE_SMALL_INT", "int_domain { min: 0 }", "out_of_domain",
         "a minimum of -5", "at least 0", ""),
        ("int", "BOOL_TYPE_BIG_INT", "bool_domain { }", "out_of_domain",
         "a maximum of 99 (about 100 % of the rows are above the domain)", "at most 1", ""),
        ("int", "BOOL_TYPE_UNEXPECTED_FLOAT", "bool_domain { }", "out_of_domain",
         "TFDV says so. ", "what the schema requires", ""),
        ("text", "UNKNOWN_TYPE", "type: BYTES", "other",
         "TFDV says so. ", "what the schema requires", ""),
    ],
)  # fmt: skip
def test_an_anomaly_in_words(one, column, anomaly, feature, kind, seen, expected, severity):
    assert one(column, anomaly, feature) == (kind, seen, expected, severity)


MASS = "distribution_constraints { min_domain_mass: %s }"


@pytest.mark.parametrize(
    ("column", "feature", "seen", "expected"),
    [
        (
            "text",
            "string_domain { value: ['a', 'b'] }" + MASS % 1,
            "'v' in 6 %, 'w' in 5 %, 'x' in 4 %, 'y' in 3 %, 'z' in 2 % of the rows",
            "one of a, b in every row",
        ),
        (
            "many",
            "domain: 'kinds'" + MASS % 0.95,
            "'v' in 9 %, 'w' in 7 %, 'x' in 5 %, 'y' in 4 %, 'z' in 3 % of the rows, and 1 more value",
            "one of a, b, c, d, e, f, g, h in at least 95 % of the rows",
        ),
        (
            "many",
            "domain: 'more'" + MASS % 0.95,
            "'v' in 9 %, 'w' in 7 %, 'x' in 5 %, 'y' in 4 %, 'z' in 3 % of the rows, and 1 more value",
            "one of 9 known values in at least 95 % of the rows",
        ),
        (
            "long",
            "string_domain { value: ['a'] }" + MASS % 1,
            f"'{'x' * 24}' in 60 %, '{'y' * 23}…' in 40 % of the rows",
            "one of a in every row",
        ),
        # What the statistics do not name, TFDV does.
        ("text", "type: BYTES", "TFDV says so. ", "what the schema requires"),
        (
            "long",
            f"string_domain {{ value: ['{'x' * 24}', '{'y' * 25}'] }}",
            "TFDV says so. ",
            "what the schema requires",
        ),
    ],
)
def test_unexpected_values_are_named_with_their_shares(one, column, feature, seen, expected):
    domains = "".join(
        f"string_domain {{ name: '{name}' value: {list(values)} }}"
        for name, values in (("kinds", "abcdefgh"), ("more", "abcdefghi"))
    )
    found = one(column, "ENUM_TYPE_UNEXPECTED_STRING_VALUES", feature, domains)
    assert found == ("unexpected_values", seen, expected, "")


@pytest.mark.parametrize(
    "anomaly",
    [
        "SCHEMA_MISSING_COLUMN",
        "UNEXPECTED_DATA_TYPE",
        "FEATURE_TYPE_LOW_NUMBER_PRESENT",
        "FEATURE_TYPE_LOW_FRACTION_PRESENT",
        "ENUM_TYPE_UNEXPECTED_STRING_VALUES",
        "INVALID_FEATURE_SHAPE",
        "FEATURE_TYPE_HIGH_UNIQUE",
        "INT_TYPE_SMALL_INT",
    ],
)
def test_of_a_column_that_the_schema_lacks_tfdvs_words_are_shown(one, anomaly):
    assert one("int", anomaly)[1:3] == ("TFDV says so. ", "what the schema requires")


@pytest.mark.parametrize(
    "anomaly",
    [
        "UNEXPECTED_DATA_TYPE",
        "FEATURE_TYPE_LOW_NUMBER_PRESENT",
        "FEATURE_TYPE_LOW_FRACTION_PRESENT",
        "ENUM_TYPE_UNEXPECTED_STRING_VALUES",
        "INT_TYPE_SMALL_INT",
    ],
)
def test_of_a_column_that_the_data_lacks_tfdvs_words_are_shown(one, anomaly):
    found = one("gone", anomaly, "type: INT")
    assert found[1:3] == ("TFDV says so. ", "what the schema requires")


def test_a_new_column_without_values_is_no_finding(findings):
    new = [(column, "SCHEMA_NEW_COLUMN") for column in ("empty", "gone", "float")]
    assert [one.column for one in findings(*new)] == ["float"]


def test_a_comparator_without_data_is_reported_where_somebody_set_it(findings):
    found = ("float", "COMPARATOR_CONTROL_DATA_MISSING"), ("int", "COMPARATOR_TREATMENT_DATA_MISSING")  # fmt: skip
    assert findings(*found) == []
    (one,) = findings(*found, compared=("int",))
    assert (one.column, one.kind.name, one.seen) == ("int", "not_compared", "TFDV says so")
    assert one.expected == "the column on both sides of the comparison"


def test_drift_is_read_from_the_measurements(findings):
    measured = [
        ("int", f"COMPARATOR_{name}_HIGH")
        for name in ("L_INFTY", "JENSEN_SHANNON_DIVERGENCE", "NORMALIZED_ABSOLUTE_DIFFERENCE")
    ]
    assert findings(*measured) == []


def test_findings_come_in_the_order_of_the_schema_then_of_the_data(findings):
    nan = "FLOAT_TYPE_HAS_NAN"
    found = findings(
        *((column, nan) for column in ("nowhere", "low", "float", "text", "int")),
        schema="feature { name: 'text' } feature { name: 'float' }",
        training=True,
    )
    assert [one.column for one in found] == ["text", "float", "int", "low", "nowhere"]
    assert all(one.in_training for one in found)


def test_a_domain_of_the_settings_is_changed_there(findings):
    anomalies = [
        ("int", "INT_TYPE_BIG_INT"),
        ("int", "UNEXPECTED_DATA_TYPE"),
        ("low", "INT_TYPE_SMALL_INT"),
        ("text", "ENUM_TYPE_UNEXPECTED_STRING_VALUES"),
    ]
    found = findings(*anomalies, from_settings=("int", "text"))
    fixes = {(one.column, one.kind.name): one.remedy for one in found}
    assert fixes == {
        ("int", "out_of_domain"): "correct the source, or change validation.domains.int",
        ("int", "wrong_type"): "",
        ("low", "out_of_domain"): "",
        ("text", "unexpected_values"): "correct the source, or change validation.domains.text",
    }
    assert not any(one.in_training for one in found)
