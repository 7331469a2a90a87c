"""The section of retrain.yaml on batch prediction."""

from typing import TYPE_CHECKING, Literal

from pydantic import Field, field_validator

from ....components.lib.source_rows.sources.formats import format_names
from .schedule import ScheduleConfig
from .section import Section

if TYPE_CHECKING:
    FormatName = str
else:
    FormatName = Literal[tuple(format_names())]


class PredictConfig(Section):
    """Batch prediction, the pipeline `predict_batch`. Rows are read as `data` says: columns, types, CSV format."""

    pattern: str | None = Field(
        None,
        description="Where the spans to score are, with `{span}` in it; `data.pattern` if null. Files, or tables of "
        "BigQuery.",
    )
    query: str | None = Field(
        None,
        description="BigQuery only: SQL that returns a span's rows; if null, `data.query` where `pattern` is null, "
        "else the table.",
    )
    marker: str | None = Field(
        None,
        description="Name of the file that marks a span as complete; if null, `data.marker` where `pattern` is null, "
        "else none.",
    )
    format: FormatName | None = Field(
        None, description="Format of the files; `data.format` if null."
    )
    model: str = Field(
        "champion",
        pattern=r"^(champion|[1-9][0-9]*)$",
        description="Model to score with: `champion`, or the number of a version in the registry.",
    )
    window: int = Field(
        1,
        ge=1,
        description="Number of spans to score, the newest included. Spans already scored are skipped.",
    )
    key: list[str] | None = Field(
        None, description="Columns that identify a row and are kept; `data.key` if null."
    )
    columns: list[str] = Field(
        default_factory=list,
        description="Further columns to keep, beside the key and what the model takes.",
    )
    output: str | None = Field(
        None,
        description="Folder or URI for the predictions; `predictions` in the store if null. A relative path starts at "
        "retrain.yaml's folder.",
    )
    max_errors: float = Field(
        0.1,
        ge=0,
        le=1,
        description="Maximum share of a span's rows that may have errors in place of a prediction; above it the run "
        "fails, and writes nothing.",
    )
    schedule: ScheduleConfig | None = Field(
        None,
        description="Runs by cron, kept by the service: `retrainer schedule apply`; none if null.",
    )

    @field_validator("model", mode="before")
    @classmethod
    def _number_is_text(cls, value: object) -> object:
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else value
