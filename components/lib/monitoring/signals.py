"""A signal: what one check found on one subject, with the figures that it was judged by."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from ..errors import RetrainerError


class Kind(StrEnum):
    """What a signal is about."""

    DATA = "data"
    SKEW = "skew"
    DRIFT = "drift"
    PREDICTION_DRIFT = "prediction_drift"
    ESTIMATED = "estimated_quality"
    REALISED = "realised_quality"
    CONCEPT = "concept_drift"
    ATTRIBUTION = "attribution_drift"


class Outcome(StrEnum):
    """How a look judged a signal; `silent` could not be judged, and is never a pass."""

    OK = "ok"
    BREACHED = "breached"
    SILENT = "silent"


@dataclass(frozen=True)
class Signal:
    """What a check found on one subject in one look.

    Attributes:
        kind: What it is about.
        subject: A column, a metric with its slice, `volume` and the like. Kind and subject name the signal for ever.
        outcome: How it was judged.
        meaning: One plain sentence with the figures, for a person.
        value: What was measured; None if nothing could be.
        bound: What the value is judged against.
        clears_at: The value at which the signal counts as quiet again, on the other side of the bound: below it where
            more is worse, above it where less is worse. None: every look that is `ok` is quiet.
        window: Name of the newest span that was judged; empty for the newest span of the look.
        evidence: JSON values, such as interval, rows, reference spans and method.
    """

    kind: Kind
    subject: str
    outcome: Outcome
    meaning: str
    value: float | None = None
    bound: float | None = None
    clears_at: float | None = None
    window: str = ""
    evidence: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.subject or "\n" in self.subject:
            raise ValueError(f"a signal of kind {self.kind} has the subject {self.subject!r}")
        if not self.meaning:
            raise ValueError(f"the signal {self.name} has no meaning")

    @property
    def name(self) -> str:
        """Its stable name, `kind/subject`."""
        return f"{self.kind}/{self.subject}"

    @property
    def is_quiet(self) -> bool:
        """Return whether it was judged to be well on the right side of its bound."""
        if self.outcome != Outcome.OK:
            return False
        if None in (self.value, self.bound, self.clears_at):
            return True
        assert self.value is not None
        assert self.bound is not None
        assert self.clears_at is not None
        if self.clears_at <= self.bound:
            return self.value <= self.clears_at
        return self.value >= self.clears_at

    def content(self) -> dict[str, Any]:
        """Return the signal as JSON values; numbers that JSON lacks become null."""
        found = {
            "kind": str(self.kind),
            "subject": self.subject,
            "outcome": str(self.outcome),
            "meaning": self.meaning,
            "value": _finite(self.value),
            "bound": _finite(self.bound),
            "clears_at": _finite(self.clears_at),
            "window": self.window,
            "evidence": _json_value(self.evidence),
        }
        return {name: value for name, value in found.items() if value not in (None, "", {})}

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> "Signal":
        """Read a signal.

        Args:
            content: What `content` returned; unknown keys are ignored.

        Raises:
            RetrainerError: If it is no signal.
        """
        try:
            return cls(
                Kind(content["kind"]),
                str(content["subject"]),
                Outcome(content["outcome"]),
                str(content["meaning"]),
                _number(content.get("value")),
                _number(content.get("bound")),
                _number(content.get("clears_at")),
                str(content.get("window") or ""),
                dict(content.get("evidence") or {}),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise RetrainerError(
                f"this is no signal that retrainer wrote ({type(error).__name__}: {error}): {content!r:.200}"
            ) from error


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def _finite(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)


def _json_value(value: Any) -> Any:
    """Convert a value of Python or NumPy to one of JSON, at any depth."""
    if isinstance(value, Mapping):
        return {str(name): _json_value(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_json_value(inner) for inner in value]
    if value is None or isinstance(value, bool | int | str):
        return value
    if hasattr(value, "item"):
        return _json_value(value.item())
    return _finite(value) if isinstance(value, float) else str(value)
