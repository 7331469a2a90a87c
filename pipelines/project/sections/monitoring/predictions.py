"""The section `monitoring.predictions`: where the logs of what serves are."""

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, model_validator

from .....components.ingest_predictions.formats import FORMATS, MAPPED
from ..data import DataConfig
from ..section import Section

if TYPE_CHECKING:
    LogFormat = str
else:
    LogFormat = Literal[FORMATS]


class LogMappingConfig(Section):
    """Where records of JSON Lines and Parquet have what: keys or columns, with dots into nested ones."""

    request_id: str = Field("request_id", description="The request.")
    row: str = Field("row", description="The row's place in its request, from 0.")
    time: str = Field(
        "occurred_at",
        description="When the request came: ISO 8601, or seconds, milliseconds or microseconds since 1970.",
    )
    status: str = Field(
        "status",
        description="Status of HTTP, of which 400 and more are failures; or text, of which `ok` and `success` are "
        "none.",
    )
    error: str = Field(
        "error",
        description="Why the request failed; any text is a failure where there is no status.",
    )
    version: str = Field("model_version", description="The model's version as the server names it.")
    variant: str = Field("variant", description="`stable`, `canary` or `shadow`.")
    sample_rate: str = Field(
        "sample_rate", description="The share of requests that are logged, 1 if it is not there."
    )
    latency_ms: str = Field("latency_ms", description="How long the answer took.")
    features: str = Field(
        "",
        description="What the model was sent: an object, or a list of them. If empty, the record has a column each.",
    )
    predictions: str = Field(
        "prediction",
        description="What the model answered: a number, list or object; a list of such where `features` is a list.",
    )
    columns: dict[str, str] = Field(
        default_factory=dict,
        description="Where single columns stand, by their name, such as `{order_id: meta.order.id}`; they are kept.",
    )


class PredictionLogsConfig(Section):
    """Logs of requests and answers. Without a `uri`, what `predict_batch` wrote is monitored."""

    uri: str | None = Field(
        None,
        description="Folder or URI of the logs, with all folders in it; a pattern with `*`; or a table "
        "`bq://project.dataset.table`. If null, the tables in the store are monitored as they are. A relative path "
        "starts at retrain.yaml's folder.",
    )
    format: LogFormat = Field(
        "serve_log",
        description="Format. `serve_log`: what `retrainer serve-log` writes; `vertex`: Vertex AI's table in "
        "BigQuery; `kserve_events`: what `retrainer monitor sink` writes; `kserve_parquet`: KServe's files; "
        "`prediction_log`: TensorFlow Serving's, in TFRecord; `json_lines` and `parquet`: by `mapping`.",
    )
    period: Literal["day", "hour"] = Field(
        "day", description="Time that a span of predictions covers, in UTC."
    )
    wait_seconds: int = Field(
        600,
        ge=0,
        description="Seconds after the end of a span until its table is written. Rows that come later make a new "
        "version of it.",
    )
    clock_seconds: int = Field(
        3600,
        ge=0,
        description="How much later than its file was written a request may have come. Above it its clock is wrong, "
        "and the file's time counts.",
    )
    mapping: LogMappingConfig = Field(
        default_factory=LogMappingConfig,
        description="Where records have what; for `json_lines` and `parquet`.",
    )
    versions: dict[str, int] = Field(
        default_factory=dict,
        description="Numbers of the registry by what the log calls a model: its version, an ID, a label or a variant. "
        "A number of the registry needs no entry.",
    )
    unversioned: Literal["champion", "unknown"] = Field(
        "champion",
        description="What requests without a version were answered by: the version that was champion then, or "
        "`unknown`. They are counted.",
    )
    output: str | None = Field(
        None,
        description="Output of the model that is judged, if it has several, such as one of `data.label_keys`, with its "
        "label; if null, `predictions` or the only one.",
    )
    columns: list[str] = Field(
        default_factory=list,
        description="Columns to keep beside `data.key` and what the model takes.",
    )
    since: str | None = Field(
        None, description="Spans that ended before this date are left out; none if null."
    )

    @model_validator(mode="after")
    def _uri_and_format_fit(self) -> "PredictionLogsConfig":
        if self.uri is None and "format" in self.model_fields_set:
            raise ValueError(
                f"format is {self.format}, and nothing says where such logs are: set uri; without it, what "
                "predict_batch wrote is monitored"
            )
        if "mapping" in self.model_fields_set and self.format not in MAPPED:
            raise ValueError(
                f"mapping is for the formats {' and '.join(MAPPED)}, and format is {self.format}: take it out, or set "
                "format"
            )
        if self.uri is not None:
            self._check(self.uri)
        return self

    def _check(self, uri: str) -> None:
        # Not on import, which light commands make: the component's own checks.
        from .....components.ingest_predictions.settings import LogSettings
        from .....components.lib.errors import RetrainerError

        try:
            LogSettings(uri, self.format, since=self.since or "").check()
        except RetrainerError as error:
            raise ValueError(str(error)) from error

    def ingest_arguments(self, data: DataConfig, schema_uri: str) -> dict[str, Any]:
        """Return the arguments of `ingest_predictions`.

        Args:
            data: The section `data`, which names the key and private columns.
            schema_uri: URI of the curated schema; empty for none.
        """
        return {
            "uri": self.uri or "",
            "format": self.format,
            "period": self.period,
            "wait_seconds": self.wait_seconds,
            "clock_seconds": self.clock_seconds,
            "mapping": self.mapping.model_dump(exclude_defaults=True),
            "versions": self.versions,
            "unversioned": self.unversioned,
            "model_output": self.output or "",
            "columns": self.columns,
            "since": self.since or "",
            "key": data.key,
            "drop": data.drop,
            "hash": data.hash.columns,
            "hash_key_env": data.hash.key_env,
            "hash_key_file": data.hash.key_file or "",
            "schema_uri": schema_uri,
        }
