"""The difference of two models' metrics on each slice, with its standard error."""

import itertools
import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats
from tensorflow_model_analysis.evaluators import (
    metrics_plots_and_validations_evaluator as evaluator,
)
from tensorflow_model_analysis.metrics import metric_specs, metric_types
from tensorflow_model_analysis.proto import config_pb2

from ..array_metrics.array_path import NotCoveredError, Rows
from ..array_metrics.queries import Queries
from ..eval_config import BASELINE, CANDIDATE
from ..metric_columns import columns_of
from ..metric_names import result_names
from ..scores import Scores
from ..slices import SliceKey, slice_rows
from .draws import GroupSums, Metrics
from .group_sums import group_sums, sums_of_queries
from .groups import groups_of


@dataclass(frozen=True)
class PairedDifference:
    """A metric of two models on the same rows.

    Attributes:
        metric: The metric's name.
        slice_key: TFMA's key of the slice.
        rows: How many rows the slice has.
        groups: How many groups of rows were left out in turn.
        challenger: The challenger's value.
        champion: The champion's value.
        challenger_error: Standard error of the challenger's value.
        error: Standard error of the difference; NaN where a draw, or one of the models, has no value.
        undefined: Why no model has a value on these rows, such as `8 rows, all with label 0`; empty if they have.
    """

    metric: str
    slice_key: SliceKey
    rows: int
    groups: int
    challenger: float
    champion: float
    challenger_error: float
    error: float
    undefined: str = ""

    @property
    def difference(self) -> float:
        """Challenger minus champion."""
        return self.challenger - self.champion

    @property
    def freedom(self) -> int:
        """Degrees of freedom of the standard error."""
        return max(self.groups - 1, 1)

    def interval(self, confidence: float) -> tuple[float, float]:
        """Return the interval around the difference that holds the true one with this confidence, between 0 and 1."""
        reach = float(stats.t.ppf((1 + confidence) / 2, self.freedom)) * self.error
        return self.difference - reach, self.difference + reach

    def chance_of(self, bound: float) -> float:
        """Return how likely so low a difference is, if the true one were `bound`: a one-sided p-value."""
        if not self.error:
            return float(self.difference >= bound)
        return float(stats.t.cdf((self.difference - bound) / self.error, self.freedom))


def paired_differences(
    config: config_pb2.EvalConfig,
    scores: Scores,
    metrics: Collection[str],
    group: np.ndarray,
    least_rows: int = 1,
) -> list[PairedDifference]:
    """Compare two models by some metrics on every slice.

    The standard error is that of a delete-a-group jackknife: sqrt((g - 1) / g * sum((d_i - mean(d))^2)) over the
    differences d_i without each of g groups (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 11;
    Kott, The delete-a-group jackknife, Journal of Official Statistics 17, 2001).

    Args:
        config: A config as `build_eval_config` completes it, with a champion.
        scores: Rows with the predictions of both models.
        metrics: Names of the metrics, as `result_names` gives them.
        group: Each row's group, shape (rows,), from `assign_groups`. A metric by query leaves whole queries out: see
            `groups_of`.
        least_rows: Slices with fewer rows are left out; all rows together never are.

    Returns:
        A difference for each metric and slice, all rows first. Its values are NaN where a metric is undefined.

    Raises:
        NotCoveredError: If a metric's sums can't be made by group, or it is not one number.
    """
    names = result_names(config)
    kept = _with_metrics(config, metrics, names)
    parts = [
        _prepare_part(config, [spec for spec in kept if spec.query_key == key], scores, group, key)
        for key in dict.fromkeys(spec.query_key for spec in kept)
    ]
    results: list[PairedDifference] = []
    with np.errstate(all="ignore"):
        for key, rows in slice_rows(scores.slices, config.slicing_specs).items():
            count = scores.rows if isinstance(rows, slice) else len(rows)
            for part in parts if not key or count >= least_rows else ():
                results += _compare(key, count, part.draws(rows), metrics, names)
    return results


