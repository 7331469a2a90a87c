"""The sections of retrain.yaml on quality: of data, of a model, and of serving it."""

from typing import Any, Literal

from pydantic import Field, PositiveFloat, PositiveInt, field_validator, model_validator

from .deploy.deploy import DeployConfig
from .rollout import RolloutConfig
from .section import Section, with_text_keys


class StatisticsConfig(Section):
    """How statistics are computed."""

    stats_options: dict[str, Any] = Field(
        default_factory=dict,
        description="Arguments of tfdv.StatsOptions by name, such as `num_top_values`.",
    )


class ValidationConfig(Section):
    """Which data may train a model."""

    schema_uri: str | None = Field(
        None,
        description="A curated schema.pbtxt. If null, the first run infers a schema and freezes it in the store.",
    )
    domains: dict[str, dict[str, Any]] = Field(
        default_factory=dict,
        description="Domains of columns, which override the schema: `{column: {min: 1, max: 9}}` for numbers, "
        "`{column: {values: [a, b], min_domain_mass: 1}}` for text.",
    )
    drift: dict[str, Any] = Field(
        default_factory=dict,
        description="Drift thresholds for the newest span against the earlier ones, as TFDV names them: "
        "`infinity_norm` for text, `jensen_shannon_divergence` for numbers, and the same by column under "
        "`columns`. Above a threshold set here is an error. The default warns above 0.1 (numbers over "
        "quantile bins) and is an error from 0.5 on, unless the column usually moves as far.",
    )
    skew: dict[str, Any] = Field(
        default_factory=dict, description="The same thresholds for training against evaluation."
    )
    severity: dict[str, Any] = Field(
        default_factory=dict,
        description="`error`, `warning` or `ignore` by kind of finding, and by column under `columns`.",
    )
    min_domain_mass: float = Field(
        0.99,
        ge=0,
        le=1,
        description="Minimum share of a text column's rows with values of its domain.",
    )
    min_rows_fraction: float = Field(
        0.2,
        ge=0,
        le=1,
        description="Minimum rows of the newest span, as a fraction of the earlier spans' median.",
    )
    max_label_change: float = Field(
        0.15,
        ge=0,
        le=1,
        description="Maximum change of a label class's rate beyond the range of the earlier spans, as a share of "
        "rows.",
    )
    max_rows_factor: float = Field(
        3.0,
        ge=1,
        description="Maximum rows of the newest span, as a multiple of the earlier spans' median.",
    )
    max_label_factor: float = Field(
        3.0,
        ge=1,
        description="Maximum factor by which a label class may be more or less frequent than in any earlier span.",
    )


def _all_rows() -> list[dict[str, Any]]:
    return [{}]


class EvaluationConfig(Section):
    """Metrics, slices and thresholds, as TFMA defines them."""

    metrics_specs: list[dict[str, Any]] = Field(
        description="tfma.MetricsSpec messages: metrics with their thresholds. A model is blessed only if there are "
        "thresholds and all are met."
    )
    slicing_specs: list[dict[str, Any]] = Field(
        default_factory=_all_rows,
        description="tfma.SlicingSpec messages; {} is all rows, feature_keys makes a slice for each value.",
    )
    options: dict[str, Any] = Field(default_factory=dict, description="tfma.Options message.")
    example_weight_key: str | None = Field(
        None, description="Column with the weight of each row; null: all rows have equal weight."
    )
    champion_changed: Literal["fail", "judge_again"] = Field(
        "fail",
        description="If another run changes the champion while a model is evaluated: `fail`, or `judge_again` to "
        "evaluate once more, against the new champion. judge_again adds two tasks to each run, which end "
        "at once if nothing changed.",
    )

    @field_validator("metrics_specs", "slicing_specs", "options", mode="before")
    @classmethod
    def _text_keys(cls, value: Any) -> Any:
        """Convert keys to text, as in JSON: YAML reads `class_weights: {0: 1.0}` with a number as key."""
        return with_text_keys(value)


_LATENCIES = (
    "max_latency_ms",
    "max_latency_p50_ms",
    "max_latency_p99_ms",
    "max_latency_by_batch",
)
_CHECK = (
    "rows",
    "requests",
    *_LATENCIES,
    "memory_requests",
    "max_memory_growth_mb",
    "timeout_seconds",
    "tolerance",
    "max_memory_mb",
)


