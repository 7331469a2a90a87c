"""A schema's limits on row counts: of each split, and of the newest span against the span before it."""

import pandas as pd
import pytest
import tensorflow_data_validation as tfdv
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2

from retrainer.components.lib.statistics.dataset import Dataset
from retrainer.components.lib.statistics.statistics_artifact import StatisticsIndex
from retrainer.components.validate_examples.dataset_constraints import (
    dataset_anomalies,
    dataset_findings,
)
from retrainer.components.validate_examples.window import Window


def rows(count):
    return Dataset(tfdv.generate_statistics_from_dataframe(pd.DataFrame({"y": [0, 1] * count})[:count]))  # fmt: skip


@pytest.fixture
def found():
    """A function that checks spans of so many rows, the last one for evaluation, against constraints."""

    def go(constraints, *counts):
        spans = {str(i): rows(count) for i, count in enumerate(counts, 1)}
        train, newest = tuple(spans)[:-1], tuple(spans)[-1:]
        index = StatisticsIndex("y", (), tuple(spans), {"train": train, "eval": newest})
        splits = {"train": rows(sum(counts[:-1])), "eval": spans[newest[0]]}
        window = Window(index, splits, spans, {})
        text = f"dataset_constraints {{ {constraints} }}" if constraints else ""
        schema = text_format.Parse(text, schema_pb2.Schema())
        findings = []
        for subject in window.subjects:
            info = dataset_anomalies(window, subject, schema)
            findings += dataset_findings(info, subject, schema)
        return [(one.kind.name, one.where, one.seen, one.expected) for one in findings]

    return go


TRAIN, NEWEST = "training (1, 2)", "evaluation (3)"


@pytest.mark.parametrize(
    ("constraints", "expected"),
    [
        ("", []),
        ("min_examples_count: 30", []),
        ("min_examples_count: 31", [("few_rows", NEWEST, "30 rows", "at least 31 rows")]),
        ("max_examples_count: 50", []),
        ("max_examples_count: 49", [("many_rows", TRAIN, "50 rows", "at most 49 rows")]),
        # Of the span before alone, which has 40 rows.
        ("num_examples_drift_comparator { min_fraction_threshold: 0.75 }", []),
        (
            "num_examples_drift_comparator { min_fraction_threshold: 0.76 }",
            [("few_rows", NEWEST, "30 rows", "at least 0.76 times as many as the span before")],
        ),
        ("num_examples_drift_comparator { max_fraction_threshold: 0.75 }", []),
        (
            "num_examples_drift_comparator { max_fraction_threshold: 0.74 }",
            [("many_rows", NEWEST, "30 rows", "at most 0.74 times as many as the span before")],
        ),
    ],
)
def test_limits_of_a_schema_on_rows(found, constraints, expected):
    assert found(constraints, 10, 40, 30) == expected


def test_a_first_span_has_no_span_before(found):
    constraints = "num_examples_drift_comparator { min_fraction_threshold: 0.9 }"
    assert [kind for kind, *_ in found(constraints, 30)] == []


def test_a_limit_is_an_error_with_its_field(found):
    schema = text_format.Parse(
        "dataset_constraints { min_examples_count: 31 }", schema_pb2.Schema()
    )
    info = anomalies_pb2.AnomalyInfo()
    info.reason.add(type=anomalies_pb2.AnomalyInfo.DATASET_LOW_NUM_EXAMPLES)
    info.reason.add(type=anomalies_pb2.AnomalyInfo.UNKNOWN_TYPE, description="something else")
    index = StatisticsIndex("y", (), ("1", "2"), {"train": ("1",), "eval": ("2",)})
    split = {"train": rows(2), "eval": rows(2)}
    training, evaluation = Window(index, split, {"1": rows(2), "2": rows(2)}, {}).subjects
    few, other = dataset_findings(info, training, schema)
    assert (few.severity, few.in_training, other.in_training) == ("error", True, True)
    assert "dataset_constraints.min_examples_count" in few.remedy
    assert (other.kind.name, other.seen) == ("other", "something else")
    assert not any(one.in_training for one in dataset_findings(info, evaluation, schema))
