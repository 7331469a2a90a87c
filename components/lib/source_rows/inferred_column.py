"""Inferring a column's type, block by block."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from .casts import CastError, cast, cast_text, has_fraction, is_whole
from .cell_rules import CellRules
from .column_types import ColumnType
from .number_spelling import Spelling, codes, reason_of
from .rejecting_casts import cast_or_reject

Converted = tuple[pa.Array, np.ndarray, str]
"""A column's cells in their final type; the positions of rejected cells, which are null; what is wrong with them."""
_NONE = np.empty(0, np.int64)
_EXAMPLES = 3
_FIRST_CELLS = 64

CODES, CODES_AS_NUMBERS, VERSIONS, LONG, WORDS, MISSING_WORDS, INDEX, NEAR_MISS = (
    "codes", "codes_as_numbers", "versions", "long", "words", "missing_words", "index", "near_miss",
)  # fmt: skip


@dataclass(frozen=True)
class Note:
    """A decision about cells that could mean something else.

    Attributes:
        kind: `codes`: the column is text, since some of its cells are spelled as numbers are not, such as 0700;
            `codes_as_numbers`: such cells became numbers, since the schema or the settings say so; `versions`: the
            column is text, since its cells look like version numbers, such as 3.9 and 3.10; `long`: the column is text,
            since a number would lose digits of some cells; `words`: the column is text, since a few of its cells are
            words, and the others look like numbers; `missing_words`: words such as NA in a column of text are taken
            for missing cells; `near_miss`: the column is computed by comparing cells with a text that none of them is,
            but for white space or capitals.
        rows: How many cells.
        examples: The first of them, distinct.
        reason: Of codes: what is not plain about the first of them. Of a near miss: the text.
    """

    kind: str
    rows: int
    examples: tuple[str, ...]
    reason: str


class InferredColumn:
    """One column of a span.

    Attributes:
        type: Its type, as far as it was read.
    """

    def __init__(self, declared: ColumnType | None, strict: bool = False) -> None:
        """Begin a column.

        Args:
            declared: The type it must have; None to infer it.
            strict: Whether a code, such as 0700, is rejected even where a number is declared.
        """
        self.type = declared or ColumnType.EMPTY
        self._declared = declared
        self._strict = strict
        # The type before the spelling of its numbers is looked at.
        self._plain_type = ColumnType.EMPTY
        self._spelling = Spelling()
        self._words: Counter[str] = Counter()
        self._finished = False
        self._rules: CellRules | None = None
        self._leave_numbers = False

    def finish(self) -> None:
        """Keep the type from here on: the span was read to its end, and is read again."""
        self._finished = True

    def add(self, column: pa.Array, rules: CellRules | None) -> Converted:
        """Cast a block's cells, and promote the column's type if they need it.

        Args:
            column: Cells of an Arrow type that `decode_text` gives.
            rules: How cells of text are read, where the format has no other; none where text is text.

        Raises:
            CastError: If the type is one that examples can't hold.
        """
        text = rules is not None and pa.types.is_string(column.type)
        if not text or rules is None:
            return self._add(column, column, False)
        if self._rules != rules:
            self._rules, self._leave_numbers = rules, rules.leave_numbers
        plain = self._cast_plain(column) if self._leave_numbers else None
        if plain is not None and self.type != ColumnType.TEXT:
            return plain, _NONE, ""
        as_text = rules.as_text(column)
        if plain is None:
            bare = rules.without_missing(column) if rules.keep_words else as_text
            converted = self._add(rules.as_numbers(bare), as_text, True)
        else:
            converted = cast(as_text, ColumnType.TEXT), _NONE, ""
        if self.type == ColumnType.TEXT and not self._finished and as_text is not column:
            self._words.update(rules.missing_words(column))
        return converted

    def notes(self) -> list[Note]:
        """List what was decided about cells that could mean something else: see `Note`."""
        spelling = self._spelling
        found = []
        if self._words:
            words = sorted(self._words, key=lambda word: -self._words[word])
            found.append(
                Note(MISSING_WORDS, sum(self._words.values()), tuple(words[:_EXAMPLES]), "")
            )
        if spelling.has_words:
            if self._declared is None and spelling.words.are_few:
                cells = spelling.words.found
                found.append(Note(WORDS, cells.rows, tuple(cells.examples), ""))
            return found
        if spelling.codes.rows:
            kind = CODES if self.type == ColumnType.TEXT else CODES_AS_NUMBERS
            reason = reason_of(spelling.codes.examples[0])
            found.append(Note(kind, spelling.codes.rows, tuple(spelling.codes.examples), reason))
        elif self._declared is None and self.type == ColumnType.TEXT:
            kind, cells = (
                (LONG, spelling.long) if spelling.long.rows else (VERSIONS, spelling.zeros)
            )
            if kind == LONG or spelling.versions:
                found.append(Note(kind, cells.rows, tuple(cells.examples), ""))
        return found

    def _cast_plain(self, column: pa.Array) -> pa.Array | None:
        """Cast a block of numbers at once, as most blocks are; None if a cell needs a closer look.

        The column becomes text here if these cells show that its numbers are versions.
        """
        column_type = self.type
        if column_type not in (ColumnType.INTEGER, ColumnType.LONG, ColumnType.NUMBER):
            return None
        try:
            values = cast(column, column_type)
        except CastError:
            return None
        if self._declared is None and not self._finished:
            self._look(column, values, column_type, True)
            if self._spelling.versions:
                self.type = ColumnType.TEXT
        return values

    def _add(self, numbers: pa.Array, text: pa.Array, spelled: bool) -> Converted:
        if self._declared is not None:
            as_text = self._declared in (ColumnType.TEXT, ColumnType.LIST)
            return self._convert(text if as_text else numbers, spelled)
        if self._finished:
            return cast(text if self.type == ColumnType.TEXT else numbers, self.type), _NONE, ""
        values = self._infer(numbers, spelled)
        column_type = self._plain_type
        if (
            column_type in (ColumnType.INTEGER, ColumnType.LONG, ColumnType.NUMBER)
            and self._spelling.versions
        ):
            column_type = ColumnType.TEXT
        self.type = column_type
        if column_type == ColumnType.TEXT:
            return cast(text, column_type), _NONE, ""
        return (cast(numbers, column_type) if values is None else values), _NONE, ""

    def _infer(self, column: pa.Array, spelled: bool) -> pa.Array | None:
        """Promote the type; return the cells of that type, None if they still have to be cast."""
        known = self._plain_type
        if known not in (ColumnType.EMPTY, ColumnType.TEXT):
            try:
                values = cast(column, known)
            except CastError:
                pass
            else:
                self._look(column, values, known, spelled)
                return values
        if known == ColumnType.TEXT:
            # A type that examples can't hold is found by the cast alone.
            self._look(column, None, ColumnType.TEXT, spelled)
            return None
        observed, values = infer_type(column, spelled)
        self._look(column, values, observed, spelled)
        self._plain_type = observed.promote(known)
        return values if self._plain_type == observed else None

    def _look(
        self, column: pa.Array, values: pa.Array | None, column_type: ColumnType, spelled: bool
    ) -> None:
        if not spelled:
            self._spelling.has_words |= column_type == ColumnType.TEXT
            return
        if column_type in (ColumnType.INTEGER, ColumnType.LONG):
            self._spelling.add_whole(values)
            if column_type == ColumnType.LONG:
                self._spelling.add_long(column)
        elif column_type == ColumnType.NUMBER:
            self._spelling.add_numbers(column, values)
        elif column_type == ColumnType.TEXT:
            self._spelling.add_text(column)
        elif column_type == ColumnType.BOOLEAN:
            self._spelling.words.add(column)
            self._spelling.add_words(column)

    def _convert(self, column: pa.Array, spelled: bool) -> Converted:
        assert self._declared is not None
        try:
            # Plain numbers alone, as in most blocks.
            return cast(column, self._declared), _NONE, ""
        except CastError:
            converted, rejected, fault = cast_or_reject(column, self._declared)
        if not spelled or self._declared == ColumnType.LIST:
            return converted, rejected, fault
        found = pc.fill_null(codes(column), False).to_numpy(zero_copy_only=False).copy()
        found[rejected] = False
        if found.any() and not self._finished:
            self._spelling.add_text(column.filter(pa.array(found)))
        if found.any() and self._strict:
            converted = pc.if_else(pa.array(found), pa.scalar(None, converted.type), converted)
            rejected = np.union1d(rejected, np.flatnonzero(found))
            fault = f"{fault}, or has another spelling than numbers have"
        return converted, rejected, fault


