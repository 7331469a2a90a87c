"""The section of retrain.yaml on the data: where it is, and how it is read, cleaned and split."""

import re
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from ....components.lib.source_rows.column_changes import parse_columns
from ....components.lib.source_rows.settings import LIST
from ....components.lib.source_rows.sources.formats import AUTO, FORMATS, format_names
from .kubernetes import Variable
from .section import Section

if TYPE_CHECKING:
    FormatName = str
else:
    FormatName = Literal[tuple(format_names())]
_OUTPUT_NAME = re.compile("[A-Za-z][A-Za-z0-9_]*")
_ABOUT_FORMATS = "; ".join(f"{one.name} {one.about}" for one in FORMATS if one.about)


class CsvColumnConfig(Section):
    """CSV format of a single column, where it differs from the others."""

    null_values: list[str] | None = Field(
        None,
        description="Texts that mean a missing cell in this column, in place of `csv.null_values`.",
    )
    decimal: Literal[".", ","] | None = Field(None, description="As `csv.decimal`.")
    thousands: str | None = Field(
        None,
        max_length=1,
        description="As `csv.thousands`; an empty text means no mark in this column.",
    )
    empty_is_a_value: ClassVar[frozenset[str]] = frozenset({"thousands"})


class CsvConfig(Section):
    """CSV format."""

    columns: list[str] = Field(
        default_factory=list,
        description="Column names, for files without a header. If empty, the first row is the header.",
    )
    delimiter: str = Field(",", description="Character between cells, such as `;`.")
    encoding: str = Field(
        "utf-8", description="Encoding by its Python name, such as `cp1252` or `utf-16`."
    )
    quote: str = Field(
        '"',
        max_length=1,
        description="Character around cells that hold a delimiter or a line break. An empty text where cells are not "
        "quoted, as MySQL and many tools for tab-separated text write them.",
    )
    skip_rows: int = Field(0, ge=0, description="Lines to skip before the header.")
    null_values: list[str] = Field(
        default_factory=lambda: ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "None"],
        description="Texts that mean a missing cell, in all columns. If not set, the usual ones; in the columns of "
        "`key` and `split.columns`, and in columns of `types` text, those count only among numbers (`NA` "
        "may be Namibia).",
    )
    decimal: Literal[".", ","] = Field(".", description="Decimal mark.")
    thousands: str | None = Field(
        None,
        max_length=1,
        description="Mark between groups of three digits, such as `,` in 1,204.50; null for none.",
    )
    by_column: dict[str, CsvColumnConfig] = Field(
        default_factory=dict,
        description='`null_values`, `decimal` and `thousands` of single columns, such as `{amount: {decimal: ","}}`.',
    )


class SplitConfig(Section):
    """How a window is split into training and evaluation rows."""

    by: Literal["newest_spans", "hash"] = Field(
        "newest_spans",
        description="newest_spans: the newest spans evaluate, the older ones train. hash: each span is split by a "
        "hash of its key.",
    )
    eval_spans: int = Field(1, ge=1, description="Number of evaluation spans, with newest_spans.")
    eval_fraction: float = Field(
        1 / 3, gt=0, lt=1, description="Share of keys that evaluate, with hash."
    )
    columns: list[str] = Field(
        default_factory=list,
        description="With hash, columns whose equal values stay on one side, such as a customer's; data.key if "
        "empty, and without a key the whole row. Invalid with newest_spans.",
    )


class HashConfig(Section):
    """Private columns, replaced by a keyed hash before anything is written."""

    columns: list[str] = Field(
        default_factory=list,
        description="Columns to replace by the HMAC-SHA-256 of their text. If such a column is a feature, clients "
        "send the digests.",
    )
    key_env: Variable = Field(
        "RETRAINER_HASH_KEY",
        description="Environment variable that holds the HMAC key, at least 16 bytes.",
    )
    key_file: str | None = Field(
        None,
        description="Path or URI of a file that holds the HMAC key, such as a mounted secret or an object in a "
        "separate bucket; used in place of the environment variable. A relative path starts at "
        "retrain.yaml's folder.",
    )


