"""Statistics of some rows as a dataset with columns."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .distributions import Cumulative, cumulative, text_shares
from .statistics_artifact import (
    TYPE_NAMES,
    Feature,
    Statistics,
    common,
    constant_value,
    features_by_name,
    is_number,
    missing_share,
    row_count,
    value_counts,
)


@dataclass(frozen=True)
class Column:
    """A column of a dataset.

    Attributes:
        name: Its name.
        feature: TFDV's statistics of it.
    """

    name: str
    feature: Feature

    @property
    def is_number(self) -> bool:
        """Whether it has numbers."""
        return is_number(self.feature)

    @property
    def is_integer(self) -> bool:
        """Whether it has integers."""
        return bool(self.feature.type == Feature.INT)

    @property
    def type_name(self) -> str:
        """Its type as schemas name it, such as `FLOAT`."""
        return TYPE_NAMES.get(self.feature.type, "unknown")

    @property
    def filled(self) -> int:
        """How many rows have a value."""
        return int(common(self.feature).num_non_missing)

    @property
    def missing_share(self) -> float:
        """The share of rows without a value, between 0 and 1."""
        return missing_share(self.feature)

    @property
    def minimum(self) -> float:
        """The least number."""
        return float(self.feature.num_stats.min)

    @property
    def maximum(self) -> float:
        """The largest number."""
        return float(self.feature.num_stats.max)

    @property
    def constant(self) -> str | None:
        """The only value, as text; None if there are several or none."""
        return constant_value(self.feature)

    @cached_property
    def counts(self) -> Mapping[str, float]:
        """Rows by value of a text column, most frequent first, as far as TFDV counts them."""
        return value_counts(self.feature)

    @cached_property
    def shares(self) -> Mapping[str, float]:
        """Share of the filled rows by value of a text column, most frequent first."""
        return text_shares(self.feature)

    @cached_property
    def distribution(self) -> Cumulative | None:
        """The cumulative distribution of a number column; None if it has no finite number."""
        return cumulative(self.feature)

    @cached_property
    def quantiles(self) -> tuple[np.ndarray, np.ndarray] | None:
        """The values that bound a number column's quantiles, and the share of rows up to each; None without any."""
        for histogram in self.feature.num_stats.histograms:
            counts = np.array([bucket.sample_count for bucket in histogram.buckets], dtype=float)
            if histogram.type != histogram.QUANTILES or counts.sum() <= 0:
                continue
            ends = [bucket.high_value for bucket in histogram.buckets]
            values = np.nan_to_num(np.array([histogram.buckets[0].low_value, *ends]))
            return values, np.array([0.0, *(np.cumsum(counts) / counts.sum())])
        return None


@dataclass(frozen=True)
class Dataset:
    """Some rows, known by their statistics.

    Attributes:
        statistics: TFDV's statistics of one dataset.
    """

    statistics: Statistics

    @cached_property
    def features(self) -> dict[str, Feature]:
        """TFDV's statistics by column, in the dataset's order."""
        return features_by_name(self.statistics)

    @cached_property
    def columns(self) -> dict[str, Column]:
        """Columns by name, in the dataset's order."""
        return {name: Column(name, feature) for name, feature in self.features.items()}

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return row_count(self.statistics)
