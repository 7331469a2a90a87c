"""How cells of text spell numbers: which spellings are plain numbers, and which are codes that a number would lose.

A cell is a plain number if a program that writes numbers would write it so: digits without zeros before them and
without a plus sign, a fraction after a point, and an exponent only beside a point or with a sign of its own. These are
the forms of Python and pandas (`1e-05`), R (`1e+05`), C and BigQuery (`1.5e+10`), JavaScript (`1e-7`), Java and Spark
(`1.0E10`) and Excel (`1.5E+10`). Other cells that a parser of numbers would take, such as `0700`, `+49301`, `0x10` and
`1E5`, are codes: two of them that differ may be one number.
"""

import re
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

# Of cells that Arrow parses as numbers, those that are codes: a plus sign, zeros or 0x in front, an exponent that has
# neither a sign nor a point before it.
_CODE = r"^(?:\+|-?0[0-9xX]|-?[0-9]+[eE][0-9])"
# All that people and programs write for numbers; what is not of this form is a word.
_LIKE_NUMBER = (
    r"^\s*[-+]?[$€£¥]?\s?(?:0[xX][0-9a-fA-F]+"
    r"|(?:[0-9]+(?:_[0-9]+)*(?:[.,' \x{a0}\x{202f}][0-9]{3})*(?:[.,][0-9]*)?|[.,][0-9]+)"
    r"(?:[eE][-+]?[0-9]+)?|(?i:nan|inf|infinity))\s?[%$€£¥]?\s*$"
)
_PLAIN = (
    r"^\s*-?(?:(?:0|[1-9][0-9]*)(?:[eE][-+][0-9]{1,3})?|(?:(?:0|[1-9][0-9]*)\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]{1,3})?"
    r"|(?i:nan|inf|infinity))\s*$"
)
MARKS = ("thousands marks", "a decimal comma")
"""What `reason_of` calls numbers that are punctuated otherwise."""
_REASONS = (
    (re.compile(r"\s*[-+]?0[xX]"), "hexadecimal"),
    (re.compile(r"\s*\+"), "a plus sign"),
    (re.compile(r"\s*-?0[0-9]"), "leading zeros"),
    (re.compile(r"\s*-?[0-9]+[eE][0-9]"), "an exponent without a sign, as codes have"),
    (re.compile(r".*_"), "underscores"),
    (re.compile(r".*[$€£¥%]"), "a unit"),
    (
        re.compile(r"\s*-?[0-9]{1,3}([.,' \u00a0\u202f][0-9]{3})+([.,][0-9]+)?\s*$"),
        MARKS[0],
    ),
    (re.compile(r"\s*-?[0-9]*,[0-9]+\s*$"), MARKS[1]),
)
# Version numbers, such as 3.9 and 3.10: no part has more digits than this, and none is negative.
_VERSION_LIMIT, _VERSION_DIGITS = 1_000, 3
_ENDS_IN_ZERO = r"\.[0-9]*[1-9]0$"
# The shortest integers that a floating-point number may lose.
_LONG = r"^\s*-?[0-9]{16,}\s*$"
_EXAMPLES = 3
_FIRST_CELLS = 64
# Of a column, to see whether a few words are all that makes it text.
_CELLS_FOR_WORDS, _MOST_WORDS = 1_000, 0.1


def any_code(text: pa.Array) -> bool:
    """Check whether cells that Arrow parses as numbers include a code.

    Args:
        text: The cells, without spaces around them.
    """
    # Most blocks have none, which their bytes show several times faster than the expression.
    return _may_have_code(text) and bool(pc.any(pc.match_substring_regex(text, _CODE)).as_py())


def _may_have_code(text: pa.Array) -> bool:
    starts, ends, content = _bytes(text)
    if not len(content):
        return False
    first = content.take(starts, mode="clip")
    if _has_letters(content) or (first == ord("+")).any():
        return True
    zero, minus = np.flatnonzero(first == ord("0")), np.flatnonzero(first == ord("-"))
    return _has_zero_in_front(content, starts[zero], ends[zero]) or _has_zero_in_front(
        content, starts[minus] + 1, ends[minus]
    )


