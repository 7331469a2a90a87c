"""Columns that the settings name, and checks that all sources of a span have them."""

import unicodedata
from collections.abc import Collection, Mapping

from ..errors import RetrainerError
from .settings import IngestSettings
from .sources.base import Block


def required_columns(settings: IngestSettings) -> dict[str, str]:
    """List the columns that a span must have.

    Args:
        settings: How rows are cleaned and split.

    Returns:
        The setting that names each, such as `data.label`, by column.
    """
    needed: dict[str, str] = {}
    for setting, columns in (
        ("data.label", (settings.label,)),
        ("data.label_keys", settings.labels),
        ("evaluation.example_weight_key", (settings.weight,) if settings.weight else ()),
        ("data.key", settings.key),
        ("data.hash.columns", settings.hash),
        ("data.split.columns", settings.split_by),
    ):
        for column in columns:
            needed.setdefault(column, setting)
    changes = settings.changes
    for column, made in changes.sources.items():
        needed.setdefault(column, f"data.columns.{made}")
    for old, new in changes.renamed.items():
        needed[new] = f"data.columns: '{old}' in the source"
    # Derived columns are made of others.
    return {column: setting for column, setting in needed.items() if column not in changes.derived}


class RequiredColumns:
    """Checks that the sources of a span have the columns that the settings name.

    A source of another header than the rest would lose its labels and keys silently, and a private column in another
    spelling would be stored as it is.
    """

    def __init__(self, required: Mapping[str, str], private: Mapping[str, str]) -> None:
        """Begin a span.

        Args:
            required: The setting that names each column which all sources must have.
            private: The setting that names each column which must not be stored as it is.
        """
        self._required = required
        self._private = private
        self._spelled = {_folded(name): name for name in private}
        # The first source that has a column, and the first that lacks it.
        self._having: dict[str, str] = {}
        self._lacking: dict[str, str] = {}

    @classmethod
    def of(cls, settings: IngestSettings) -> "RequiredColumns":
        """Begin a span with what the settings name."""
        dropped = dict.fromkeys(settings.drop, "data.drop")
        return cls(
            required_columns(settings),
            {**dropped, **dict.fromkeys(settings.hash, "data.hash.columns")},
        )

    def names(self, column: str) -> bool:
        """Check whether the settings name a column."""
        return column in self._required or column in self._private

    def check(self, block: Block, uri: str, has_header: bool) -> None:
        """Look at the columns of a block.

        Args:
            block: The block.
            uri: Its source.
            has_header: Whether all rows of the source have these columns, by its header or schema.

        Raises:
            RetrainerError: If one is a private column in another spelling, or one is missing that another source has.
        """
        there = {*block.batch.schema.names, *block.excluded}
        if self._private:
            self._check_spelling(there, uri)
        if not has_header:
            return
        for column, setting in self._required.items():
            (self._having if column in there else self._lacking).setdefault(column, uri)
            if column in self._having and column in self._lacking:
                raise RetrainerError(
                    f"'{self._lacking[column]}' has no column '{column}' ({setting}), which '{self._having[column]}' "
                    "of the same span has. Is its header another, or missing? Fix it, or upload the span again."
                )

    def _check_spelling(self, there: Collection[str], uri: str) -> None:
        for column in sorted(there):
            name = self._spelled.get(_folded(column), column)
            if name not in there and column not in self._private:
                raise RetrainerError(
                    f"'{uri}' has a column '{column}' and no '{name}', which {self._private[name]} names: is it the "
                    f"same? Spell it alike in all files, or name '{column}' in data.drop."
                )


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold().strip()