class ServingConfig(Section):
    """How the model is tested in a server process before it is pushed, and where it is deployed after that."""

    rows: int = Field(64, ge=1, description="Number of evaluation rows to send to the model.")
    requests: int = Field(
        50,
        ge=0,
        description="Number of single-row requests to time, and a fifth as many in batches of 8, 64 and 512; 0 for "
        "none.",
    )
    max_latency_ms: float | None = Field(
        None,
        gt=0,
        description="Maximum 95th percentile of the single-row requests, in milliseconds; null: no limit.",
    )
    max_latency_p50_ms: float | None = Field(
        None,
        gt=0,
        description="Maximum median of the single-row requests, in milliseconds; null: no limit.",
    )
    max_latency_p99_ms: float | None = Field(
        None,
        gt=0,
        description="Maximum 99th percentile of the single-row requests, in milliseconds; null: no limit. With fewer "
        "than some 500 `requests` it is about the slowest one.",
    )
    max_latency_by_batch: dict[PositiveInt, PositiveFloat] = Field(
        default_factory=dict,
        description="Maximum 95th percentile of requests with several rows, in milliseconds by batch size, such as "
        "`{64: 20}`.",
    )
    memory_requests: int = Field(
        10_000,
        ge=0,
        description="Number of single-row requests to send while the server's memory is measured, after a warm-up; 0 "
        "for none. After 500 the others are sent only if memory grows: by a rate that reaches a tenth of "
        "max_memory_growth_mb. None are sent after 20 seconds.",
    )
    max_memory_growth_mb: float = Field(
        8.0, gt=0, description="Maximum growth of the server's memory meanwhile, in MiB."
    )
    max_memory_mb: float | None = Field(
        None,
        gt=0,
        description="Maximum memory of the server after these requests, in MiB. TensorFlow itself takes some 300; "
        "null: no limit.",
    )
    timeout_seconds: float = Field(
        300.0, gt=0, description="Maximum time for loading and serving together, in seconds."
    )
    tolerance: float = Field(
        1e-4,
        gt=0,
        lt=1,
        description="Maximum difference of predictions that count as equal, relative to the prediction. Evaluation on "
        "a GPU and serving on CPUs may need 0.01: TensorFloat-32 keeps 10 bits of a number.",
    )
    rollout: RolloutConfig | None = Field(
        None,
        description="How a new champion gets its requests; all at once if null.",
    )
    deploy: DeployConfig = Field(default_factory=DeployConfig)

    def check_settings(self) -> dict[str, Any]:
        """Return the inputs of `check_serving`: the settings without those of what follows a push."""
        settings = self.model_dump(include=set(_CHECK), exclude_none=True)
        # A pipeline's parameter has text as keys.
        by_batch = {str(size): bound for size, bound in self.max_latency_by_batch.items()}
        return {**settings, "max_latency_by_batch": by_batch}

    @model_validator(mode="after")
    def _bounds_are_measured(self) -> "ServingConfig":
        bounds = [name for name in _LATENCIES if getattr(self, name)]
        if bounds and not self.requests:
            raise ValueError(
                f"requests is 0, so no latency is measured; set it above 0, or remove {' and '.join(bounds)}"
            )
        if not self.memory_requests and self.max_memory_mb:
            raise ValueError(
                "memory_requests is 0, so no memory is measured; set it above 0, or remove max_memory_mb"
            )
        return self

    @model_validator(mode="after")
    def _services_can_roll_out(self) -> "ServingConfig":
        if self.rollout is None:
            return self
        named = {name: one for name, one in vars(self.deploy).items() if isinstance(one, Section)}
        # MLflow serves nothing: it follows with its aliases.
        serving = {name: one for name, one in named.items() if name != "mlflow"}
        if not serving:
            raise ValueError(
                "rollout needs a service in deploy that splits requests, such as kserve"
            )
        for name, one in serving.items():
            if not getattr(one, "splits", False):
                raise ValueError(
                    f"rollout needs services that split requests, and {name} does not as it is set up; remove "
                    f"deploy.{name} or rollout"
                )
            if self.rollout.shadow and not getattr(one, "shadows", False):
                raise ValueError(
                    f"rollout.shadow needs services that copy requests to a second version, and {name} does not; "
                    "remove rollout.shadow"
                )
        return self
