"""What of a span's rows is read, kept and scored."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from ..lib.errors import RetrainerError
from ..lib.source_rows.column_changes import ColumnChanges, parse_columns
from ..lib.source_rows.column_types import ColumnType
from ..lib.source_rows.input_types import types_of_inputs
from ..lib.source_rows.required_columns import RequiredColumns
from ..lib.source_rows.settings import IngestSettings
from ..lib.source_rows.sources.base import Block
from ..lib.words import did_you_mean

_COLUMNS_SHOWN = 30


@dataclass(frozen=True)
class PredictSettings:
    """The settings of batch prediction.

    Attributes:
        rows: How source rows are read. The label counts for nothing here.
        keep: Columns to keep beside the key and what the model takes.
        max_errors: The share of a span's rows that may have errors.
    """

    rows: IngestSettings
    keep: tuple[str, ...] = ()
    max_errors: float = 0.1

    def check(self) -> None:
        """Check them.

        Raises:
            RetrainerError: If one is wrong.
        """
        self.rows.check()
        if not 0 <= self.max_errors <= 1:
            raise RetrainerError(
                f"max_errors is {self.max_errors}; it is a share of the rows, from 0 to 1 (predict.max_errors)."
            )
        for name in self.keep:
            if name in self.rows.drop:
                raise RetrainerError(
                    f"predict.columns names '{name}', which data.drop leaves out. Take it out of one of the two."
                )


@dataclass(frozen=True)
class WantedColumns:
    """The columns that a model's predictions need.

    Attributes:
        settings: The settings.
        kinds: What the model takes: `int64`, `float32`, `string` and so on, by column.
        who: What errors call the model, such as `champion (version 3)`.
    """

    settings: PredictSettings
    kinds: Mapping[str, str]
    who: str

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Every column that is kept: the key, what the model takes, and the further ones."""
        return tuple(dict.fromkeys([*self.settings.rows.key, *self.kinds, *self.settings.keep]))

    @cached_property
    def changes(self) -> ColumnChanges:
        """Columns to rename and to derive; what only training needs, such as the label, is left out."""
        every = self.settings.rows.changes
        columns = self.settings.rows.columns
        derived = {name: columns[name] for name in every.derived if name in self.names}
        read = {*self.names, *parse_columns(derived).sources}
        renamed = {new: old for old, new in every.renamed.items() if new in read}
        return parse_columns({**derived, **renamed})

    @cached_property
    def read(self) -> frozenset[str]:
        """The columns to read, by their new names: those that are kept, and those that some of them are made of."""
        made = self.changes.derived
        return frozenset(name for name in (*self.names, *self.changes.sources) if name not in made)

    @property
    def source_columns(self) -> tuple[str, ...]:
        """The columns to read, by their names in the source."""
        return tuple(sorted({*self.read, *self.changes.renamed}))

    def types(self, schema_types: Mapping[str, ColumnType]) -> dict[str, ColumnType]:
        """Return the types of columns that are not inferred from the cells.

        Args:
            schema_types: What the schema declares.
        """
        rows = self.settings.rows
        said = {name: ColumnType(value) for name, value in rows.types.items()}
        declared = {**schema_types, **said}
        types = {**declared, **types_of_inputs(self.kinds, declared)}
        hashed = dict.fromkeys(rows.hash, ColumnType.TEXT)
        return {name: one for name, one in {**types, **hashed}.items() if name in self._all}

    @property
    def _all(self) -> Collection[str]:
        return {*self.names, *self.read}

    def required(self) -> "NeededColumns":
        """Return what checks that every source has them."""
        return NeededColumns(self)


class NeededColumns(RequiredColumns):
    """Checks that every source of a span has the columns that predictions need."""

    def __init__(self, wanted: WantedColumns) -> None:
        """Begin a span.

        Args:
            wanted: The columns.
        """
        rows = wanted.settings.rows
        private = {
            **dict.fromkeys(rows.drop, "data.drop"),
            **dict.fromkeys(rows.hash, "data.hash.columns"),
        }
        super().__init__({}, private)
        self._wanted = wanted

    def names(self, column: str) -> bool:
        """Check whether a column is needed."""
        return column in self._wanted.read or super().names(column)

    def check(self, block: Block, uri: str, has_header: bool) -> None:
        """Look at the columns of a block.

        Args:
            block: The block.
            uri: Its source.
            has_header: Whether all rows of the source have these columns.

        Raises:
            RetrainerError: If one that is needed is missing.
        """
        super().check(block, uri, has_header)
        if has_header:
            self.check_names([*block.batch.schema.names, *block.excluded], uri)

    def check_names(self, there: Sequence[str], uri: str) -> None:
        """Check that the columns that are needed are there.

        Args:
            there: The columns that are.
            uri: The source.

        Raises:
            RetrainerError: If one is missing.
        """
        wanted = self._wanted
        sources = wanted.changes.sources
        for name in sorted(wanted.read):
            if name in there:
                continue
            if name in wanted.kinds:
                why = f"which the {wanted.who} takes"
            elif name in wanted.settings.rows.key:
                why = "which data.key names"
            elif name in sources:
                why = f"of which data.columns makes '{sources[name]}'"
            else:
                why = "which predict.columns names"
            hint = did_you_mean(name, there)
            raise RetrainerError(
                f"'{uri}' has no column '{name}', {why}.{hint} It has: {', '.join(there[:_COLUMNS_SHOWN])}. Add the "
                "column, or name the one that holds it in data.columns."
            )
