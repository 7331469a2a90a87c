"""Names of a source's columns."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence

from ...errors import RetrainerError

_INDEX = re.compile(r"__index_level_\d+__|Unnamed: \d+|")


def is_index(name: str) -> bool:
    """Check whether a column is an index that pandas wrote beside the others.

    It numbers the rows of a file, and comes and goes with the way that the file was written. Without a name of its own,
    it is called `__index_level_0__` in Parquet, nothing in CSV, and `Unnamed: 0` in CSV that was read and written
    again.

    Args:
        name: The column's name.
    """
    return _INDEX.fullmatch(name) is not None


def check_characters(names: Iterable[str], uri: str) -> None:
    """Check that no column's name has an invisible character, such as a line break or a byte of 0.

    No report shows it, few stores accept it, and no setting can name it.

    Args:
        names: The columns' names.
        uri: The file, for errors.

    Raises:
        RetrainerError: If a name has one.
    """
    for name in names:
        if any(unicodedata.category(character) == "Cc" for character in name):
            tabs = ' Or set data.csv to {delimiter: "\\t"}, if tabs separate columns.'
            hint = tabs if "\t" in name else ""
            raise RetrainerError(
                f"'{uri}' has the column {name!r}, whose name has an invisible character. Rename it "
                f"(data.columns), or name the columns (data.csv.columns).{hint}"
            )


def check_names(names: Sequence[str], uri: str, hint: str = "") -> None:
    """Check that no column is there twice.

    Args:
        names: The columns' names.
        uri: The file, for errors.
        hint: Another fix, with a space before it.

    Raises:
        RetrainerError: If a name comes more than once.
    """
    name, count = next(iter(Counter(names).most_common(1)), ("", 0))
    if count > 1:
        raise RetrainerError(
            f"'{uri}' has the column '{name}' more than once. Rename one in the source.{hint}"
        )
