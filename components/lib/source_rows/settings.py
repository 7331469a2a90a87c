"""The settings of ingestion, checked, and what of them makes other rows.

Importing it loads no Arrow: `retrainer config check` and a light installation check settings with it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

from ..bigquery.bigquery_tables import is_bigquery
from ..digests import digest_value
from ..errors import RetrainerError
from ..words import one_of
from .column_changes import ColumnChanges, parse_columns
from .sources.column_names import is_index
from .sources.formats import format_names
from .sources.options import SourceOptions

if TYPE_CHECKING:
    from .cell_rules import Rules

# Part of every span's version: raised when ingestion would write other rows from the same source.
INGEST_VERSION = 5
NEWEST_SPANS, HASH = "newest_spans", "hash"
SPLITS = (NEWEST_SPANS, HASH)
TEXT, LIST = "text", "list"
TYPES = ("integer", "number", TEXT, LIST)
"""What a column may be said to hold; each is the value of a `ColumnType`."""


@dataclass(frozen=True)
class IngestSettings:
    """How source rows become the rows of a span.

    Attributes:
        label: The label's column; rows without one are quarantined.
        weight: Column that weighs the rows; those without a finite weight of 0 or more are quarantined. Empty for none.
        key: Columns that name an example. Of rows with the same key the later wins.
        key_features: Columns of the key that are features, too.
        columns: Columns under another name, and columns made of others; see `parse_columns`.
        drop: Columns to leave out.
        hash: Private columns, replaced by the HMAC-SHA-256 of their text.
        hash_key_env: Environment variable that holds the HMAC key.
        hash_key_file: File that holds it; empty for none.
        split: `newest_spans` (a span is all training or all evaluation) or `hash` (each span is split).
        split_by: With `hash`, the columns whose rows stay together; none: those of `key`, and without them the whole
            row.
        eval_fraction: With `hash`, the share of keys in evaluation, between 0 and 1.
        max_bad_rows: The share of a span's rows that may be unreadable.
        label_keys: Of models with several outputs, or several labels for one: the columns of each output's labels, by
            its name. `label` is one of them.
        types: What columns hold, whatever the schema or their values say: `integer`, `number`, `text` or `list`, by
            column.
        source: How sources are read.
    """

    label: str
    weight: str = ""
    key: tuple[str, ...] = ()
    key_features: tuple[str, ...] = ()
    columns: Mapping[str, Any] = field(default_factory=dict)
    drop: tuple[str, ...] = ()
    hash: tuple[str, ...] = ()
    hash_key_env: str = "RETRAINER_HASH_KEY"
    hash_key_file: str = ""
    split: str = NEWEST_SPANS
    split_by: tuple[str, ...] = ()
    eval_fraction: float = 1 / 3
    max_bad_rows: float = 0.01
    types: Mapping[str, str] = field(default_factory=dict)
    label_keys: Mapping[str, Sequence[str]] = field(default_factory=dict)
    source: SourceOptions = field(default_factory=SourceOptions)

    @property
    def source_options(self) -> SourceOptions:
        """How sources are read, without the columns to leave out, but with those that others are made of."""
        unread = tuple(name for name in self.drop if name not in self.dropped_sources)
        return replace(self.source, exclude=unread)

    @property
    def cell_rules(self) -> "Rules":
        """How the cells of CSV files are read."""
        from .cell_rules import parse_rules

        source = self.source
        text = [name for name, value in self.types.items() if value in (TEXT, LIST)]
        # A digest can't show any more that its cell was no value.
        kept = frozenset((*self.key, *self.split_by, *text)).difference(self.hash)
        # The settings of CSV use the names that it has.
        renamed = self.changes.renamed
        by_column = {renamed.get(name, name): own for name, own in source.csv_by_column.items()}
        return parse_rules(
            source.csv_null_values,
            source.csv_decimal,
            source.csv_thousands,
            by_column,
            kept,
        )

    @property
    def changes(self) -> ColumnChanges:
        """Columns to rename and to derive, before anything else."""
        return parse_columns(self.columns)

    @property
    def dropped_sources(self) -> frozenset[str]:
        """The columns to leave out once others are made of them."""
        return frozenset(self.drop).intersection(self.changes.sources)

    @property
    def labels(self) -> tuple[str, ...]:
        """The columns of labels; the first is `label`."""
        others = (name for columns in self.label_keys.values() for name in columns)
        return tuple(dict.fromkeys([self.label, *others]))

    @property
    def lists(self) -> tuple[str, ...]:
        """Columns of lists."""
        said = [name for name, value in self.types.items() if value == LIST]
        return tuple(dict.fromkeys([*said, *self.changes.lists]))

    @property
    def strict(self) -> frozenset[str]:
        """Columns of a key, whose codes are no numbers whatever a schema says: two of them would be one."""
        return frozenset(self.key).difference(self.types)

    def check(self) -> None:
        """Check them.

        Raises:
            RetrainerError: If one is out of range, or two contradict each other.
        """
        if self.split not in SPLITS:
            raise RetrainerError(
                f"split '{self.split}' is unknown; use {NEWEST_SPANS} or {HASH} (data.split.by)."
            )
        if not 0 < self.eval_fraction < 1:
            raise RetrainerError(
                f"eval_fraction is {self.eval_fraction}; it must lie between 0 and 1 (data.split.eval_fraction)."
            )
        if not 0 <= self.max_bad_rows <= 1:
            raise RetrainerError(
                f"max_bad_rows is {self.max_bad_rows}; it is a share of the rows, from 0 to 1 (data.max_bad_rows)."
            )
        if self.source.format not in format_names():
            raise RetrainerError(
                f"format '{self.source.format}' is unknown; use {one_of(format_names())} (data.format)."
            )
        for name, value in self.types.items():
            if value not in TYPES:
                raise RetrainerError(
                    f"the type is '{value}' for '{name}'; use {one_of(TYPES)} (data.types)."
                )
        for name in self.lists:
            if name in (*self.labels, self.weight, *self.key, *self.hash):
                raise RetrainerError(
                    f"column '{name}' is a list (data.types, data.columns), and the label, the weight, columns of the "
                    "key and private columns have one value each."
                )
        if self.split_by and self.split != HASH:
            raise RetrainerError(
                f"data.split.columns names {', '.join(self.split_by)}, and data.split.by is {self.split}, which keeps "
                f"whole spans together. Take data.split.columns out, or set data.split.by to {HASH}."
            )
        self._check_columns()
        if self.weight and self.weight in (*self.labels, *self.hash):
            raise RetrainerError(
                f"the weight '{self.weight}' (evaluation.example_weight_key) can't be the label, nor be hashed."
            )
        named = (*self.labels, *self.key, *self.split_by, *self.hash)
        for name in (*named, self.weight) if self.weight else named:
            if name in self.drop:
                raise RetrainerError(
                    f"column '{name}' is the label, the weight, or part of key, split.columns or hash.columns, and "
                    "can't be dropped as well (data.drop)."
                )
        for name in (*self.key, *self.split_by, *self.hash):
            if name in self.labels:
                raise RetrainerError(
                    f"the label '{name}' can't be part of key or split.columns, nor be hashed: it is what is predicted."
                )

    def _check_columns(self) -> None:
        changes = self.changes
        for name in self.key_features:
            if name not in self.key:
                raise RetrainerError(
                    f"key_features names '{name}', which is no part of key. A column outside of the key is a feature "
                    "anyway (data.key_features)."
                )
        for name in changes.renamed:
            if name in self.drop:
                raise RetrainerError(
                    f"data.drop leaves out '{name}', which data.columns renames. Take it out of one of them."
                )
        for name, made in changes.sources.items():
            if name in self.hash:
                raise RetrainerError(
                    f"data.columns.{made} is made of '{name}', which is private (data.hash.columns), and would show it."
                )
        for name in changes.derived:
            if name in self.hash:
                raise RetrainerError(
                    f"data.columns makes '{name}', which data.hash.columns names: hash the columns that it is made of."
                )

    def read_key(self) -> bytes:
        """Read the key of private columns; empty if there are none.

        Raises:
            RetrainerError: If there are private columns and no key.
        """
        from .pseudonymize import read_key

        return read_key(self.hash_key_env, self.hash_key_file) if self.hash else b""

    def digest(self, key: bytes) -> str:
        """Digest the settings that change the rows.

        Args:
            key: The key of private columns. The digest does not reveal it.

        Returns:
            Hexadecimal digits.
        """
        # What is not set makes no other version, so that a new setting leaves the stored spans as they are.
        source = _set(self.source)
        content = {**_set(self), "version": INGEST_VERSION, "source": source}
        # Where the key lies and what a query may cost make no other rows; bad rows stop a run whenever they are read.
        # The types that came of it are looked at apart.
        for name in ("hash_key_env", "hash_key_file", "max_bad_rows", "types"):
            content.pop(name, None)
        # What is a feature is for those to look at who read the rows.
        content.pop("key_features", None)
        source.pop("max_bytes_billed", None)
        # But for what is said of a key, of text and of an index, where the type is not all that is said.
        said = [
            name
            for name, value in self.types.items()
            if name in self.key or value in (TEXT, LIST) or is_index(name)
        ]
        if said:
            content["said"] = sorted(said)
        if self.lists:
            content["lists"] = sorted(self.lists)
        if self.hash:
            from .pseudonymize import key_digest

            content["hash_key"] = key_digest(key)
        return digest_value(content)


def _set(settings: Any) -> dict[str, Any]:
    unset = {
        attribute.name: attribute.default
        if attribute.default_factory is MISSING
        else attribute.default_factory()
        for attribute in fields(settings)
    }
    return {name: value for name, value in asdict(settings).items() if value != unset[name]}


def check_query(query: str, pattern: str) -> None:
    """Check that SQL is only given where there is a database.

    Args:
        query: The SQL of a span's rows; empty for none.
        pattern: Where the spans are.

    Raises:
        RetrainerError: If the pattern names no tables.
    """
    if query and not is_bigquery(pattern):
        raise RetrainerError(
            f"data.query is for BigQuery, and the pattern '{pattern}' names none of its tables "
            "(bq://project.dataset.table). Remove data.query, or fix data.pattern."
        )
