"""A statistics artifact: its folders, and reading and writing it.

TFDV is not needed, so reports and checks read statistics without loading TensorFlow.
"""

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TypeAlias

from google.protobuf.message import DecodeError
from tensorflow_metadata.proto.v0 import statistics_pb2

from ..errors import RetrainerError
from ..uris import exists, join, read_bytes, read_json, write_atomic, write_json

INDEX = "index.json"
FORMAT = 3
STATISTICS_FILE = "FeatureStats.pb"
_WRITERS = 8

Statistics: TypeAlias = statistics_pb2.DatasetFeatureStatisticsList
Feature: TypeAlias = statistics_pb2.FeatureNameStatistics
NUMBERS = (Feature.INT, Feature.FLOAT)
SPLIT_WORDS = {"train": "training", "eval": "evaluation"}
TYPE_NAMES = {Feature.INT: "INT", Feature.FLOAT: "FLOAT", Feature.STRING: "BYTES"}


def split_folder(split: str) -> str:
    """Name the folder of a split's statistics, as TFX does."""
    return f"Split-{split}"


def span_folder(span: str) -> str:
    """Name the folder of a span's statistics."""
    return f"Span-{span.replace('/', '-')}"


def before_folder(span: str) -> str:
    """Name the folder of the statistics of the spans before a span."""
    return f"Before-{span.replace('/', '-')}"


@dataclass(frozen=True)
class StatisticsIndex:
    """What a statistics artifact holds.

    Attributes:
        label: Name of the label's column.
        key: Columns of the primary key; not features, except `key_features`.
        key_features: Columns of the key that are features, too.
        other_labels: Further columns of labels, beside `label`; not features.
        spans: Spans of the window, oldest first.
        split_spans: The spans that each split has rows of, oldest first.
        counts: Rows read, kept and quarantined by ingestion, by span.
        before: The spans whose rows are in `Before-<span>`, oldest first, for each span but the first. Before the
            newest are all others of the window; before an earlier one may be some that have left the window.
    """

    label: str
    key: tuple[str, ...]
    spans: tuple[str, ...]
    split_spans: dict[str, tuple[str, ...]]
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    before: dict[str, tuple[str, ...]] = field(default_factory=dict)
    key_features: tuple[str, ...] = ()
    other_labels: tuple[str, ...] = ()

    @property
    def labels(self) -> tuple[str, ...]:
        """The columns of labels; the first is `label`."""
        return (self.label, *self.other_labels)

    @property
    def bare_key(self) -> tuple[str, ...]:
        """The columns of the key that are not features."""
        return tuple(name for name in self.key if name not in self.key_features)

    @property
    def newest(self) -> str:
        """The newest span of the window."""
        return self.spans[-1]

    @property
    def earlier(self) -> tuple[str, ...]:
        """All spans but the newest; empty if there is but one."""
        return self.spans[:-1]

    @property
    def splits_share_spans(self) -> bool:
        """Whether spans are split by a hash, so that both splits have rows of the same spans."""
        return not set(self.split_spans["train"]).isdisjoint(self.split_spans["eval"])

    @property
    def skew_is_drift(self) -> bool:
        """Whether training against evaluation is the earlier spans against the newest one."""
        return self.split_spans["train"] == self.earlier and self.split_spans["eval"] == (
            self.newest,
        )


def write_statistics(
    path: str | os.PathLike[str], index: StatisticsIndex, folders: Mapping[str, Statistics]
) -> None:
    """Write a statistics artifact.

    Args:
        path: The artifact's folder, which is made if missing.
        index: What it holds.
        folders: Statistics by folder name.
    """
    Path(path).mkdir(parents=True, exist_ok=True)

    uris = [join(str(path), folder, STATISTICS_FILE) for folder in folders]
    contents = [folder.SerializeToString(deterministic=True) for folder in folders.values()]
    # Most of the time is spent waiting for the disk.
    with ThreadPoolExecutor(_WRITERS) as pool:
        list(pool.map(write_atomic, uris, contents))
    write_json(join(str(path), INDEX), {"format": FORMAT, **asdict(index)})


