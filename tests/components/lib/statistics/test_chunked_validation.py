"""Validation in chunks of columns says what TFDV says of all columns at once."""

import numpy as np
import pandas as pd
import pytest
import tensorflow_data_validation as tfdv
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from retrainer.components.lib.statistics import chunked_validation
from retrainer.components.lib.statistics.chunked_validation import validate_columns


def statistics(seed: int, rows: int = 60):
    """Numbers and texts, some missing, some columns only now and then there."""
    random = np.random.default_rng(seed)
    columns = {}
    for i in range(14):
        values = random.normal(size=rows) if i % 2 else random.choice(list("abcd"), rows)
        columns[f"c{i}"] = pd.Series(values).where(random.random(rows) > 0.1 * (i % 3))
    for gone in random.choice(14, 2, replace=False):
        del columns[f"c{gone}"]
    return tfdv.generate_statistics_from_dataframe(pd.DataFrame(columns))


@pytest.fixture
def schema():
    made = tfdv.infer_schema(statistics(0))
    made.default_environment.extend(["TRAINING", "SERVING"])
    for i, feature in enumerate(made.feature):
        feature.presence.min_fraction = 0.95
        measure = (
            "jensen_shannon_divergence" if feature.type == schema_pb2.FLOAT else "infinity_norm"
        )
        getattr(feature.drift_comparator, measure).threshold = 0.05
        getattr(feature.skew_comparator, measure).threshold = 0.05
        if feature.domain:
            del next(d for d in made.string_domain if d.name == feature.domain).value[i % 3 :]
    made.feature[-1].not_in_environment.append("TRAINING")
    made.dataset_constraints.min_examples_count = 1
    return made


@pytest.mark.parametrize("columns_at_once", [1, 3, 5, 100])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_chunks_say_what_all_at_once_says(schema, monkeypatch, columns_at_once, seed):
    monkeypatch.setattr(chunked_validation, "CHUNK_COLUMNS", columns_at_once)
    now, before, serving = statistics(seed), statistics(seed + 10), statistics(seed + 20)
    given = {"previous_statistics": before, "serving_statistics": serving}
    whole = tfdv.validate_statistics(now, schema, environment="TRAINING", **given)
    assert len(whole.anomaly_info) > 3
    assert len(whole.drift_skew_info) > 3
    found = validate_columns(now, schema, environment="TRAINING", **given)
    for anomalies in (whole, found):
        anomalies.drift_skew_info.sort(key=lambda info: info.path.step[0])
        anomalies.baseline.ClearField("dataset_constraints")
    assert found == whole


@pytest.mark.parametrize(
    "joined",
    [
        "sparse_feature { name: 's' value_feature { name: 'c1' } index_feature { name: 'c3' } }",
        "weighted_feature { name: 'w' feature { step: 'c1' } weight_feature { step: 'c3' } }",
        "tensor_representation_group { key: 'g' value { tensor_representation { key: 't' value {"
        " sparse_tensor { value_column_name: 'c1' index_column_names: 'c3' } } } } }",
    ],
    ids=["sparse", "weighted", "tensors"],
)
def test_a_schema_that_joins_columns_is_validated_at_once(schema, monkeypatch, joined):
    monkeypatch.setattr(chunked_validation, "CHUNK_COLUMNS", 1)
    text_format.Merge(joined, schema)
    del schema.feature[:2]
    schema.ClearField("dataset_constraints")
    now, calls, whole = statistics(1), [], tfdv.validate_statistics
    monkeypatch.setattr(
        chunked_validation.tfdv,
        "validate_statistics",
        lambda *arguments, **keywords: calls.append(1) or whole(*arguments, **keywords),
    )
    assert validate_columns(now, schema) == whole(now, schema)
    assert len(calls) == 1
