"""The sections of retrain.yaml on what good means: of data, of a model, and of serving it."""

from typing import Any, Literal

from pydantic import Field, field_validator

from .section import Section, with_text_keys


class StatisticsConfig(Section):
    """How statistics are computed."""

    stats_options: dict[str, Any] = Field(
        default_factory=dict,
        description="Arguments of tfdv.StatsOptions by their own names, such as `num_top_values`.",
    )


class ValidationConfig(Section):
    """What data may train a model."""

    schema_uri: str | None = Field(
        None,
        description="A curated schema.pbtxt. If null, the first run infers one and freezes it in the store.",
    )
    domains: dict[str, dict[str, Any]] = Field(
        default_factory=dict,
        description="What columns may hold, over what the schema says: `{column: {min: 1, max: 9}}` for numbers, "
        "`{column: {values: [a, b], min_domain_mass: 1}}` for text.",
    )
    drift: dict[str, Any] = Field(
        default_factory=dict,
        description="Thresholds for the newest span against the earlier ones, in TFDV's words: `infinity_norm` for "
        "text, `jensen_shannon_divergence` for numbers, and the same by column under `columns`. What exceeds a "
        "threshold set here is an error. Without one, 0.1 warns (for numbers over quantile bins), and from 0.5 on it "
        "is an error, unless the column usually moves as far.",
    )
    skew: dict[str, Any] = Field(
        default_factory=dict, description="The same for training against evaluation."
    )
    severity: dict[str, Any] = Field(
        default_factory=dict,
        description="`error`, `warning` or `ignore` by kind of finding, and by column under `columns`.",
    )
    min_domain_mass: float = Field(
        0.99,
        ge=0,
        le=1,
        description="The share of a text column's rows that must have values of its domain.",
    )
    min_rows_fraction: float = Field(
        0.2,
        ge=0,
        le=1,
        description="How few rows the newest span may have, as a fraction of the earlier spans' median.",
    )
    max_label_change: float = Field(
        0.15,
        ge=0,
        le=1,
        description="How far a class of the label may move beyond the rates of the earlier spans, as a share of rows.",
    )
    max_rows_factor: float = Field(
        3.0,
        ge=1,
        description="How many times the earlier spans' median the newest span's rows may be.",
    )
    max_label_factor: float = Field(
        3.0,
        ge=1,
        description="How many times as often, or as rarely, as in any earlier span a class of the label may come.",
    )


def _all_rows() -> list[dict[str, Any]]:
    return [{}]


class EvaluationConfig(Section):
    """What good means, in TFMA's own words."""

    metrics_specs: list[dict[str, Any]] = Field(
        description="tfma.MetricsSpec messages: metrics with their thresholds. A model is blessed only if thresholds "
        "are set and met."
    )
    slicing_specs: list[dict[str, Any]] = Field(
        default_factory=_all_rows,
        description="tfma.SlicingSpec messages; {} is all rows, feature_keys makes a slice of each value.",
    )
    options: dict[str, Any] = Field(default_factory=dict, description="tfma.Options message.")
    example_weight_key: str | None = Field(
        None, description="Column that weighs the rows; null: all rows weigh the same."
    )
    champion_changed: Literal["fail", "judge_again"] = Field(
        "fail",
        description="What a run does if another run changed the champion while its model was judged: `fail`, or "
        "`judge_again`, once, against the new champion. That adds two tasks to each run, which end at once where "
        "nothing changed.",
    )

    @field_validator("metrics_specs", "slicing_specs", "options", mode="before")
    @classmethod
    def _text_keys(cls, value: Any) -> Any:
        """Convert keys to text, as in JSON: YAML reads `class_weights: {0: 1.0}` with a number as key."""
        return with_text_keys(value)


class ServingConfig(Section):
    """How the model is tried before it is handed over."""

    rows: int = Field(
        64, ge=1, description="Rows of the evaluation split that are sent to the model."
    )
    requests: int = Field(50, ge=0, description="Single-row requests that are timed; 0 for none.")
    max_latency_ms: float | None = Field(
        None,
        gt=0,
        description="The most that the 95th percentile of single-row requests may take, in milliseconds; null: any.",
    )
    timeout_seconds: float = Field(
        300.0, gt=0, description="How long loading and serving may take in all."
    )
