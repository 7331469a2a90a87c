"""The section `serving.rollout` as tasks and commands get it: JSON values with every default filled in."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Stage:
    """One stage of a rollout.

    Attributes:
        percent: Share of the requests that the canary answers; 0 in the shadow stage.
        hold_seconds: How long the stage lasts at least.
        min_requests: How many requests of the canary must have been observed in it.
    """

    percent: int
    hold_seconds: int
    min_requests: int


@dataclass(frozen=True)
class RolloutSettings:
    """How a new champion gets its requests.

    Attributes:
        steps: The stages with growing shares of the requests.
        shadow: The stage before them, in which the canary gets copies of requests; None for no such stage.
        guards: Settings of each guard, by its name.
        alpha: Probability that a rollout of a model that violates no guard is aborted, at most.
        give_up_seconds: How long a stage may last before the rollout is aborted; None: it waits.
        observations: URI pattern of the tables of predictions.
        labels: URI pattern of the tables of labels; empty if there are none.
        label_key: Columns by which a label's row finds its prediction.
    """

    steps: tuple[Stage, ...]
    shadow: Stage | None
    guards: Mapping[str, Mapping[str, Any]]
    alpha: float
    give_up_seconds: int | None
    observations: str
    labels: str
    label_key: tuple[str, ...]

    @classmethod
    def of(cls, section: Mapping[str, Any]) -> "RolloutSettings":
        """Read the section as a pipeline's parameter carries it.

        Args:
            section: `serving.rollout` with its defaults; keys without a value are left out.
        """
        shadow = section.get("shadow")
        return cls(
            steps=tuple(_stage(one, int(one["percent"])) for one in section["steps"]),
            shadow=_stage(shadow, 0) if shadow else None,
            guards={name: one for name, one in section.get("guards", {}).items() if one},
            alpha=float(section.get("alpha", 0.05)),
            give_up_seconds=section.get("give_up_seconds"),
            observations=section.get("observations", ""),
            labels=section.get("labels") or "",
            label_key=tuple(section.get("label_key") or ("request_id", "row")),
        )

    @property
    def stages(self) -> tuple[Stage, ...]:
        """Every stage in order, the shadow stage first."""
        return ((self.shadow,) if self.shadow else ()) + self.steps


def _stage(values: Mapping[str, Any], percent: int) -> Stage:
    return Stage(percent, int(values["hold_seconds"]), int(values["min_requests"]))