@dataclass(frozen=True)
class _Part:
    """The metrics of one query key, or those of rows.

    Attributes:
        sums: What their formulas start from.
        derived: What is derived of that.
        group: The group of each row or query.
        queries: The queries; None for metrics of rows.
    """

    sums: Sequence[GroupSums]
    derived: Sequence[metric_types.DerivedMetricComputation]
    group: np.ndarray
    queries: Queries | None

    def draws(self, rows: Rows) -> Iterator[Metrics]:
        """Yield the metrics over some rows, then those without each group of them."""
        units = rows if self.queries is None else self.queries.of_rows(rows)
        numbered, groups = _number_groups(self.group[units])
        sources = [one(units, numbered, groups) for one in self.sums]
        for parts in zip(*sources, strict=True):
            found: Metrics = {}
            for part in parts:
                found.update(part)
            for one in self.derived:
                if not all(key in found for key in one.keys):
                    found.update(one.result(found))
            yield found


def _prepare_part(
    config: config_pb2.EvalConfig,
    specs: Sequence[config_pb2.MetricsSpec],
    scores: Scores,
    group: np.ndarray,
    query_key: str,
) -> _Part:
    computations = evaluator._filter_and_separate_computations(
        metric_specs.to_computations(list(specs), eval_config=config)
    )
    derived = computations.derived_computations
    queries = Queries.group(scores.slices, query_key) if query_key else None
    sums = []
    for computation in computations.non_derived_computations:
        key = computation.keys[0]
        columns = columns_of(key, scores, key.model_name)
        sums.append(
            group_sums(computation, columns, derived)
            if queries is None
            else sums_of_queries(computation, columns, queries, scores.slices)
        )
    return _Part(sums, derived, group if queries is None else groups_of(queries, group), queries)


def _compare(
    slice_key: SliceKey,
    rows: int,
    draws: Iterator[Metrics],
    metrics: Collection[str],
    names: Callable[[metric_types.MetricKey], str],
) -> Iterator[PairedDifference]:
    """Compare two models on one slice: over all of its rows first among the draws, then without each group."""
    whole = next(draws)
    wanted: Mapping[metric_types.MetricKey, str] = {
        key: names(key)
        for key in whole
        if key.model_name == CANDIDATE and not key.is_diff and names(key) in metrics
    }
    if several := [name for key, name in wanted.items() if np.size(whole[key]) != 1]:
        raise NotCoveredError(f"{several[0]} (several values)")
    others = {key: key.make_baseline_key(BASELINE) for key in wanted}
    # Nothing else is kept of a draw, such as its matrices.
    found = [
        [[float(draw[key]), float(draw[other])] for key, other in others.items()]
        for draw in itertools.chain([whole], draws)
    ]
    for pairs, name in zip(np.array(found).swapaxes(0, 1), wanted.values(), strict=True):
        challenger, champion = pairs[0].tolist()
        without = pairs[1:]
        yield PairedDifference(
            metric=name,
            slice_key=slice_key,
            rows=rows,
            groups=len(without),
            challenger=challenger,
            champion=champion,
            challenger_error=_jackknife_error(without[:, 0]),
            error=_jackknife_error(without[:, 0] - without[:, 1]),
        )


def _number_groups(group: np.ndarray) -> tuple[np.ndarray, int]:
    """Number the groups that have rows from 0; by counting, since sorting takes long of many rows."""
    present = np.bincount(group) > 0
    return (np.cumsum(present) - 1)[group], int(np.count_nonzero(present))


def _jackknife_error(values: np.ndarray) -> float:
    count = len(values)
    if count < 2:
        return math.nan
    return float(math.sqrt((count - 1) / count * np.square(values - values.mean()).sum()))


def _with_metrics(
    config: config_pb2.EvalConfig,
    metrics: Collection[str],
    names: Callable[[metric_types.MetricKey], str],
) -> list[config_pb2.MetricsSpec]:
    """Keep the metrics that are asked for, so that nothing else is computed in each draw."""
    kept = []
    for spec in config.metrics_specs:
        one = config_pb2.MetricsSpec()
        one.CopyFrom(spec)
        del one.metrics[:]
        for metric in spec.metrics:
            alone = config_pb2.MetricsSpec()
            alone.CopyFrom(spec)
            del alone.metrics[:]
            alone.metrics.append(metric)
            keys = {
                key
                for computation in metric_specs.to_computations([alone], eval_config=config)
                for key in computation.keys
            }
            if any(names(key) in metrics for key in keys):
                one.metrics.append(metric)
        if one.metrics:
            kept.append(one)
    return kept
