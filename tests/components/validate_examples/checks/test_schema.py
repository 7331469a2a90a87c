"""What TFDV reports is a finding of the rows it was found in, and a severity of an unknown column is a mistake."""

from types import SimpleNamespace

import pandas as pd
import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2

from retrainer.components.validate_examples.checks.schema import check
from retrainer.components.validate_examples.settings import parse_settings

ROWS = pd.DataFrame({"price": [1.0, 2.0], "y": [0, 1]})
SCHEMA = text_format.Parse(
    "feature { name: 'y' } feature { name: 'only_in_schema' }", schema_pb2.Schema()
)


@pytest.fixture
def found(analysis):
    """A function that gives the findings of a column's anomaly in all data."""

    def go(spans, anomaly="FLOAT_TYPE_HAS_NAN", rows_too=False, compared=(), **settings):
        made = analysis(spans)
        one = anomalies_pb2.Anomalies()
        one.anomaly_info["price"].reason.add(type=anomalies_pb2.AnomalyInfo.Type.Value(anomaly))
        if rows_too:
            one.dataset_anomaly_info.reason.add(
                type=anomalies_pb2.AnomalyInfo.DATASET_LOW_NUM_EXAMPLES
            )
        anomalies = {subject.folder: one for subject in made.window.subjects}
        all_of_it = SimpleNamespace(
            window=made.window, anomalies=anomalies, schema=SCHEMA, read_schema=SCHEMA,
            compared=frozenset(compared),
        )  # fmt: skip
        return check(all_of_it, parse_settings(**settings))

    return go


def kinds(findings):
    return [(one.kind.name, one.where) for one in findings]


def test_anomalies_are_findings_of_each_split(found):
    findings = found({"1": ROWS, "2": ROWS}, rows_too=True)
    assert kinds(findings) == [
        ("few_rows", "training (1)"), ("not_a_number", "training (1)"),
        ("few_rows", "evaluation (2)"), ("not_a_number", "evaluation (2)"),
    ]  # fmt: skip
    assert [one.in_training for one in findings] == [True, True, False, False]


def test_a_split_without_rows_has_no_anomalies_of_its_own(found):
    assert kinds(found({"1": ROWS.iloc[:0], "2": ROWS})) == [("not_a_number", "evaluation (2)")]


def test_a_comparator_without_effect_is_one_that_somebody_set(found):
    missing = "COMPARATOR_CONTROL_DATA_MISSING"
    assert found({"1": ROWS, "2": ROWS}, missing) == []
    assert len(found({"1": ROWS, "2": ROWS}, missing, compared=["price"])) == 2


def test_a_domain_of_the_settings_has_its_fix_there(found):
    findings = found({"1": ROWS, "2": ROWS}, "FLOAT_TYPE_BIG_FLOAT", domains={"price": {"max": 1}})
    assert {one.remedy for one in findings} == {
        "correct the source, or change validation.domains.price"
    }


def test_a_severity_is_of_a_column_of_the_schema_or_of_the_data(found):
    columns = dict.fromkeys(["price", "only_in_schema", "prize", "zzz"], "ignore")
    unknown = [
        one
        for one in found({"1": ROWS, "2": ROWS}, severity={"columns": columns})
        if one.kind.name == "unknown_column"
    ]
    assert [(one.where, one.seen, one.expected) for one in unknown] == [
        (
            "validation.severity.columns", "'prize'",
            "a column of the schema or of the data, such as 'price'",
        ),
        ("validation.severity.columns", "'zzz'", "a column of the schema or of the data"),
    ]  # fmt: skip
