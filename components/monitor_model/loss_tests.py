"""Testing the losses of labelled rows against those of the rows that the gate judged the champion on.

The observations are the means of spans: rows of one span are no independent witnesses. Each span counts once, when the
labels of all its predictions are due and mature: labels that come early may be of other cases than those that come
late. So a span that is joined again later changes what is shown, and no test.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Any

import numpy as np
import pyarrow as pa

from ..lib.digests import digest_value
from ..lib.monitoring.quality_record import LossBaseline, LossSums, QualityRecord, without_test
from ..lib.monitoring.reference import Reference
from ..lib.monitoring.row_losses import LOSSES, ZERO_ONE, Problem, problem_of, row_loss
from ..lib.monitoring.span_test import SpanTest
from ..lib.predictions.joined_sets import JoinedSet
from ..lib.predictions.joined_table import LABEL, WEIGHT, read_joined
from ..lib.predictions.prediction_table import read_columns
from ..lib.registry.evaluation_summary import SliceMetrics
from ..lib.spans.span_periods import span_periods
from .sliced_rows import reference_mask, slice_cells, slice_mask

# A loss may be far above what the gate saw; a single row must not move a span's mean at will.
_CAP_QUANTILE, _CAP_FACTOR = 0.99, 2.0
_LEAST_ROWS = 200
MOST_SLICES = 20
MOST_SPANS = 1_000
# Part of the record's settings: raised when equal rows would be tested otherwise.
_VERSION = 2
# The gate's mean counts by its upper limit of so much confidence.
_LIMIT = NormalDist().inv_cdf(0.95)


@dataclass(frozen=True)
class LossTestSettings:
    """How losses are tested.

    Attributes:
        alpha: Probability of a false alarm over all looks and tests.
        max_increase: Increase of the mean that is allowed, as a share of the baseline.
        variation: Standard deviation of a span's mean that is assumed, as a share of the baseline.
        spans: Newest spans whose sums are kept.
        slices: The slices that the gate measured, largest first; none to test all rows alone.
        lists: Columns of lists.
    """

    alpha: float
    max_increase: float
    variation: float
    spans: int
    slices: tuple[Mapping[str, str], ...] = ()
    lists: tuple[str, ...] = ()

    def digest(self) -> str:
        """Digest what makes other tests."""
        slices = [dict(one) for one in self.slices]
        made_of: list[Any] = [_VERSION, self.alpha, self.max_increase, self.variation, slices]
        if lists := sorted({name for one in slices for name in one if name in self.lists}):
            made_of.append(lists)
        return digest_value(made_of)


def choose_slices(measured: Sequence[SliceMetrics]) -> tuple[Mapping[str, str], ...]:
    """Choose the slices to test: the largest that the gate measured, without all rows."""
    slices = sorted(
        (
            slice_metrics
            for slice_metrics in measured
            if slice_metrics.slice and (slice_metrics.rows or 0) >= _LEAST_ROWS
        ),
        key=lambda one: (-(one.rows or 0), one.name),
    )
    return tuple(dict(one.slice) for one in slices[:MOST_SLICES])


def equivalent_spans(reference: Sequence[str], serving: str) -> float:
    """Return how many spans of serving the gate's rows are as much time as; how many spans they have, if unknown.

    Args:
        reference: Names of the spans of the gate's rows.
        serving: Name of a span of serving.
    """
    own, other = span_periods(list(reference)), span_periods([serving])
    if not own or not other:
        return float(max(1, len(reference)))
    length = other[serving].end - other[serving].start
    return max(1.0, sum((one.end - one.start) / length for one in own.values()))


def start_record(reference: Reference, settings: LossTestSettings, serving: str) -> QualityRecord:
    """Start the tests of a champion.

    Half of alpha is for all rows, half for the slices; each test gets an equal share. The baseline's mean is known up
    to its error only, by its rows and by the spans that it is of, so the bound counts from its upper 95 % limit.

    Args:
        reference: The rows that the gate judged the champion on.
        settings: The settings.
        serving: Name of a span that is tested.

    Returns:
        A record without spans.
    """
    labels, predictions = reference.labels, reference.predictions
    problem = problem_of(labels, predictions)
    losses = LOSSES[problem]
    masks: list[tuple[Mapping[str, str], np.ndarray]] = [({}, np.ones(len(labels), bool))]
    for values in settings.slices:
        mask = reference_mask(reference, values, settings.lists)
        if mask is not None and mask.sum() >= _LEAST_ROWS:
            masks.append((values, mask))
    spans = equivalent_spans(reference.spans, serving)
    baselines = []
    for loss in losses:
        found = row_loss(loss, problem, labels, predictions)
        for values, mask in masks:
            share = settings.alpha / len(losses)
            if len(masks) > 1:
                share /= 2 if not values else 2 * (len(masks) - 1)
            kept = mask & np.isfinite(found)
            if kept.any():
                weights = reference.weights[kept]
                baselines.append(
                    make_baseline(loss, values, found[kept], weights, share, settings, spans)
                )
    return QualityRecord(
        settings.digest(),
        tuple(baselines),
        {baseline.name: _start(baseline) for baseline in baselines},
    )


def make_baseline(
    loss: str,
    values: Mapping[str, str],
    losses: np.ndarray,
    weights: np.ndarray,
    alpha: float,
    settings: LossTestSettings,
    spans: float,
) -> LossBaseline:
    """Make the baseline of one loss.

    Args:
        loss: Its name.
        values: The slice: value by column.
        losses: Loss of each of the gate's rows, at least one.
        weights: Weight of each.
        alpha: Probability of a false alarm of its test.
        settings: The settings.
        spans: How many spans of serving the gate's rows are as much time as.
    """
    cap = float(np.quantile(losses, _CAP_QUANTILE)) * _CAP_FACTOR
    cap = 1.0 if loss == ZERO_ONE or cap <= 0 else cap
    sums = _sums(np.minimum(losses, cap), weights)
    mean = sums.mean or 0.0
    # A mean of zeros has no error that rows show: the rule of three.
    error = max(sums.error, cap / len(losses) if not mean else 0.0)
    variation = max(settings.variation * mean, error)
    limit = mean + _LIMIT * float(np.hypot(error, variation / np.sqrt(spans)))
    allowed = limit + settings.max_increase * mean
    return LossBaseline(
        loss, dict(values), mean, error, variation, len(losses), cap, allowed, alpha
    )


def _start(one: LossBaseline) -> dict[str, Any]:
    return SpanTest.start(one.allowed, one.variation).content()


def add_span(
    record: QualityRecord,
    problem: Problem,
    joined: JoinedSet,
    version: int,
    spans: int,
    lists: Collection[str] = (),
) -> QualityRecord:
    """Return the record after the labelled rows of one more span.

    Args:
        record: The record.
        problem: What the champion predicts.
        joined: The span.
        version: The champion's number; rows of others are left out.
        spans: How many spans' sums are kept.
        lists: Columns of lists.
    """
    sums = {baseline.name: LossSums() for baseline in record.baselines}
    invalid = 0
    for labels, predictions, weights, columns in _batches(joined, version, record.baselines, lists):
        for loss in LOSSES[problem]:
            losses = row_loss(loss, problem, labels, predictions)
            valid = np.isfinite(losses)
            if loss == LOSSES[problem][0]:
                invalid += int((~valid).sum())
            for one in (each for each in record.baselines if each.loss == loss):
                kept = valid & slice_mask(columns, one.slice, len(labels))
                capped, own = np.minimum(losses[kept], one.cap), weights[kept]
                sums[one.name] = sums[one.name].plus(_sums(capped, own))
    tests, alarmed = {}, dict(record.alarmed)
    for baseline in record.baselines:
        tests[baseline.name] = test = _after(
            SpanTest.of(record.tests[baseline.name]), baseline, sums[baseline.name]
        )
        if float(test.log_evidence) >= -np.log(baseline.alpha):
            alarmed.setdefault(baseline.name, joined.span)
    kept_sums = {"span": joined.span, "sums": {name: one.content() for name, one in sums.items()}}
    seen = {**record.spans, joined.span: joined.version}
    return replace(
        record,
        tests={name: test.content() for name, test in tests.items()},
        alarmed=alarmed,
        spans=dict(list(seen.items())[-MOST_SPANS:]),
        sums=(*record.sums, kept_sums)[-spans:],
        invalid=record.invalid + invalid,
    )


def recent(record: QualityRecord, name: str) -> LossSums:
    """Return the sums of a test over the spans that are kept."""
    total = LossSums()
    for span_sums in record.sums:
        if name in span_sums["sums"]:
            total = total.plus(LossSums.of(span_sums["sums"][name]))
    return total


def clear_alarms(record: QualityRecord) -> QualityRecord:
    """Begin the tests again whose alarm is over: the newest spans are within the bound."""
    for baseline in record.baselines:
        mean = recent(record, baseline.name).mean
        if baseline.name in record.alarmed and mean is not None and mean <= baseline.allowed:
            record = without_test(record, baseline.name, _start(baseline))
    return record


def _after(test: SpanTest, one: LossBaseline, sums: LossSums) -> SpanTest:
    if sums.mean is None:
        return test
    # The error of a few rows, which may be alike by chance, is not less than the gate's rows show.
    of_row = one.error * np.sqrt(one.rows)
    error = max(sums.error, of_row / np.sqrt(sums.rows))
    return test.plus(np.array(sums.mean), np.array(error))


def _sums(losses: np.ndarray, weights: np.ndarray) -> LossSums:
    squared = weights**2
    return LossSums(
        len(losses),
        float(weights.sum()),
        float((weights * losses).sum()),
        float(squared.sum()),
        float((squared * losses).sum()),
        float((squared * losses**2).sum()),
    )


def _batches(
    joined: JoinedSet, version: int, baselines: Sequence[LossBaseline], lists: Collection[str]
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, Mapping[str, pa.Array]]]:
    """Yield labels, predictions, weights and slice columns of the champion's rows."""
    first = next(read_joined(joined, batch_rows=1), None)
    if first is None:
        return
    about = read_columns(first.schema)
    wanted = {name for baseline in baselines for name in baseline.slice}
    columns = {name: about.inputs[name] for name in sorted(wanted) if name in about.inputs}
    read = ["model_version", *about.predictions, LABEL, WEIGHT, *columns.values()]
    for batch in read_joined(joined, list(dict.fromkeys(read))):
        cells = {name: batch.column(batch.schema.get_field_index(name)) for name in set(read)}
        versions = cells["model_version"].fill_null(version).to_numpy(zero_copy_only=False)
        own = pa.array(versions == version)
        rows = {name: column.filter(own) for name, column in cells.items()}
        scores = [_numbers(rows[name]) for name in about.predictions]
        predictions = scores[0] if len(scores) == 1 else np.stack(scores, 1)
        sliced = {
            name: slice_cells(rows[column], name in lists) for name, column in columns.items()
        }
        yield _numbers(rows[LABEL]), predictions, _numbers(rows[WEIGHT]), sliced


def _numbers(column: pa.Array) -> np.ndarray:
    return column.cast(pa.float64()).to_numpy(zero_copy_only=False).astype(np.float64)


def problem_of_reference(reference: Reference) -> Problem:
    """Find out what the champion predicts."""
    return problem_of(reference.labels, reference.predictions)


def read_test(record: QualityRecord, name: str) -> SpanTest:
    """Return the state of a test."""
    content: Mapping[str, Any] = record.tests[name]
    return SpanTest.of(content)
