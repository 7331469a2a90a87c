"""Names of a source's columns."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence

from ...lib.errors import RetrainerError

_INDEX = re.compile(r"__index_level_\d+__|Unnamed: \d+|")


def is_index(name: str) -> bool:
    """Tell whether a column is an index that pandas wrote beside the others.

    It numbers the rows of a file, and comes and goes with the way that the file was written. Without a name of its own,
    it is called `__index_level_0__` in Parquet, nothing in CSV, and `Unnamed: 0` in CSV that was read and written
    again.

    Args:
        name: The column's name.
    """
    return _INDEX.fullmatch(name) is not None


def check_characters(names: Iterable[str], uri: str) -> None:
    """Refuse a column whose name has a character that can't be seen, such as a line break or a byte of 0.

    No report shows it, few stores take it, and nobody can name it in a setting.

    Args:
        names: The columns' names.
        uri: What the file is called in errors.

    Raises:
        RetrainerError: If a name has one.
    """
    for name in names:
        if any(unicodedata.category(character) == "Cc" for character in name):
            raise RetrainerError(
                f"'{uri}' has the column {name!r}, whose name has a character that can't be seen. Rename it "
                "(data.columns), or name the columns (data.csv.columns)."
            )


def check_names(names: Sequence[str], uri: str, way_out: str = "") -> None:
    """Refuse a column that is there twice.

    Args:
        names: The columns' names.
        uri: What the file is called in errors.
        way_out: What else may help, with a space before it.

    Raises:
        RetrainerError: If a name comes more than once.
    """
    name, count = next(iter(Counter(names).most_common(1)), ("", 0))
    if count > 1:
        raise RetrainerError(
            f"'{uri}' has the column '{name}' more than once. Rename one in the source.{way_out}"
        )