def read_index(path: str | os.PathLike[str]) -> StatisticsIndex:
    """Read what a statistics artifact holds.

    Raises:
        RetrainerError: If it holds no index, or one of another format.
    """
    uri = join(str(path), INDEX)
    try:
        content = read_json(uri)
    except FileNotFoundError as error:
        raise RetrainerError(
            f"there is no statistics index at '{uri}'. Statistics come from compute_statistics."
        ) from error
    if content.pop("format", None) != FORMAT:
        raise RetrainerError(
            f"'{uri}' has another format than this retrainer reads ({FORMAT}). "
            "Run compute_statistics of the same version."
        )
    return StatisticsIndex(
        label=content["label"],
        key=tuple(content["key"]),
        spans=tuple(content["spans"]),
        split_spans={split: tuple(spans) for split, spans in content["split_spans"].items()},
        counts=content["counts"],
        before={span: tuple(spans) for span, spans in content["before"].items()},
        key_features=tuple(content.get("key_features", ())),
        other_labels=tuple(content.get("other_labels", ())),
    )


def read_statistics(path: str | os.PathLike[str], folder: str) -> Statistics:
    """Read the statistics of one split, one span, or the spans before one.

    Args:
        path: The artifact's folder.
        folder: `Split-train`, `Split-eval`, `Span-<span>` or `Before-<span>`.

    Raises:
        RetrainerError: If they are missing or damaged.
    """
    uri = join(str(path), folder, STATISTICS_FILE)
    if not exists(uri):
        raise RetrainerError(f"there are no statistics at '{uri}'. Run compute_statistics again.")
    try:
        return parse_statistics(read_bytes(uri))
    except ValueError as error:
        raise RetrainerError(
            f"'{uri}' is damaged: {error}. Run compute_statistics again."
        ) from error


def parse_statistics(content: bytes) -> Statistics:
    """Read serialised statistics of one dataset.

    Args:
        content: A `DatasetFeatureStatisticsList`.

    Raises:
        ValueError: If it can't be parsed, or holds another number of datasets (an empty file holds none).
    """
    try:
        statistics = Statistics.FromString(content)
    except DecodeError as error:
        raise ValueError(f"statistics that can't be parsed ({error})") from error
    if len(statistics.datasets) != 1:
        raise ValueError(f"statistics of {len(statistics.datasets)} datasets")
    return statistics


def features_by_name(statistics: Statistics) -> dict[str, Feature]:
    """Return the columns of a dataset by name, in the dataset's order."""
    return {column_name(feature): feature for feature in statistics.datasets[0].features}


def column_name(feature: Feature) -> str:
    """Name a feature's column."""
    return feature.name or ".".join(feature.path.step)


def row_count(statistics: Statistics) -> int:
    """Count the rows that statistics were made from."""
    return int(statistics.datasets[0].num_examples)


def common(feature: Feature) -> statistics_pb2.CommonStatistics:
    """Return the statistics that numbers and text have in common."""
    if feature.HasField("num_stats"):
        return feature.num_stats.common_stats
    return feature.string_stats.common_stats


def missing_share(feature: Feature | None) -> float:
    """Return the share of rows without a value, from 0 to 1; 1 for an absent column."""
    if feature is None:
        return 1.0
    counts = common(feature)
    rows = counts.num_missing + counts.num_non_missing
    return counts.num_missing / rows if rows else 1.0


def is_number(feature: Feature) -> bool:
    """Return whether a column has numbers."""
    return feature.type in NUMBERS


def constant_value(feature: Feature) -> str | None:
    """Return the only value of a column as text, or None if it has several or none."""
    if not common(feature).num_non_missing:
        return None
    if is_number(feature):
        stats = feature.num_stats
        return f"{stats.min:g}" if stats.min == stats.max else None
    if feature.string_stats.unique == 1 and feature.string_stats.top_values:
        return feature.string_stats.top_values[0].value
    return None


def value_counts(feature: Feature) -> dict[str, float]:
    """Count a text column's values.

    Beyond TFDV's 1,024 Misra-Gries buckets the counts are lower bounds, and rare values left out.

    Returns:
        Rows by value, most frequent first; at most as many as the rank histogram has buckets.
    """
    return {
        bucket.label: bucket.sample_count for bucket in feature.string_stats.rank_histogram.buckets
    }
