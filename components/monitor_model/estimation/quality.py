"""What estimates of a champion's quality need: its estimator, fitted on the reference, and what is usual."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ...lib.monitoring.reference import Reference
from ...lib.monitoring.signals import Kind
from ...lib.predictions.joined_sets import JoinedSet
from ...lib.predictions.prediction_sets import PredictionSet
from ...lib.words import name_spans
from ..distances.clean_past import read_clean_past
from ..look import Look
from .classification import ClassifierEstimator
from .metrics import LESS_IS_BETTER
from .regression import LossEstimator
from .rows import Inputs, RowReader, Rows
from .usual import DEVIATIONS, Baseline, Estimator

MOST_ROWS, MOST_CELLS = 400_000, 8_000_000
"""A window is estimated on so many rows at most, evenly chosen, with so many numbers at most."""
MOST_EARLIER_ROWS = 50_000
EARLIER_SPANS = 28
"""Earlier spans whose estimates show what is usual: four weeks of days."""
LEAST_REFERENCE_ROWS = 500
MOST_LABELLED_ROWS = 100_000
MOST_SPANS_COMPARED = 5
MOST_BIAS = 0.01
"""By so much an estimate may miss on the reference itself; of a loss or an error, by this share of it."""
BINARY, MULTICLASS, REGRESSION = "binary", "multiclass", "regression"
USUAL_METRICS = {BINARY: "auc", MULTICLASS: "accuracy", REGRESSION: "mae"}


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
    _baselines: dict[str, Baseline] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(cls, look: Look) -> "Quality":
        """Fit an estimator on the champion's reference, once in a run.

        Raises:
            RetrainerError: If there is no reference.
        """
        return look.share(("estimated quality",), lambda: cls._fit(look))

    @classmethod
    def _fit(cls, look: Look) -> "Quality":
        reference = look.reference()
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

    @property
    def most_rows(self) -> int:
        """How many rows of a window are read at most."""
        width = len(self.reader.outputs) + len(self.reader.features)
        return max(10_000, min(MOST_ROWS, MOST_CELLS // width))

    def baseline(self, metric: str) -> Baseline:
        """Return what the reference says of a metric."""
        assert self.estimator is not None
        if metric not in self._baselines:
            self._baselines[metric] = Baseline(self.estimator, metric)
        return self._baselines[metric]

    def earlier(self, look: Look, metric: str) -> np.ndarray:
        """Estimate a metric of the clean spans before the window, oldest first; NaN where it can't be estimated."""
        return np.array(
            [
                self._of_span(look, prediction_set, metric)
                for prediction_set in self._clean(look, metric)
            ]
        )

    def _clean(self, look: Look, metric: str) -> list[PredictionSet]:
        """Return the newest earlier spans without broken data in a feature that did not breach the signal either."""
        past = look.share(("clean past", look.window), lambda: read_clean_past(look))
        order = {prediction_set.span: place for place, prediction_set in enumerate(look.earlier)}
        signal = f"{Kind.ESTIMATED}/{metric}"
        columns = ["", *self.reference.features]
        return [
            prediction_set
            for prediction_set in look.earlier
            if all(past.is_clean(prediction_set.span, name, signal, order) for name in columns)
        ][-EARLIER_SPANS:]

    def _of_span(self, look: Look, span: PredictionSet, metric: str) -> float:
        """Estimate a metric of an earlier span; NaN if its rows can't be estimated."""
        assert self.estimator is not None
        estimator = self.estimator

        def estimate() -> dict[str, float]:
            rows = self.reader.of_window(look, [span], min(MOST_EARLIER_ROWS, self.most_rows))
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
        return [str(metric) for metric in metrics or [USUAL_METRICS[self.problem]]]

    def biased(self, metric: str) -> str:
        """Return in words that the estimate fails on the reference itself; empty if it does not."""
        assert self.estimator is not None
        baseline = self.baseline(metric)
        estimated, real = baseline.estimated, baseline.real
        by_chance = DEVIATIONS * baseline.row / math.sqrt(baseline.rows)
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
            ("labelled", look.model.version, tuple(joined_set.uri for joined_set in sets)),
            lambda: self.reader.of_joined(
                sets, look.model.version, min(MOST_LABELLED_ROWS, self.most_rows)
            ),
        )
        if rows.count < int(look.section("estimated_quality").get("min_rows", 300)):
            return ""
        inputs: Inputs = rows.inputs
        real = self.estimator.realised(metric, inputs, rows.labels, rows.weights)
        estimated = self.estimator.estimate(metric, inputs, rows.weights)
        deviation = self.baseline(metric).of_reference(rows.effective).deviation
        if not abs(real - estimated) > DEVIATIONS * deviation:
            return ""
        spans = name_spans([joined_set.span for joined_set in reversed(sets)])
        return (
            f"labels contradict the estimates: {metric} of {rows.count:,} labelled rows ({spans}) is {real:.4f}, "
            f"estimated {estimated:.4f}; the concept has moved, which estimates from the inputs can't know"
        )


def _problem_of(reference: Reference) -> str:
    if reference.predictions.ndim > 1:
        return MULTICLASS
    return BINARY if np.isin(reference.labels, (0.0, 1.0)).all() else REGRESSION
