"""What estimates of a champion's quality need: its estimator, fitted on the reference, and what is usual."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from ...lib.joined_sets import JoinedSet
from ...lib.monitoring.reference import Reference, find_or_make_reference
from ...lib.monitoring.signals import Kind
from ...lib.prediction_table import PredictionSet
from ...lib.words import name_spans
from ..distances.clean_past import read_clean_past
from ..look import Look
from .classification import ClassifierEstimator
from .deviations import chunk_deviation, row_deviation, step_deviation
from .metrics import LESS_IS_BETTER
from .regression import LossEstimator
from .rows import Inputs, RowReader, Rows

MOST_ROWS = 400_000
"""A window is estimated on so many rows at most, evenly chosen."""
MOST_EARLIER_ROWS = 50_000
EARLIER_SPANS = 14
"""Earlier spans whose estimates show how much they vary: two weeks of days."""
LEAST_REFERENCE_ROWS = 500
MOST_LABELLED_ROWS = 100_000
MOST_SPANS_COMPARED = 5
MOST_BIAS = 0.01
"""By so much an estimate may miss on the reference itself; of a loss or an error, by this share of it."""
DEVIATIONS = 3.0
"""So many standard deviations from the mean are usual (NannyML: `nannyml/thresholds.py`)."""
BINARY, MULTICLASS, REGRESSION = "binary", "multiclass", "regression"
USUAL_METRICS = {BINARY: "auc", MULTICLASS: "accuracy", REGRESSION: "mae"}


class Estimator(Protocol):
    """What estimates a model's quality."""

    method: str

    @property
    def metrics(self) -> Mapping[str, Any]:
        """The metrics that can be estimated."""
        ...

    def problem(self, inputs: Any, weights: np.ndarray) -> str:
        """Return why these rows can't be estimated; empty if they can."""
        ...

    def estimate(self, metric: str, inputs: Any, weights: np.ndarray) -> float:
        """Estimate a metric of rows without labels."""
        ...

    def realised(self, metric: str, inputs: Any, labels: np.ndarray, weights: np.ndarray) -> float:
        """Compute a metric of rows with labels."""
        ...

    def of_reference(self, metric: str, rows: np.ndarray | slice) -> float:
        """Compute a metric of some rows of the reference."""
        ...

    def of_held_out(self, metric: str) -> tuple[float, float]:
        """Return a metric of rows of the reference: estimated without their labels, and from them."""
        ...


@dataclass(frozen=True)
class Usual:
    """What is usual of a metric.

    Attributes:
        mean: Its value on the reference.
        row: Its standard error times the root of the number of rows.
        sampling: Its deviation between the reference and windows of so many rows, by chance alone.
        chunks: Its deviation between chunks of the reference; NaN if there are too few.
        earlier: Its deviation between earlier spans; NaN if there are too few.
    """

    mean: float
    row: float
    sampling: float
    chunks: float
    earlier: float

    @property
    def deviation(self) -> float:
        """The largest of the three deviations; NaN if none is known."""
        known = [one for one in (self.sampling, self.chunks, self.earlier) if math.isfinite(one)]
        return max(known, default=math.nan)


