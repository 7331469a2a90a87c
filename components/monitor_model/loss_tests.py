"""Testing the losses of labelled rows against those of the rows that the gate judged the champion on.

Each span counts once, when the labels of all its predictions are due and mature: labels that come early may be of other
cases than those that come late. So a span that is joined again later changes what is shown, and no test.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Any

import numpy as np
import pyarrow as pa

from ..lib.canonical_text import plain_texts
from ..lib.digests import digest_value
from ..lib.evaluation_summary import SliceMetrics
from ..lib.joined_sets import JoinedSet
from ..lib.joined_table import LABEL, WEIGHT, read_joined
from ..lib.monitoring.quality_record import LossBaseline, LossSums, QualityRecord, without_test
from ..lib.monitoring.reference import Reference
from ..lib.monitoring.risk_test import RiskTest, weighed
from ..lib.monitoring.row_losses import LOSSES, Problem, problem_of, row_loss
from ..lib.prediction_table import read_columns
from ..lib.sequential_test import Values, block_ends

# A loss may be far above what the gate saw; what is tested must be bounded.
_CAP_QUANTILE, _CAP_FACTOR = 0.99, 2.0
_LEAST_ROWS = 200
MOST_SLICES = 20
MOST_SPANS = 1_000
# Part of the record's settings: raised when equal rows would be tested otherwise.
_VERSION = 1
_NORMAL = NormalDist()


@dataclass(frozen=True)
class LossTestSettings:
    """How losses are tested.

    Attributes:
        alpha: Probability of a false alarm over all looks and tests.
        max_increase: Increase of the mean that is allowed, as a share of the baseline.
        spans: Newest spans whose sums are kept.
        slices: The slices that the gate measured, largest first; none to test all rows alone.
    """

    alpha: float
    max_increase: float
    spans: int
    slices: tuple[Mapping[str, str], ...] = ()

    def digest(self) -> str:
        """Digest what makes other tests."""
        made_of = [_VERSION, self.alpha, self.max_increase, [dict(one) for one in self.slices]]
        return digest_value(made_of)


def choose_slices(measured: Sequence[SliceMetrics]) -> tuple[Mapping[str, str], ...]:
    """Choose the slices to test: the largest that the gate measured, without all rows."""
    slices = sorted(
        (one for one in measured if one.slice and (one.rows or 0) >= _LEAST_ROWS),
        key=lambda one: (-(one.rows or 0), one.name),
    )
    return tuple(dict(one.slice) for one in slices[:MOST_SLICES])


def start_record(reference: Reference, settings: LossTestSettings) -> QualityRecord:
    """Start the tests of a champion.

    Half of alpha is for all rows, half for the slices; each test gets an equal share. Half of that is spent on the
    baseline, whose mean is known up to its error only: the bound counts from its upper confidence limit. The other
    half is the level of the test.

    Args:
        reference: The rows that the gate judged the champion on.
        settings: The settings.

    Returns:
        A record without spans.
    """
    labels, predictions = reference.labels, reference.predictions
    problem = problem_of(labels, predictions)
    losses = LOSSES[problem]
    masks: list[tuple[Mapping[str, str], np.ndarray]] = [({}, np.ones(len(labels), bool))]
    for values in settings.slices:
        mask = _slice_of_reference(reference, values)
        if mask is not None and mask.sum() >= _LEAST_ROWS:
            masks.append((values, mask))
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
                    _baseline(loss, values, found[kept], weights, share, settings.max_increase)
                )
    return QualityRecord(
        settings.digest(),
        tuple(baselines),
        {one.name: RiskTest.start(one.allowed / one.cap).content() for one in baselines},
    )


def _baseline(
    loss: str,
    values: Mapping[str, str],
    losses: np.ndarray,
    weights: np.ndarray,
    alpha: float,
    max_increase: float,
) -> LossBaseline:
    cap = float(np.quantile(losses, _CAP_QUANTILE)) * _CAP_FACTOR
    cap = cap if cap > 0 else 1.0
    if loss == "zero_one":
        cap = 1.0
    sums = _sums(np.minimum(losses, cap), weights)
    mean = sums.mean or 0.0
    # A mean of zeros has no error that rows show: the rule of three.
    error = max(sums.error, cap / len(losses) if not mean else 0.0)
    limit = mean + _NORMAL.inv_cdf(1 - alpha / 2) * error
    allowed = min(limit + max_increase * mean, cap)
    return LossBaseline(loss, dict(values), mean, error, len(losses), cap, allowed, alpha)


def add_span(
    record: QualityRecord, problem: Problem, joined: JoinedSet, version: int, spans: int
) -> QualityRecord:
    """Return the record after the labelled rows of one more span.

    Args:
        record: The record.
        problem: What the champion predicts.
        joined: The span.
        version: The champion's number; rows of others are left out.
        spans: How many spans' sums are kept.
    """
    tests = {one.name: RiskTest.of(record.tests[one.name]) for one in record.baselines}
    sums = {one.name: LossSums() for one in record.baselines}
    alarmed = dict(record.alarmed)
    invalid = 0
    for labels, predictions, weights, columns in _batches(joined, version, record.baselines):
        for loss in LOSSES[problem]:
            losses = row_loss(loss, problem, labels, predictions)
            valid = np.isfinite(losses)
            if loss == LOSSES[problem][0]:
                invalid += int((~valid).sum())
            for one in (each for each in record.baselines if each.loss == loss):
                kept = valid & _slice_mask(columns, one.slice, len(labels))
                capped, own = np.minimum(losses[kept], one.cap), weights[kept]
                sums[one.name] = sums[one.name].plus(_sums(capped, own))
                tests[one.name], alarm = _bet(tests[one.name], capped / one.cap, own, one.alpha / 2)
                if alarm:
                    alarmed.setdefault(one.name, joined.span)
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
    for one in record.sums:
        if name in one["sums"]:
            total = total.plus(LossSums.of(one["sums"][name]))
    return total


def clear_alarms(record: QualityRecord) -> QualityRecord:
    """Begin the tests again whose alarm is over: the recent spans, all after the alarm, are within the bound."""
    for one in record.baselines:
        if one.name not in record.alarmed:
            continue
        spans = [kept["span"] for kept in record.sums]
        mean = recent(record, one.name).mean
        since = record.alarmed[one.name]
        if since not in spans and mean is not None and mean <= one.allowed:
            start = RiskTest.start(one.allowed / one.cap).content()
            record = without_test(record, one.name, start)
    return record


def _bet(
    test: RiskTest, losses: np.ndarray, weights: np.ndarray, alpha: float
) -> tuple[RiskTest, bool]:
    values = weighed(losses, weights, test.bound)
    begin, alarm = 0, False
    for end in block_ends(int(test.rows), len(values)):
        test = test.plus(Values.of(values[begin:end]))
        alarm = alarm or float(test.log_evidence) >= -np.log(alpha)
        begin = end
    return test, alarm


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
    joined: JoinedSet, version: int, baselines: Sequence[LossBaseline]
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, Mapping[str, pa.Array]]]:
    """Yield labels, predictions, weights and slice columns of the champion's rows."""
    first = next(read_joined(joined, batch_rows=1), None)
    if first is None:
        return
    about = read_columns(first.schema)
    wanted = {name for one in baselines for name in one.slice}
    columns = {name: about.inputs[name] for name in sorted(wanted) if name in about.inputs}
    read = ["model_version", *about.predictions, LABEL, WEIGHT, *columns.values()]
    for batch in read_joined(joined, list(dict.fromkeys(read))):
        cells = {name: batch.column(batch.schema.get_field_index(name)) for name in set(read)}
        versions = cells["model_version"].fill_null(version).to_numpy(zero_copy_only=False)
        own = pa.array(versions == version)
        rows = {name: column.filter(own) for name, column in cells.items()}
        scores = [_numbers(rows[name]) for name in about.predictions]
        predictions = scores[0] if len(scores) == 1 else np.stack(scores, 1)
        sliced = {name: plain_texts(rows[column]) for name, column in columns.items()}
        yield _numbers(rows[LABEL]), predictions, _numbers(rows[WEIGHT]), sliced