def _has_zero_in_front(content: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> bool:
    zeros = (starts + 1 < ends) & (content.take(starts, mode="clip") == ord("0"))
    after = content.take(starts[zeros] + 1, mode="clip")
    return bool((after != ord(".")).any())


def may_be_words(text: pa.Array, words: tuple[str, ...]) -> bool:
    """Check by its bytes whether an array may have a cell that is one of some words.

    Args:
        text: The cells.
        words: The words; an empty one is an empty cell.

    Returns:
        False if no cell has a letter and none is empty, as in most columns of numbers.
    """
    if any(word and max(word) < "A" for word in words):
        return True
    starts, ends, content = _bytes(text)
    return _has_letters(content) or bool((starts == ends).any())


def _has_letters(content: np.ndarray) -> bool:
    # All that a number without an exponent is spelled with comes before them.
    return bool(len(content) and content.max() >= ord("A"))


def _bytes(text: pa.Array) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return where each cell begins and ends in the bytes of an array, and those bytes."""
    _, offsets, content = text.buffers()
    bounds = np.frombuffer(offsets, np.int32)[text.offset : text.offset + len(text) + 1]
    if content is None or not len(text):
        return bounds[:0], bounds[:0], np.empty(0, np.uint8)
    used = np.frombuffer(content, np.uint8)[bounds[0] : bounds[-1]]
    return bounds[:-1] - bounds[0], bounds[1:] - bounds[0], used


def codes(text: pa.Array) -> pa.Array:
    """List which cells look like numbers and are no plain ones.

    Args:
        text: n cells.

    Returns:
        n truth values; null where a cell is missing.
    """
    like = pc.match_substring_regex(text, _LIKE_NUMBER)
    return pc.and_(like, pc.invert(pc.match_substring_regex(text, _PLAIN)))


@dataclass
class Cells:
    """Some cells: how many, and the first of them, distinct."""

    rows: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, cells: pa.Array) -> None:
        """Note cells, of which none is missing."""
        self.rows += len(cells)
        if len(self.examples) < _EXAMPLES:
            first = pc.unique(cells).slice(0, 2 * _EXAMPLES).to_pylist()
            self.examples += [cell for cell in first if cell not in self.examples]
            del self.examples[_EXAMPLES:]


@dataclass
class Words:
    """Words of a column whose cells may be numbers else.

    Attributes:
        seen: How many cells were looked at: the first that are not missing.
        found: Those of them that do not look like numbers; where there are none, the first one after them.
    """

    seen: int = 0
    found: Cells = field(default_factory=Cells)

    @property
    def are_few(self) -> bool:
        """Whether there are words, at most one in ten cells."""
        return 0 < self.found.rows <= _MOST_WORDS * self.seen

    def add_numbers(self, count: int) -> None:
        """Note cells that are numbers."""
        self.seen += min(count, _CELLS_FOR_WORDS - self.seen)

    def add(self, text: pa.Array) -> None:
        """Note cells that may be words."""
        if self.seen == _CELLS_FOR_WORDS:
            return
        cells = text.drop_null().slice(0, _CELLS_FOR_WORDS - self.seen)
        self.seen += len(cells)
        self.found.add(_words(cells))

    def add_first(self, text: pa.Array) -> None:
        """Note the first word of cells, where none was found yet."""
        if not self.found.rows:
            self.found.add(_words(text.drop_null()).slice(0, 1))


def _words(text: pa.Array) -> pa.Array:
    return text.filter(pc.invert(pc.match_substring_regex(text, _LIKE_NUMBER)))


@dataclass
class Spelling:
    """How the cells of a column of text are spelled, as far as it was read.

    What it says at the end does not depend on where blocks end.

    Attributes:
        has_words: Whether a cell is a word, so that the column is text whatever the others are.
        words: Words, which may be few.
        codes: Cells that look like numbers and are no plain ones.
        long: Cells that are whole numbers of 16 digits or more.
        measured: Whether a cell is a number that no version number is: negative, a thousand or more, or with more than
            three digits after the point.
        decimals: How many digits stand after the point, in cells that have one.
        zeros: Cells that end in a zero that a number would lose, as 3.10 does.
    """

    has_words: bool = False
    words: Words = field(default_factory=Words)
    codes: Cells = field(default_factory=Cells)
    long: Cells = field(default_factory=Cells)
    measured: bool = False
    decimals: set[int] = field(default_factory=set)
    zeros: Cells = field(default_factory=Cells)

    @property
    def versions(self) -> bool:
        """Whether the plain numbers are version numbers: some end in a zero that counts, and their digits vary."""
        return not self.measured and self.zeros.rows > 0 and len(self.decimals) > 1

    def add_whole(self, values: pa.Array) -> None:
        """Note a block of whole numbers.

        Args:
            values: The numbers that its cells became.
        """
        self.words.add_numbers(len(values) - values.null_count)
        if not self.measured:
            bounds = pc.min_max(values)
            least, most = bounds["min"].as_py(), bounds["max"].as_py()
            self.measured = least is not None and (least < 0 or most >= _VERSION_LIMIT)

    def add_numbers(self, text: pa.Array, values: pa.Array) -> None:
        """Note a block of plain numbers, some with a fraction.

        Args:
            text: Its cells.
            values: The numbers that they became.
        """
        self.add_whole(values)
        if self.measured or values.null_count == len(values):
            return
        text = pc.utf8_trim_whitespace(text)
        starts, ends, content = _bytes(text)
        if _has_letters(content):
            # An exponent; what is infinite was seen above, and NaN is missing.
            self.measured = bool(pc.any(pc.match_substring_regex(text, "[0-9.][eE]")).as_py())
            if self.measured:
                return
        point = pc.fill_null(pc.find_substring(text, "."), -1).to_numpy()
        digits = np.where(point < 0, -1, ends - starts - point - 1)
        if digits.max() > _VERSION_DIGITS:
            self.measured = True
            return
        self.decimals.update(np.unique(digits[point >= 0]).tolist())
        # 3.10, and neither 3.0 nor 3.00.
        ending = (digits > 1) & (content.take(ends - 1, mode="clip") == ord("0"))
        if ending.any():
            cells = text.filter(pa.array(ending))
            self.zeros.add(cells.filter(pc.match_substring_regex(cells, _ENDS_IN_ZERO)))

    def add_text(self, text: pa.Array) -> None:
        """Note a block of cells that are not all plain numbers.

        Args:
            text: Its cells.
        """
        self.words.add(text)
        if self.has_words:
            return
        # Most columns of text show it in their first cells.
        for cells in (text.slice(0, _FIRST_CELLS), text):
            # Where all cells are missing, none is a word.
            if not pc.all(pc.match_substring_regex(cells, _LIKE_NUMBER), min_count=0).as_py():
                self.add_words(cells)
                return
        self.codes.add(text.filter(codes(text)))
        self.add_long(text)

    def add_words(self, text: pa.Array) -> None:
        """Note that some cells are words.

        Args:
            text: Cells with these.
        """
        self.words.add_first(text)
        self.has_words = True

    def add_long(self, text: pa.Array) -> None:
        """Note a block's whole numbers of 16 digits or more.

        Args:
            text: Its cells.
        """
        self.long.add(text.filter(pc.match_substring_regex(text, _LONG)))


def reason_of(cell: str) -> str:
    """Name what makes a code of a cell that looks like a number."""
    return next((reason for pattern, reason in _REASONS if pattern.match(cell)), "its spelling")
