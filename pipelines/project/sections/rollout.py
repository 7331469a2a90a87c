"""The section `serving.rollout`: how a new champion gets its requests."""

import itertools
from collections.abc import Callable
from typing import Literal

from pydantic import Field, model_validator

from .schedule import ScheduleConfig
from .section import Section


class ShadowConfig(Section):
    """A stage before the steps, in which the new version gets copies of requests and answers nobody."""

    hold_seconds: int = Field(3600, ge=0, description="Minimum seconds in this stage.")
    min_requests: int = Field(
        1_000, ge=1, description="Minimum requests of the new version observed in this stage."
    )


class StepConfig(Section):
    """A stage in which the new version answers a share of the requests."""

    percent: int = Field(
        ge=1, le=100, description="Share of the requests that the new version answers."
    )
    hold_seconds: int = Field(3600, ge=0, description="Minimum seconds in this stage.")
    min_requests: int = Field(
        20_000, ge=1, description="Minimum requests of the new version observed in this stage."
    )


class ErrorRateGuard(Section):
    """The share of requests that fail."""

    max_increase: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="Increase of the share that is allowed, such as `0.005` for half a point.",
    )


class LatencyGuard(Section):
    """How long requests take."""

    quantile: float = Field(
        0.95, gt=0, lt=1, description="Quantile of the latency that is compared."
    )
    max_factor: float = Field(
        1.2, ge=1, description="Factor by which the quantile may be larger than before."
    )


class PredictionDriftGuard(Section):
    """How differently both versions predict."""

    column: str = Field(
        "prediction", description="Column of the prediction: a number, or the name of a class."
    )
    max_difference: float = Field(
        0.1,
        ge=0,
        lt=1,
        description="Maximum difference of the distributions: of numbers, of the shares of rows below a value; of "
        "classes, of the share of a class.",
    )


class MetricGuard(Section):
    """The loss of rows whose labels are known."""

    label: str = Field(min_length=1, description="Column of the label, in `labels`.")
    prediction: str = Field("prediction", description="Column of the prediction.")
    loss: Literal["zero_one", "squared", "absolute"] = Field(
        "squared",
        description="Loss of a row: `zero_one` (1 if prediction and label are on different sides of `threshold`, or "
        "are different classes), `squared` or `absolute` difference.",
    )
    threshold: float = Field(
        0.5, description="With `zero_one` and numbers: predictions above it mean 1."
    )
    max_loss: float = Field(
        1.0, gt=0, description="Loss that counts as the worst; larger losses count as this one."
    )
    max_increase: float = Field(
        0.0, ge=0, description="Increase of the mean loss that is allowed, below `max_loss`."
    )
    min_rows: int = Field(
        100, ge=1, description="Minimum rows with labels of the new version in each stage."
    )

    @model_validator(mode="after")
    def _increase_is_possible(self) -> "MetricGuard":
        if self.max_increase >= self.max_loss:
            raise ValueError(
                f"max_increase ({self.max_increase}) must be smaller than max_loss ({self.max_loss}), or nothing "
                "violates it"
            )
        return self


class GuardsConfig(Section):
    """What aborts a rollout: each guard compares the new version with the one that served before."""

    error_rate: ErrorRateGuard | None = Field(None, description="Failed requests; off if null.")
    latency_ms: LatencyGuard | None = Field(None, description="Latency; off if null.")
    prediction_drift: PredictionDriftGuard | None = Field(
        None, description="Predictions; off if null."
    )
    metric: MetricGuard | None = Field(
        None, description="Loss where labels come; off if null. Needs `labels`."
    )


def _default_steps() -> list[StepConfig]:
    return [StepConfig(percent=percent) for percent in (5, 25, 50)]


class RolloutConfig(Section):
    """How a new champion gets its requests: step by step, watched by `watch_rollout`."""

    observations: str = Field(
        min_length=1,
        description="Path or URI pattern of the tables of predictions, Parquet or JSON Lines, such as "
        "`gs://acme/store/predictions/*/*/*.parquet`, those of the store. A relative path starts at retrain.yaml's "
        "folder.",
    )
    steps: list[StepConfig] = Field(
        default_factory=_default_steps,
        min_length=1,
        description="Stages with growing `percent`, by default 5, 25 and 50; after the last one the new version "
        "answers everything.",
    )
    shadow: ShadowConfig | None = Field(
        None, description="A stage before the steps with copies of requests; none if null."
    )
    guards: GuardsConfig = Field(
        default_factory=lambda: GuardsConfig(error_rate=ErrorRateGuard()),
        description="What aborts a rollout; `error_rate` alone if not set.",
    )
    alpha: float = Field(
        0.05,
        gt=0,
        le=0.5,
        description="Maximum probability that a version which violates no guard is rolled back, over all guards and "
        "looks.",
    )
    labels: str | None = Field(
        None,
        description="Path or URI pattern of the tables of labels, for the guard `metric`; none if null.",
    )
    label_key: list[str] = Field(
        default_factory=lambda: ["request_id", "row"],
        min_length=1,
        description="Columns that labels and predictions share, by which a label finds its prediction.",
    )
    give_up_seconds: int | None = Field(
        None,
        ge=1,
        description="Seconds in one stage after which a rollout is rolled back, such as when no observations come; it "
        "waits if null.",
    )
    schedule: ScheduleConfig | None = Field(
        None,
        description="When `watch_rollout` runs, such as `{cron: '*/10 * * * *'}`; never if null.",
    )

    @model_validator(mode="after")
    def _steps_grow(self) -> "RolloutConfig":
        shares = [one.percent for one in self.steps]
        for before, after in itertools.pairwise(shares):
            if after <= before:
                raise ValueError(
                    f"steps: percent must grow from step to step, but {after} follows {before}"
                )
        return self

    @model_validator(mode="after")
    def _guards_have_what_they_need(self) -> "RolloutConfig":
        guards = self.guards
        if not any(getattr(guards, name) for name in type(guards).model_fields):
            raise ValueError(
                "guards: there is none, so nothing would stop a rollout; set one, such as error_rate: {}"
            )
        if guards.metric and not self.labels:
            raise ValueError("guards.metric needs labels: name the tables that have them")
        return self

    def located(self, absolute: Callable[[str], str]) -> "RolloutConfig":
        """Return the section with its paths made absolute.

        Args:
            absolute: Makes a path absolute, and leaves a URI as it is.
        """
        labels = absolute(self.labels) if self.labels else None
        return self.model_copy(
            update={"observations": absolute(self.observations), "labels": labels}
        )