def _slice_of_reference(reference: Reference, values: Mapping[str, str]) -> np.ndarray | None:
    features = reference.features
    if not set(values) <= set(features):
        return None
    table = reference.read([features[name] for name in values])
    columns = {name: plain_texts(pa.concat_arrays(table[features[name]].chunks)) for name in values}
    return _slice_mask(columns, values, reference.rows)


def _slice_mask(
    columns: Mapping[str, pa.Array], values: Mapping[str, str], rows: int
) -> np.ndarray:
    mask = np.ones(rows, bool)
    for name, value in values.items():
        if name not in columns:
            return np.zeros(rows, bool)
        wanted = plain_texts(pa.array([value], pa.string()))[0].as_py()
        mask &= columns[name].to_numpy(zero_copy_only=False) == wanted
    return mask


def _numbers(column: pa.Array) -> np.ndarray:
    return column.cast(pa.float64()).to_numpy(zero_copy_only=False).astype(np.float64)


def problem_of_reference(reference: Reference) -> Problem:
    """Find out what the champion predicts."""
    return problem_of(reference.labels, reference.predictions)


def read_test(record: QualityRecord, name: str) -> RiskTest:
    """Return the state of a test."""
    content: Mapping[str, Any] = record.tests[name]
    return RiskTest.of(content)