@dataclass(frozen=True)
class Quality:
    """Estimates of the champion's quality.

    Attributes:
        problem: `binary`, `multiclass` or `regression`.
        reference: The reference rows.
        rows: They, as the estimator takes them.
        reader: Reads rows alike.
        estimator: Fitted on the reference; None if there is nothing to fit.
        fault: Why nothing can be estimated; empty if it can.
    """

    problem: str
    reference: Reference
    rows: Rows
    reader: RowReader
    estimator: Estimator | None
    fault: str = ""
    _rows: dict[str, float] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(cls, look: Look) -> "Quality":
        """Fit an estimator on the champion's reference, once in a run.

        Raises:
            RetrainerError: If there is no reference.
        """
        return look.share(("estimated quality",), lambda: cls._fit(look))

    @classmethod
    def _fit(cls, look: Look) -> "Quality":
        weight = str(look.evaluation.get("example_weight_key") or "")
        reference = look.share(
            ("reference",),
            lambda: find_or_make_reference(look.store, look.model, look.label, weight),
        )
        settings = look.section("estimated_quality")
        problem = str(settings.get("problem") or _problem_of(reference))
        reader = RowReader.of(reference, problem == REGRESSION)
        rows = reader.of_reference(reference)
        if rows.count < LEAST_REFERENCE_ROWS:
            fault = f"the reference has {rows.count:,} rows, and {LEAST_REFERENCE_ROWS} are needed"
            return cls(problem, reference, rows, reader, None, fault)
        estimator: Estimator
        try:
            if problem == REGRESSION:
                assert isinstance(rows.inputs, dict)
                estimator = LossEstimator.fit(rows.inputs, rows.labels, rows.weights)
            else:
                assert isinstance(rows.inputs, np.ndarray)
                estimator = ClassifierEstimator.fit(rows.inputs, rows.labels, rows.weights)
                most = float(settings.get("max_calibration_error", 0.05))
                if estimator.error - estimator.noise > most:
                    fault = (
                        f"probabilities are not calibrated: on held-out rows of the reference they miss the share of "
                        f"positive rows by {estimator.error:.3f} on average, and {most:g} is allowed"
                    )
                    return cls(problem, reference, rows, reader, None, fault)
        except ValueError as error:
            return cls(problem, reference, rows, reader, None, str(error))
        return cls(problem, reference, rows, reader, estimator)

    def usual(self, look: Look, metric: str, rows: float) -> Usual:
        """Return what is usual of a metric in windows of so many rows."""
        assert self.estimator is not None
        estimator = self.estimator

        def of(chosen: np.ndarray | slice) -> float:
            return estimator.of_reference(metric, chosen)

        row = self._row(metric)
        sampling = row * math.sqrt(1 / rows + 1 / self.rows.effective)
        earlier = [self.of_span(look, one, metric) for one in self._clean(look, metric)]
        return Usual(
            of(slice(None)),
            row,
            sampling,
            chunk_deviation(of, self.rows.count, rows),
            step_deviation(np.array(earlier)),
        )

    def _clean(self, look: Look, metric: str) -> list[PredictionSet]:
        """Return the newest earlier spans without broken data in a feature that did not breach the signal either."""
        past = look.share(("clean past", look.window), lambda: read_clean_past(look))
        order = {one.span: place for place, one in enumerate(look.earlier)}
        signal = f"{Kind.ESTIMATED}/{metric}"
        columns = ["", *self.reference.features]
        return [
            one
            for one in look.earlier
            if all(past.is_clean(one.span, name, signal, order) for name in columns)
        ][-EARLIER_SPANS:]

    def _row(self, metric: str) -> float:
        assert self.estimator is not None
        estimator = self.estimator
        if metric not in self._rows:
            self._rows[metric] = row_deviation(
                lambda chosen: estimator.of_reference(metric, chosen), self.rows.count
            )
        return self._rows[metric]

    def of_span(self, look: Look, span: PredictionSet, metric: str) -> float:
        """Estimate a metric of an earlier span; NaN if its rows can't be estimated."""
        assert self.estimator is not None
        estimator = self.estimator

        def estimate() -> dict[str, float]:
            rows = self.reader.of_window(look, [span], MOST_EARLIER_ROWS)
            if not rows.count or estimator.problem(rows.inputs, rows.weights):
                return {}
            return {
                name: estimator.estimate(name, rows.inputs, rows.weights)
                for name in self.wanted(look)
            }

        found = look.share(("estimate", span.uri, look.model.version), estimate)
        return found.get(metric, math.nan)

    def wanted(self, look: Look) -> list[str]:
        """List the metrics that are judged."""
        metrics = look.section("estimated_quality").get("metrics")
        return [str(one) for one in metrics or [USUAL_METRICS[self.problem]]]

    def biased(self, metric: str) -> str:
        """Return in words that the estimate fails on the reference itself; empty if it does not."""
        assert self.estimator is not None
        estimated, real = self.estimator.of_held_out(metric)
        by_chance = DEVIATIONS * self._row(metric) / math.sqrt(self.rows.effective)
        scale = abs(real) if metric in LESS_IS_BETTER else 1.0
        if not abs(estimated - real) > max(MOST_BIAS * scale, np.nan_to_num(by_chance)):
            return ""
        return (
            f"the estimate fails on the evaluation rows themselves: {metric} is {real:.4f} there, and estimated "
            f"{estimated:.4f}"
        )

    def moved(self, look: Look, metric: str, sets: Sequence[JoinedSet]) -> str:
        """Return in words that labelled rows contradict their estimates; empty if they do not, or if there are none.

        Rows are the same, and with them the inputs; so what differs beyond chance is the concept, or the calibration.

        Args:
            look: The look.
            metric: The metric.
            sets: Spans whose labels are due and mature, newest first.
        """
        sets = sets[:MOST_SPANS_COMPARED]
        if self.estimator is None or not sets:
            return ""
        rows = look.share(
            ("labelled", look.model.version, tuple(one.uri for one in sets)),
            lambda: self.reader.of_joined(sets, look.model.version, MOST_LABELLED_ROWS),
        )
        if rows.count < int(look.section("estimated_quality").get("min_rows", 300)):
            return ""
        inputs: Inputs = rows.inputs
        real = self.estimator.realised(metric, inputs, rows.labels, rows.weights)
        estimated = self.estimator.estimate(metric, inputs, rows.weights)
        usual = self.usual(look, metric, rows.effective)
        known = [one for one in (usual.sampling, usual.chunks) if math.isfinite(one)]
        if not known or not abs(real - estimated) > DEVIATIONS * max(known):
            return ""
        spans = name_spans([one.span for one in reversed(sets)])
        return (
            f"labels contradict the estimates: {metric} of {rows.count:,} labelled rows ({spans}) is {real:.4f}, "
            f"estimated {estimated:.4f}; the concept has moved, which estimates from the inputs can't know"
        )


def _problem_of(reference: Reference) -> str:
    if reference.predictions.ndim > 1:
        return MULTICLASS
    return BINARY if np.isin(reference.labels, (0.0, 1.0)).all() else REGRESSION