class DataConfig(Section):
    """Where the data is, and how it is read, cleaned and split."""

    pattern: str = Field(
        description="Path or URI of the data, with {span} or {span:%Y-%m-%d} in it. A relative path starts at "
        "retrain.yaml's folder. For BigQuery, a table for each span, "
        "bq://project.dataset.orders_{span:%Y%m%d}, or a partition, "
        "bq://project.dataset.orders${span:%Y%m%d}."
    )
    label: str = Field(
        min_length=1,
        description="Column of the label, a number. Rows without a label are quarantined.",
    )
    label_keys: dict[str, list[str] | str] = Field(
        default_factory=dict,
        description="For models with several outputs: the label's column of each output, by the output's name, such as "
        "`{late: is_late, minutes: delay}`. A list of columns is a label of several numbers, such as "
        "`{topics: [sport, politics]}`. `label` is one of these columns.",
    )
    window: int = Field(3, ge=1, description="Maximum number of spans to use, the newest included.")
    min_spans: int | None = Field(
        None,
        ge=1,
        description="Minimum number of spans in a window. null: no span may be missing between others (where names "
        "are dates or numbers), but the first windows may be shorter. A number: the window is `window` "
        "days, months or numbers long, and spans may be missing as long as this many are present.",
    )
    marker: str | None = Field(
        None,
        description="Name of the file that marks a span as complete, such as `_SUCCESS`, in each folder of the span; "
        "`{span}.done` where spans share a folder. Spans without it are ignored. The marker itself is "
        "not read as data. Not for BigQuery.",
    )
    split: SplitConfig = Field(default_factory=SplitConfig)
    key: list[str] = Field(
        default_factory=list,
        description="Columns that identify a row. Of rows with equal keys the later one is kept. Key columns are not "
        "features.",
    )
    key_features: list[str] = Field(
        default_factory=list, description="Key columns that are also features."
    )
    columns: dict[str, Any] = Field(
        default_factory=dict,
        description='New columns by name: a column of the source under another name, as in `{amount: "Order '
        'amount"}`; or a function of pyarrow.compute over columns, as in `{hour: {hour: ordered_at}}` or '
        "`{late: {greater: [delay, 15]}}`. All settings except `drop` and `csv` use the new names.",
    )
    drop: list[str] = Field(default_factory=list, description="Columns to leave out.")
    hash: HashConfig = Field(default_factory=HashConfig)
    format: FormatName = Field(
        AUTO,
        description=f"Format of the files: {_ABOUT_FORMATS}; {AUTO} goes by the file endings. `.gz`, `.bz2`, `.zst` "
        "and `.lz4` are decompressed.",
    )
    types: dict[str, Literal["integer", "number", "text", "list"]] = Field(
        default_factory=dict,
        description="Types of columns, which override the schema and the values seen, such as `{zip: text}`. A list "
        "holds several texts or numbers in a cell, and is stored as JSON; a row is in the slice of each.",
    )
    csv: CsvConfig = Field(default_factory=CsvConfig)
    query: str | None = Field(
        None,
        description="BigQuery only: SQL that returns a span's rows. `{table}` stands for the span's table (the whole "
        "table if it is partitioned), `{span}` for the span's name. Use ORDER BY if the order decides "
        "which of two rows with one key is kept.",
    )
    max_bytes_billed: int | None = Field(
        None,
        ge=1,
        description="BigQuery only: maximum bytes that `query` may bill for each span; a query over it fails before "
        "it starts. null: the project's own limits.",
    )
    max_bad_rows: float = Field(
        0.01,
        ge=0,
        le=1,
        description="Maximum share of unreadable rows in a span; above it the run stops.",
    )

    @field_validator("label_keys")
    @classmethod
    def _as_lists(cls, value: dict[str, list[str] | str]) -> dict[str, list[str] | str]:
        return {name: [one] if isinstance(one, str) else one for name, one in value.items()}

    @model_validator(mode="after")
    def _label_is_one_of_them(self) -> "DataConfig":
        for name, columns in self.label_keys.items():
            if not _OUTPUT_NAME.fullmatch(name):
                raise ValueError(
                    f"label_keys has the output '{name}'; a name has letters, digits and underscores, and begins "
                    "with a letter"
                )
            if not columns or len(set(columns)) < len(columns):
                raise ValueError(f"label_keys.{name} must name one column or several, each once")
        if "predictions" in self.label_keys and len(self.label_keys) > 1:
            raise ValueError(
                "label_keys: no output may be called 'predictions' beside others, since servers take an output of that "
                "name for the only one"
            )
        if self.label_keys and not any(self.label in one for one in self.label_keys.values()):
            raise ValueError(
                f"label ({self.label}) must be one of the columns that label_keys names"
            )
        return self

    @property
    def outputs(self) -> list[str]:
        """The names of the models' outputs; empty for models with one."""
        return list(self.label_keys) if len(self.label_keys) > 1 else []

    @property
    def labels(self) -> list[str]:
        """The columns of labels; the first is `label`."""
        others = [name for columns in self.label_keys.values() for name in columns]
        return list(dict.fromkeys([self.label, *others]))

    def label_of(self, output: str) -> str:
        """Return the one label of an output.

        Args:
            output: Its name; it does not matter where there is one label in all.

        Returns:
            The column; empty if the output has several labels, or is not one of `label_keys`.
        """
        if len(self.labels) < 2:
            return self.label
        columns = self.label_keys.get(output, ()) if self.outputs else ()
        return columns[0] if len(columns) == 1 else ""

    @property
    def lists(self) -> tuple[str, ...]:
        """The columns of lists."""
        said = [name for name, value in self.types.items() if value == LIST]
        return tuple(dict.fromkeys([*said, *parse_columns(self.columns).lists]))

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