def infer_type(column: pa.Array, narrow: bool) -> tuple[ColumnType, pa.Array]:
    """Infer the narrowest type that holds every value of a column.

    Text keeps what a number would lose: integers beyond 64 bits, integers beyond 2^53 beside fractions, and cells that
    are spelled as codes are (see `number_spelling`). A duration is a number of seconds.

    Args:
        column: Values of an Arrow type that `decode_text` gives.
        narrow: Whether text may be numbers.

    Returns:
        The type, and the column cast to it.

    Raises:
        CastError: If its Arrow type is one that examples can't hold.
    """
    if column.null_count == len(column):
        return ColumnType.EMPTY, cast(column, ColumnType.EMPTY)
    if pa.types.is_string(column.type):
        candidates: Iterable[ColumnType] = (
            (ColumnType.INTEGER, ColumnType.LONG, ColumnType.NUMBER, ColumnType.BOOLEAN)
            if narrow
            else ()
        )
    elif is_whole(column.type):
        candidates = (ColumnType.INTEGER, ColumnType.LONG)
    elif has_fraction(column.type):
        candidates = (ColumnType.NUMBER,)
    else:
        candidates = ()
    for column_type in candidates:
        try:
            # Each cell that can't be parsed costs Arrow half a microsecond: a few show that most would not be.
            _try_first(column.slice(0, _FIRST_CELLS), column_type)
            return column_type, cast(column, column_type)
        except CastError:
            continue
    return ColumnType.TEXT, cast(column, ColumnType.TEXT)


def _try_first(cells: pa.Array, target: ColumnType) -> None:
    """Try whether a column's first cells are of a type, in the cheapest way.

    Raises:
        CastError: If they are not. `cast` may still raise for cells that pass here.
    """
    if pa.types.is_string(cells.type) and target in (
        ColumnType.INTEGER,
        ColumnType.LONG,
        ColumnType.NUMBER,
    ):
        cast_text(cells, target)
    else:
        cast(cells, target)
