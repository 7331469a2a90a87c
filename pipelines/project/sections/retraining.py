"""The section of retrain.yaml on which incidents of monitoring start a run."""

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from ....components.lib.monitoring.retraining_settings import DEFAULT_SIGNALS
from ....components.lib.monitoring.run_request import TRIGGER
from ....components.lib.monitoring.signals import Kind
from .data import DataConfig
from .section import Section
from .triggers import TriggerConfig

RETRAINING_TRIGGER = TRIGGER
"""Name of the trigger that this section is: label of its runs, and attribute of its messages."""
INCIDENT = "incident"
"""Its kind, which no trigger under `triggers` has."""
_RETRAINING_KINDS = tuple(str(kind) for kind in Kind if kind != Kind.DATA)


class RetrainingConfig(Section):
    """Which incidents of monitoring start a run, and how often. Without the section none does."""

    signals: list[str] = Field(
        default_factory=lambda: list(DEFAULT_SIGNALS),
        min_length=1,
        description="Signals that start a run: kinds (`skew`, `drift`, `prediction_drift`, `estimated_quality`, "
        "`realised_quality`, `concept_drift`, `attribution_drift`), or names as `drift/dep_delay`, with `*` and `?`. "
        "Broken data (`data`) never does.",
    )
    cool_down_seconds: int = Field(
        21_600,
        ge=0,
        le=2_592_000,
        description="Minimum seconds between two runs that incidents start, at most 30 days; an incident waits.",
    )
    daily_limit: int | None = Field(
        2,
        ge=1,
        description="Maximum runs in a UTC day that incidents start; an incident waits. null: 2.",
    )
    min_new_labelled_rows: int = Field(
        1,
        ge=0,
        description="Least number of rows with a label that the champion was not trained on; with fewer, no run is "
        "started.",
    )
    otherwise: Literal["needs_a_person", "wait"] = Field(
        "needs_a_person",
        description="Where there are fewer. needs_a_person: the incident has that state, and is notified of; a run "
        "starts all the same once the rows are there. wait: the same without the state and the notification.",
    )
    confirm_looks: int = Field(
        3,
        ge=1,
        description="Looks at the new champion without a signal after which an incident is resolved. A signal that is "
        "detected again before that escalates the incident: no second run is started for it.",
    )
    run_timeout_seconds: int = Field(
        86_400,
        ge=60,
        description="Seconds after which a run that has recorded no end is given up, and its incident escalated.",
    )

    topic: str | None = Field(
        None,
        pattern=r"^projects/[^/\s]+/topics/[^/\s]+$",
        description="Pub/Sub topic to which `monitor_model` publishes incidents that ask for a run; the trigger "
        "service starts it. The tasks' account needs roles/pubsub.publisher there.",
    )
    url: str | None = Field(
        None,
        pattern=r"^https?://[^\s]+$",
        description="Address of the trigger service, ending in /push, to which `monitor_model` posts them instead. "
        "Each look sends it again until the run is started. With neither, the trigger service finds incidents in the "
        "store, or `retrainer run --pipeline monitoring` starts their runs itself.",
    )
    audience: str | None = Field(
        None,
        description="Audience of the token that is sent to `url`, by the tasks' account; `url` if null.",
    )

    @field_validator("signals")
    @classmethod
    def _are_signals(cls, value: list[str]) -> list[str]:
        for one in value:
            kind = one.partition("/")[0]
            if kind == Kind.DATA:
                raise ValueError(
                    f"'{one}' is broken data, which never starts a run: a model trained on it would be broken, too"
                )
            if kind not in _RETRAINING_KINDS and not set(kind) & set("*?"):
                raise ValueError(
                    f"'{one}' is no kind of signal; use {', '.join(_RETRAINING_KINDS)}"
                )
        return value

    @model_validator(mode="after")
    def _has_one_way(self) -> "RetrainingConfig":
        if self.topic and self.url:
            raise ValueError("has both topic and url; keep one of them")
        return self

    def values(self, pipeline: str, data: DataConfig) -> dict[str, Any]:
        """Return the section as tasks get it.

        Args:
            pipeline: The pipeline's name, which messages name.
            data: Where the spans are that a run trains on.
        """
        return {
            **self.model_dump(mode="json", exclude_none=True),
            "pipeline": pipeline,
            "pattern": data.pattern,
            "marker": data.marker or "",
            "label": data.label,
        }

    def trigger(self) -> TriggerConfig:
        """Return the trigger that starts the runs."""
        return TriggerConfig.model_construct(
            {"kind", "cool_down_seconds", "daily_limit"},
            kind=INCIDENT,
            cool_down_seconds=self.cool_down_seconds,
            daily_limit=self.daily_limit,
        )
