"""Times as text, each in a form of its own."""

from typing import Any

import pandas as pd

# Since pandas 2 all cells are read in the form of the first, and others are missing: one without a fraction of a
# second, where the first has one. pandas 1 reads each by itself, and knows no such format.
_EACH_BY_ITSELF: dict[str, Any] = {} if pd.__version__.startswith("1.") else {"format": "mixed"}


def read_times(cells: pd.Series) -> pd.Series:
    """Return times in UTC.

    Args:
        cells: Times, or texts of times.

    Returns:
        The times; what is none is missing.
    """
    return pd.to_datetime(cells, errors="coerce", utc=True, **_EACH_BY_ITSELF)
