"""The guards of a rollout: what each one compares, as values between 0 and 1 that `sequential_test` takes."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ..lib.sequential_test import Comparison, Values, block_ends, log_mean

REQUESTS, ROWS, LABELLED = "requests", "rows", "labelled"
# A reference is taken from the baseline's first rows, which are then not compared.
_FEWEST_REFERENCE, _MOST_REFERENCE = 50, 1000
_MOST_CLASSES = 20
_DECILES = np.arange(1, 10) / 10


@dataclass(frozen=True)
class GuardKind:
    """What a guard compares.

    Attributes:
        of: The rows that it looks at: `requests`, `rows`, or rows whose label is known.
        column: Names the column that must not be missing in a row.
        margin: Returns the increase of the mean that is allowed.
        values: Returns an array of values in [0, 1] for each comparison, from the rows and the reference.
        reference: Returns what values are compared with, from the baseline's first rows; None: nothing is needed.
        words: Describes what is compared.
    """

    of: str
    column: Callable[[Mapping[str, Any]], str]
    margin: Callable[[Mapping[str, Any]], float]
    values: Callable[[pd.DataFrame, Mapping[str, Any], list[Any]], list[np.ndarray]]
    words: Callable[[Mapping[str, Any]], str]
    reference: Callable[[pd.Series, Mapping[str, Any]], list[Any]] | None = None


@dataclass(frozen=True)
class GuardState:
    """A guard after some looks.

    Attributes:
        settings: What it was started with; other settings start it again.
        reference: What values are compared with; None as long as there were too few rows.
        comparisons: The state of each comparison.
        stage: Number of the rollout's stage that `stage_rows` counts.
        stage_rows: Rows of the canary that were compared in this stage.
    """

    settings: Mapping[str, Any]
    reference: list[Any] | None = None
    comparisons: tuple[Comparison, ...] = ()
    stage: int = 0
    stage_rows: int = 0

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> "GuardState":
        """Read what `content` returned."""
        comparisons = tuple(Comparison.of(one) for one in content["comparisons"])
        return cls(
            content["settings"],
            content["reference"],
            comparisons,
            content["stage"],
            content["stage_rows"],
        )

    def content(self) -> dict[str, Any]:
        """Return the state as JSON values."""
        return {
            "settings": dict(self.settings),
            "reference": self.reference,
            "comparisons": [comparison.content() for comparison in self.comparisons],
            "stage": self.stage,
            "stage_rows": self.stage_rows,
        }

    @property
    def log_evidence(self) -> float:
        """Logarithm of the evidence that the guard is violated: the mean over its comparisons."""
        if not self.comparisons:
            return 0.0
        return log_mean([float(comparison.log_evidence) for comparison in self.comparisons])

    @property
    def largest(self) -> Comparison | None:
        """The comparison with the most evidence; None if there is none yet."""
        return max(
            self.comparisons, key=lambda comparison: float(comparison.log_evidence), default=None
        )


def _failed(rows: pd.DataFrame, settings: Mapping[str, Any], _: list[Any]) -> list[np.ndarray]:
    return [rows["failed"].to_numpy(np.float64)]


def _latency_reference(values: pd.Series, settings: Mapping[str, Any]) -> list[Any]:
    return [float(np.quantile(values.to_numpy(np.float64), settings["quantile"]))]


def _slow(
    rows: pd.DataFrame, settings: Mapping[str, Any], reference: list[Any]
) -> list[np.ndarray]:
    """Return whether a request took longer than the bound, the canary's divided by the factor that is allowed.

    If the canary's quantile is at most `max_factor` times the baseline's, no more of its requests exceed the bound,
    wherever the bound is.
    """
    latency = rows["latency_ms"].to_numpy(np.float64)
    scaled = np.where(rows["arm"] == 1, latency / settings["max_factor"], latency)
    return [(scaled > reference[0]).astype(np.float64)]


def _drift_reference(values: pd.Series, settings: Mapping[str, Any]) -> list[Any]:
    if pd.api.types.is_numeric_dtype(values):
        return sorted({float(one) for one in np.quantile(values.to_numpy(np.float64), _DECILES)})
    return [str(one) for one in values.astype(str).value_counts().index[:_MOST_CLASSES]]


def _shares(
    rows: pd.DataFrame, settings: Mapping[str, Any], reference: list[Any]
) -> list[np.ndarray]:
    """Return whether a prediction is below each bound, or of each class, and the same the other way round."""
    found = rows[settings["column"]]
    if isinstance(reference[0], str):
        inside = [(found.astype(str) == one).to_numpy(np.float64) for one in reference]
    else:
        numbers = pd.to_numeric(found, errors="coerce").to_numpy(np.float64)
        inside = [(numbers <= one).astype(np.float64) for one in reference]
    return [*inside, *(1 - one for one in inside)]


def _loss(rows: pd.DataFrame, settings: Mapping[str, Any], _: list[Any]) -> list[np.ndarray]:
    return [row_loss(rows, settings)]


def row_loss(rows: pd.DataFrame, settings: Mapping[str, Any]) -> np.ndarray:
    """Return the loss of each row, as a share of `max_loss`.

    Args:
        rows: Rows with prediction and label.
        settings: The guard `metric`.
    """
    label, prediction = rows[settings["label"]], rows[settings["prediction"]]
    numeric = all(pd.api.types.is_numeric_dtype(one) for one in (label, prediction))
    if settings["loss"] == "zero_one":
        if not numeric:
            return (label.astype(str) != prediction.astype(str)).to_numpy(np.float64)
        bound = settings["threshold"]
        return ((label > bound) != (prediction > bound)).to_numpy(np.float64)
    difference = (
        pd.to_numeric(label, errors="coerce") - pd.to_numeric(prediction, errors="coerce")
    ).abs()
    loss = difference**2 if settings["loss"] == "squared" else difference
    return np.clip(loss.to_numpy(np.float64) / settings["max_loss"], 0, 1)


GUARDS = {
    "error_rate": GuardKind(
        REQUESTS,
        lambda settings: "failed",
        lambda settings: float(settings["max_increase"]),
        _failed,
        lambda settings: "share of failed requests",
    ),
    "latency_ms": GuardKind(
        REQUESTS,
        lambda settings: "latency_ms",
        lambda settings: 0.0,
        _slow,
        lambda settings: (
            f"share of slow requests, the canary's time divided by {settings['max_factor']:g}"
        ),
        _latency_reference,
    ),
    "prediction_drift": GuardKind(
        ROWS,
        lambda settings: str(settings["column"]),
        lambda settings: float(settings["max_difference"]),
        _shares,
        lambda settings: f"distribution of {settings['column']}",
        _drift_reference,
    ),
    "metric": GuardKind(
        LABELLED,
        lambda settings: str(settings["prediction"]),
        lambda settings: float(settings["max_increase"]) / float(settings["max_loss"]),
        _loss,
        lambda settings: f"{settings['loss']} loss",
    ),
}
"""The guards by their names in `serving.rollout.guards`."""


def look(
    name: str,
    state: GuardState,
    rows: pd.DataFrame,
    stages: Sequence[float],
) -> GuardState:
    """Take a look's rows into a guard.

    Rows of different stages are blocks of their own: the arms' shares differ there, and so may the hour.

    Args:
        name: One of `GUARDS`.
        state: The guard before.
        rows: The look's new rows in time.
        stages: When each stage began, in seconds.
    """
    kind, settings = GUARDS[name], state.settings
    stage = len(stages)
    stage_rows = state.stage_rows if state.stage == stage else 0
    column = kind.column(settings)
    if len(rows):
        rows = rows[rows[column].notna()]
    reference, comparisons = state.reference, state.comparisons
    if reference is None and kind.reference is not None:
        rows, reference = _take_reference(kind, settings, rows, column)
    elif reference is None:
        reference = []
    if reference is None or rows.empty:
        return GuardState(settings, reference, comparisons, stage, stage_rows)
    values = kind.values(rows, settings, reference)
    if not comparisons:
        comparisons = tuple(Comparison.start(kind.margin(settings)) for _ in values)
    arm = rows["arm"].to_numpy()
    in_stage = np.searchsorted(np.asarray(stages), rows["time"].to_numpy(), side="right")
    for number in np.unique(in_stage):
        inside = np.flatnonzero(in_stage == number)
        if len(np.unique(arm[inside])) < 2:
            continue
        start, seen = (
            0,
            int(sum(one.rows for one in (comparisons[0].baseline, comparisons[0].canary))),
        )
        for end in block_ends(seen, len(inside)):
            block = inside[start:end]
            start = end
            comparisons = tuple(
                one.plus(_values(each, block, arm == 0), _values(each, block, arm == 1))
                for one, each in zip(comparisons, values, strict=True)
            )
        if number == stage:
            stage_rows += int((arm[inside] == 1).sum())
    return GuardState(settings, reference, comparisons, stage, stage_rows)


def is_violated(state: GuardState, alpha: float) -> bool:
    """Return whether the evidence against a guard is enough.

    Args:
        state: The guard.
        alpha: Its share of the probability of a false alarm.
    """
    return state.log_evidence >= -math.log(alpha)


def describe(name: str, state: GuardState) -> str:
    """Describe what a guard saw, such as `error_rate 0.021 after 0.010 (share of failed requests)`."""
    largest = state.largest
    if largest is None or not largest.canary.rows or not largest.baseline.rows:
        return f"{name}: nothing to compare yet"
    scale = float(state.settings.get("max_loss", 1.0))
    canary = scale * float(largest.canary.total / largest.canary.rows)
    baseline = scale * float(largest.baseline.total / largest.baseline.rows)
    return (
        f"{name}: {canary:.4g} against {baseline:.4g} before ({GUARDS[name].words(state.settings)}; "
        f"{int(largest.canary.rows):,} and {int(largest.baseline.rows):,} compared)"
    )


def _take_reference(
    kind: GuardKind, settings: Mapping[str, Any], rows: pd.DataFrame, column: str
) -> tuple[pd.DataFrame, list[Any] | None]:
    assert kind.reference is not None
    if rows.empty:
        return rows, None
    baseline = rows[rows["arm"] == 0]
    count = min(_MOST_REFERENCE, len(baseline) // 2)
    if count < _FEWEST_REFERENCE:
        # The rows of this look are not compared; the next ones may be.
        return rows.iloc[:0], None
    first = baseline.iloc[:count]
    return rows.drop(first.index), kind.reference(first[column], settings)


def _values(values: np.ndarray, block: np.ndarray, mask: np.ndarray) -> Values:
    chosen = values[block[mask[block]]]
    return Values.of(chosen[~np.isnan(chosen)])
