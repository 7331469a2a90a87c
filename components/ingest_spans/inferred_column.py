"""What a column holds, found out block by block."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from .cell_rules import CellRules
from .column_types import Kind, MisfitError, convert, fit, observe
from .number_spelling import Spelling, codes, reason_of

Converted = tuple[pa.Array, np.ndarray, str]
"""A column's cells in their final type; the positions of those that do not fit, which are null; what is wrong there."""
_NONE = np.empty(0, np.int64)
_EXAMPLES = 3

CODES, CODES_AS_NUMBERS, VERSIONS, LONG, MISSING_WORDS, INDEX = (
    "codes", "codes_as_numbers", "versions", "long", "missing_words", "index",
)  # fmt: skip


@dataclass(frozen=True)
class Note:
    """What became of cells that could mean something else.

    Attributes:
        kind: `codes`: the column is text, since some of its cells are spelled as numbers are not, such as 0700;
            `codes_as_numbers`: such cells became numbers, since the schema or the settings say so; `versions`: the
            column is text, since its cells look like version numbers, such as 3.9 and 3.10; `long`: the column is text,
            since a number would lose digits of some cells; `missing_words`: words such as NA in a column of text are
            taken for missing cells.
        rows: How many cells.
        examples: The first of them, distinct.
        reason: Of codes: what is not plain about the first of them.
    """

    kind: str
    rows: int
    examples: tuple[str, ...]
    reason: str


class InferredColumn:
    """One column of a span.

    Attributes:
        kind: What it holds, as far as it was read.
    """

    def __init__(self, demanded: Kind | None, strict: bool = False) -> None:
        """Begin a column.

        Args:
            demanded: What it has to hold; none to find it out.
            strict: Whether a code, such as 0700, is no number even where a number is demanded.
        """
        self.kind = demanded or Kind.NOTHING
        self._demanded = demanded
        self._strict = strict
        # Without what the spelling of all its plain numbers says.
        self._plain_kind = Kind.NOTHING
        self._spelling = Spelling()
        self._words: Counter[str] = Counter()
        self._settled = False
        self._rules: CellRules | None = None
        self._leave_numbers = False

    def settle(self) -> None:
        """Take what was found for that of the whole span: what follows is read again."""
        self._settled = True

    def add(self, column: pa.Array, rules: CellRules | None) -> Converted:
        """Convert a block's cells, and let what they hold widen the column's kind.

        Args:
            column: Cells of an Arrow type that `decode_text` gives.
            rules: How cells of text are read, where the format has no other; none where text is text.

        Raises:
            MisfitError: If the type is one that examples can't hold.
        """
        text = rules is not None and pa.types.is_string(column.type)
        if not text or rules is None:
            return self._add(column, column, False)
        if self._rules != rules:
            self._rules, self._leave_numbers = rules, rules.leave_numbers
        if self._leave_numbers and (plain := self._as_it_is(column)) is not None:
            return plain, _NONE, ""
        as_text = rules.as_text(column)
        bare = rules.without_missing(column) if rules.keep_words else as_text
        converted = self._add(rules.as_numbers(bare), as_text, True)
        if self.kind == Kind.TEXT and not self._settled and as_text is not column:
            self._words.update(rules.missing_words(column))
        return converted

    def notes(self) -> list[Note]:
        """Say what became of cells that could mean something else: see `Note`."""
        spelling = self._spelling
        found = []
        if self._words:
            words = sorted(self._words, key=lambda word: -self._words[word])
            found.append(
                Note(MISSING_WORDS, sum(self._words.values()), tuple(words[:_EXAMPLES]), "")
            )
        if spelling.words:
            return found
        if spelling.codes.rows:
            kind = CODES if self.kind == Kind.TEXT else CODES_AS_NUMBERS
            reason = reason_of(spelling.codes.examples[0])
            found.append(Note(kind, spelling.codes.rows, tuple(spelling.codes.examples), reason))
        elif self._demanded is None and self.kind == Kind.TEXT:
            kind, cells = (
                (LONG, spelling.long) if spelling.long.rows else (VERSIONS, spelling.zeros)
            )
            if kind == LONG or spelling.versions:
                found.append(Note(kind, cells.rows, tuple(cells.examples), ""))
        return found

    def _as_it_is(self, column: pa.Array) -> pa.Array | None:
        """Convert a block of numbers in one go, as most are; none if one of its cells needs a closer look."""
        kind = self.kind
        if kind not in (Kind.INTEGER, Kind.LONG, Kind.NUMBER):
            return None
        try:
            fitted = fit(column, kind)
        except MisfitError:
            return None
        if self._demanded is None and not self._settled:
            self._look(column, fitted, kind, True)
            if self._spelling.versions:
                self.kind = Kind.TEXT
                return None
        return fitted

    def _add(self, numbers: pa.Array, text: pa.Array, spelled: bool) -> Converted:
        if self._demanded is not None:
            return self._convert(text if self._demanded == Kind.TEXT else numbers, spelled)
        if self._settled:
            return fit(text if self.kind == Kind.TEXT else numbers, self.kind), _NONE, ""
        fitted = self._infer(numbers, spelled)
        kind = self._plain_kind
        if kind in (Kind.INTEGER, Kind.LONG, Kind.NUMBER) and self._spelling.versions:
            kind = Kind.TEXT
        self.kind = kind
        if kind == Kind.TEXT:
            return fit(text, kind), _NONE, ""
        return (fit(numbers, kind) if fitted is None else fitted), _NONE, ""

    def _infer(self, column: pa.Array, spelled: bool) -> pa.Array | None:
        """Widen the kind; what is given back are the cells of that kind, none if they still are to be converted."""
        known = self._plain_kind
        if known not in (Kind.NOTHING, Kind.TEXT):
            try:
                fitted = fit(column, known)
            except MisfitError:
                pass
            else:
                self._look(column, fitted, known, spelled)
                return fitted
        if known == Kind.TEXT:
            # Arrow's types say at once what examples can't hold.
            self._look(column, None, Kind.TEXT, spelled)
            return None
        observed, fitted = observe(column, spelled)
        self._look(column, fitted, observed, spelled)
        self._plain_kind = observed.widened(known)
        return fitted if self._plain_kind == observed else None

    def _look(self, column: pa.Array, fitted: pa.Array | None, kind: Kind, spelled: bool) -> None:
        if not spelled:
            self._spelling.words |= kind == Kind.TEXT
            return
        if kind in (Kind.INTEGER, Kind.LONG):
            self._spelling.add_whole(fitted)
            if kind == Kind.LONG:
                self._spelling.add_long(column)
        elif kind == Kind.NUMBER:
            self._spelling.add_numbers(column, fitted)
        elif kind == Kind.TEXT:
            self._spelling.add_text(column)
        elif kind == Kind.FLAG:
            self._spelling.words = True

    def _convert(self, column: pa.Array, spelled: bool) -> Converted:
        assert self._demanded is not None
        try:
            # Nothing but plain numbers, as most blocks.
            return fit(column, self._demanded), _NONE, ""
        except MisfitError:
            converted, misfits, fault = convert(column, self._demanded)
        if not spelled:
            return converted, misfits, fault
        found = pc.fill_null(codes(column), False).to_numpy(zero_copy_only=False).copy()
        found[misfits] = False
        if found.any() and not self._settled:
            self._spelling.add_text(column.filter(pa.array(found)))
        if found.any() and self._strict:
            converted = pc.if_else(pa.array(found), pa.scalar(None, converted.type), converted)
            misfits = np.union1d(misfits, np.flatnonzero(found))
            fault = f"{fault}, or has another spelling than numbers have"
        return converted, misfits, fault
