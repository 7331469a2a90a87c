"""The section `monitoring.labels`: where labels that come later are, and how they find their predictions."""

from typing import Any, Literal

from pydantic import Field, field_validator

from ..data import CsvConfig, DataConfig, FormatName
from ..section import Section

_REQUEST_KEY = ["request_id", "row"]


class LabelsConfig(Section):
    """Labels of predictions, which come later."""

    pattern: str | None = Field(
        None,
        description="Path or URI pattern of files with labels, with `{span}` or without, or a table of BigQuery "
        "(`bq://project.dataset.table`). If null, labels are those of the ingested spans of the training data, whose "
        "rows find their predictions by `data.key`; without a `data.key`, or where predictions do not keep it, no "
        "labels are joined. A relative path starts at retrain.yaml's folder.",
    )
    label: str | None = Field(None, description="Column of the label; `data.label` if null.")
    key: list[str] | None = Field(
        None,
        description="Columns that labels and predictions share. If null, `[request_id, row]` with a `pattern`, else "
        "`data.key`. Labels without the column `row` are of requests with one row.",
    )
    labelled_at: str | None = Field(
        None,
        description="Column that says when a label was known. Of different labels of one prediction the newest counts; "
        "with another key than the request, labels older than their prediction are not used. If null, the later file "
        "and row count.",
    )
    delay_seconds: int | None = Field(
        None,
        ge=0,
        description="Time after a prediction at which its label is expected. Before, a missing label is not yet due; "
        "after, it is late. If null, no label is late.",
    )
    horizon_seconds: int = Field(
        30 * 24 * 3600,
        ge=0,
        description="Time after its end in which a span is joined again when labels come.",
    )
    clock_seconds: int = Field(
        300,
        ge=0,
        description="How much older than its prediction a label may be, because clocks differ.",
    )
    min_labelled: float = Field(
        0.5,
        ge=0,
        le=1,
        description="Minimum share of the predictions whose labels are due that must have one. Below it the signal "
        "`data/labels` is breached, and quality is not judged on these spans.",
    )
    max_difference: float = Field(
        0.1,
        ge=0,
        le=1,
        description="Maximum distance (total variation) between predictions with a label and all that are due, in the "
        "distribution of the prediction or of a column of `compare`. Above it, and beyond chance, labels come for "
        "some cases only: the signal is breached, and quality is not judged on these spans.",
    )
    compare: list[str] = Field(
        default_factory=list,
        description="Columns of the predictions that are compared between rows with and without a label, beside the "
        "prediction.",
    )
    columns: dict[str, Any] = Field(
        default_factory=dict,
        description="Columns of the labels by another name, and columns made of others, as `data.columns`.",
    )
    types: dict[str, Literal["integer", "number", "text"]] = Field(
        default_factory=dict, description="Types of columns of the labels, as `data.types`."
    )
    format: FormatName = Field("auto", description="Format of the files, as `data.format`.")
    csv: CsvConfig = Field(default_factory=CsvConfig, description="CSV format of the files.")
    query: str | None = Field(
        None, description="BigQuery only: SQL that returns the labels, as `data.query`."
    )
    max_bytes_billed: int | None = Field(
        None, ge=1, description="BigQuery only: maximum bytes that `query` may bill."
    )

    @field_validator("pattern")
    @classmethod
    def _has_known_places(cls, pattern: str | None) -> str | None:
        if pattern and "{" in pattern.replace("{span}", "").replace("{span:", ""):
            raise ValueError(
                f"in braces stands only {{span}} or a date's form such as {{span:%Y-%m-%d}}: '{pattern}'"
            )
        return pattern

    def join_arguments(
        self, data: DataConfig, label: str, weight: str, schema_uri: str
    ) -> dict[str, Any]:
        """Return the arguments of `join_labels`.

        Args:
            data: The section `data`, which has the defaults.
            label: Column of the label in the data.
            weight: Column that weighs the rows; empty for none.
            schema_uri: URI of the curated schema; empty for none.
        """
        usual = _REQUEST_KEY if self.pattern else data.key
        return {
            "pattern": self.pattern or "",
            "label": self.label or label,
            "key": usual if self.key is None else self.key,
            "labelled_at": self.labelled_at or "",
            "weight": weight,
            "columns": self.columns,
            "types": self.types,
            "hash": data.hash.columns,
            "hash_key_env": data.hash.key_env,
            "hash_key_file": data.hash.key_file or "",
            "format": self.format,
            "csv": self.csv.model_dump(exclude_unset=True, exclude_none=True),
            "query": self.query or "",
            "max_bytes_billed": self.max_bytes_billed or 0,
            "compare": self.compare,
            "horizon_seconds": self.horizon_seconds,
            "clock_seconds": self.clock_seconds,
            "schema_uri": schema_uri,
        }
