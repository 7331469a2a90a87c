"""Names of a source's columns."""

from collections import Counter
from collections.abc import Sequence

from ...lib.errors import RetrainerError


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
