"""The section of retrain.yaml on the data: where it is, and how it becomes examples."""

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, model_validator

from ....components.ingest_spans.sources.formats import AUTO, FORMATS, format_names
from .kubernetes import Variable
from .section import Section

if TYPE_CHECKING:
    FormatName = str
else:
    FormatName = Literal[tuple(format_names())]
_ABOUT_FORMATS = "; ".join(f"{one.name} {one.about}" for one in FORMATS if one.about)


class CsvColumnConfig(Section):
    """How one column of CSV files is written, where it differs from the others."""

    null_values: list[str] | None = Field(
        None,
        description="Texts that mean a missing cell of this column, in place of `csv.null_values`.",
    )
    decimal: Literal[".", ","] | None = Field(None, description="As `csv.decimal`.")
    thousands: str | None = Field(
        None, max_length=1, description="As `csv.thousands`; an empty text: none in this column."
    )
    empty_is_a_value: ClassVar[frozenset[str]] = frozenset({"thousands"})


class CsvConfig(Section):
    """How CSV files are written."""

    columns: list[str] = Field(
        default_factory=list,
        description="Names of the columns, for files without a header; empty: the first row has them.",
    )
    delimiter: str = Field(",", description="The one character between cells, such as `;`.")
    encoding: str = Field("utf-8", description="By Python's names, such as `cp1252` or `utf-16`.")
    skip_rows: int = Field(0, ge=0, description="Lines before the header.")
    null_values: list[str] = Field(
        default_factory=lambda: ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "None"],
        description="Texts that mean a missing cell, in all columns. Left out: the usual ones, which in the columns of "
        "`key` and `split.columns`, and in those that `types` says are text, mean it among numbers alone (`NA` may be "
        "Namibia).",
    )
    decimal: Literal[".", ","] = Field(".", description="The mark before the fraction of a number.")
    thousands: str | None = Field(
        None,
        max_length=1,
        description="The mark between groups of three digits, such as `,` in 1,204.50; null: none.",
    )
    by_column: dict[str, CsvColumnConfig] = Field(
        default_factory=dict,
        description='`null_values`, `decimal` and `thousands` of single columns, such as `{amount: {decimal: ","}}`.',
    )


class SplitConfig(Section):
    """Which rows of a window train, and which evaluate."""

    by: Literal["newest_spans", "hash"] = Field(
        "newest_spans",
        description="newest_spans: the newest spans evaluate, the older ones train. hash: every span is split by a "
        "hash of its key.",
    )
    eval_spans: int = Field(1, ge=1, description="With newest_spans, how many spans evaluate.")
    eval_fraction: float = Field(
        1 / 3, gt=0, lt=1, description="With hash, the share of keys that evaluate."
    )
    columns: list[str] = Field(
        default_factory=list,
        description="With hash, the columns whose rows stay on one side, such as a customer's; empty: those of "
        "data.key, and without them the whole row. Refused with newest_spans.",
    )


class HashConfig(Section):
    """Private columns, replaced by a keyed hash before anything is written."""

    columns: list[str] = Field(
        default_factory=list,
        description="The columns, replaced by the HMAC-SHA-256 of their text. One may be a feature; a server is then "
        "sent the digests.",
    )
    key_env: Variable = Field(
        "RETRAINER_HASH_KEY",
        description="Environment variable that holds the HMAC key, at least 16 bytes.",
    )
    key_file: str | None = Field(
        None,
        description="Path or URI of a file that holds the HMAC key, such as a mounted secret or an object in a bucket "
        "of its own; in place of the environment variable. A relative path starts at retrain.yaml's folder.",
    )


class DataConfig(Section):
    """Where the data is, and how it becomes examples."""

    pattern: str = Field(
        description="Path or URI of the data with {span}, or {span:%Y-%m-%d}, in it. A relative path starts at "
        "retrain.yaml's folder. Or tables of BigQuery: bq://project.dataset.orders_{span:%Y%m%d}, or the partitions of "
        "one, bq://project.dataset.orders${span:%Y%m%d}."
    )
    label: str = Field(
        min_length=1,
        description="Column of the label, a number. Rows without one are set aside.",
    )
    window: int = Field(
        3, ge=1, description="How many spans to use at the most, the newest included."
    )
    min_spans: int | None = Field(
        None,
        ge=1,
        description="How many spans of a window are enough. null: the window may be shorter where the data begins, but "
        "where spans are dates or numbers, none may be missing between others. A number: the window is as many days, "
        "months or numbers long as `window` says, and any may be missing as long as so many spans are there.",
    )
    marker: str | None = Field(
        None,
        description="Name of the file that completes a span, such as `_SUCCESS`, in each folder with files of it; "
        "`{span}.done` where spans share a folder. Spans without it are not there yet. The marker is no data. Not for "
        "BigQuery.",
    )
    split: SplitConfig = Field(default_factory=SplitConfig)
    key: list[str] = Field(
        default_factory=list,
        description="Columns that name an example. Of rows with the same key the later wins; a key is no feature.",
    )
    key_features: list[str] = Field(
        default_factory=list, description="Columns of the key that are features, too."
    )
    columns: dict[str, Any] = Field(
        default_factory=dict,
        description="By a column's name: the source's name for it, as in `{amount: \"Order amount\"}`; or how it is "
        "made of others by a function of pyarrow.compute, as in `{hour: {hour: ordered_at}}` or `{late: {greater: "
        "[delay, 15]}}`. All settings but `drop` and `csv` use the new names.",
    )
    drop: list[str] = Field(default_factory=list, description="Columns to leave out.")
    hash: HashConfig = Field(default_factory=HashConfig)
    format: FormatName = Field(
        AUTO,
        description=f"Format of the files: {_ABOUT_FORMATS}; {AUTO} goes by the files' endings, of which `.gz`, "
        "`.bz2`, `.zst` and `.lz4` are unpacked.",
    )
    types: dict[str, Literal["integer", "number", "text"]] = Field(
        default_factory=dict,
        description="What columns hold, whatever the schema or their values say, such as `{zip: text}`.",
    )
    csv: CsvConfig = Field(default_factory=CsvConfig)
    query: str | None = Field(
        None,
        description="SQL that makes a span's rows, of data in BigQuery: `{table}` stands for the span's table (of a "
        "partitioned one, for the whole), `{span}` for the span's name. Say ORDER BY where the later of two rows with "
        "one key is to win.",
    )
    max_bytes_billed: int | None = Field(
        None,
        ge=1,
        description="Bytes that `query` may be charged for, each span; BigQuery refuses it before it starts if it "
        "would be more. null: the project's own limits.",
    )
    max_bad_rows: float = Field(
        0.01,
        ge=0,
        le=1,
        description="Share of a span's rows that may be unreadable; above it the run stops.",
    )

    @model_validator(mode="after")
    def _window_holds_both_splits(self) -> "DataConfig":
        by_spans, evaluating = self.split.by == "newest_spans", self.split.eval_spans
        if by_spans and self.window <= evaluating:
            raise ValueError(
                f"window ({self.window}) must be larger than split.eval_spans ({evaluating}), or nothing is left to "
                "train on"
            )
        if self.min_spans is None:
            return self
        if self.min_spans > self.window:
            raise ValueError(
                f"min_spans ({self.min_spans}) must not be larger than window ({self.window}), or no window has enough"
            )
        if by_spans and self.min_spans <= evaluating:
            raise ValueError(
                f"min_spans ({self.min_spans}) must be larger than split.eval_spans ({evaluating}), or nothing is left "
                "to train on; null leaves it to what is there"
            )
        return self
