"""TFDV's validation in time linear in the number of columns."""

from collections.abc import Iterator, Sequence

import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2

from .statistics_artifact import Statistics

# TFDV searches all columns for each one: 10,000 at once take minutes.
CHUNK_COLUMNS = 200


def validate_columns(
    statistics: Statistics,
    schema: schema_pb2.Schema,
    environment: str | None = None,
    previous_statistics: Statistics | None = None,
    serving_statistics: Statistics | None = None,
) -> anomalies_pb2.Anomalies:
    """Run `tfdv.validate_statistics` on some columns at a time.

    A schema that joins columns (sparse and weighted features, tensor representations) is validated at once.

    Args:
        statistics: What to validate.
        schema: What to validate with, without its `dataset_constraints`.
        environment: The schema's environment; None for all.
        previous_statistics: What to measure drift from; None for nothing.
        serving_statistics: What to measure skew from; None for nothing.

    Returns:
        TFDV's anomalies of columns.
    """
    whole = schema_pb2.Schema()
    whole.CopyFrom(schema)
    whole.ClearField("dataset_constraints")
    given = {"previous_statistics": previous_statistics, "serving_statistics": serving_statistics}
    others = {name: one for name, one in given.items() if one is not None}
    names = dict.fromkeys([feature.name for feature in schema.feature])
    names |= dict.fromkeys(_names(statistics))
    joined = schema.sparse_feature or schema.weighted_feature or schema.tensor_representation_group
    if joined or len(names) <= CHUNK_COLUMNS:
        return tfdv.validate_statistics(statistics, whole, environment=environment, **others)

    chunk_of = {name: i // CHUNK_COLUMNS for i, name in enumerate(names)}
    count = 1 + (len(names) - 1) // CHUNK_COLUMNS
    schemas = _split_schema(whole, chunk_of, count)
    split = {name: _split_statistics(other, chunk_of, count) for name, other in others.items()}
    result = anomalies_pb2.Anomalies(baseline=whole)
    for i, chunk in enumerate(_split_statistics(statistics, chunk_of, count)):
        found = tfdv.validate_statistics(
            chunk,
            schemas[i],
            environment=environment,
            **{name: chunks[i] for name, chunks in split.items()},
        )
        found.ClearField("baseline")
        result.MergeFrom(found)
    return result


def _names(statistics: Statistics) -> Iterator[str]:
    # Nested columns go with the outermost one.
    for feature in statistics.datasets[0].features:
        yield feature.path.step[0] if feature.path.step else feature.name


def _split_statistics(
    statistics: Statistics, chunk_of: dict[str, int], count: int
) -> Sequence[Statistics]:
    chunks = [Statistics() for _ in range(count)]
    whole = statistics.datasets[0]
    for chunk in chunks:
        chunk.datasets.add(
            name=whole.name,
            num_examples=whole.num_examples,
            weighted_num_examples=whole.weighted_num_examples,
        )
    for name, feature in zip(_names(statistics), whole.features, strict=True):
        # A column that is neither in the schema nor in the validated data is not compared.
        if name in chunk_of:
            chunks[chunk_of[name]].datasets[0].features.append(feature)
    return chunks


def _split_schema(
    schema: schema_pb2.Schema, chunk_of: dict[str, int], count: int
) -> Sequence[schema_pb2.Schema]:
    domains = {domain.name: domain for domain in schema.string_domain}
    frame = schema_pb2.Schema()
    frame.CopyFrom(schema)
    for field in ("feature", "string_domain"):
        frame.ClearField(field)
    chunks = []
    for _ in range(count):
        chunks.append(schema_pb2.Schema())
        chunks[-1].CopyFrom(frame)
    known: list[set[str]] = [set() for _ in range(count)]
    for feature in schema.feature:
        i = chunk_of[feature.name]
        chunks[i].feature.append(feature)
        if feature.domain in domains and feature.domain not in known[i]:
            known[i].add(feature.domain)
            chunks[i].string_domain.append(domains[feature.domain])
    return chunks
