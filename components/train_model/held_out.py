"""The rows of the training split that are kept out of training, to see when it has learned enough."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa

from ..lib.errors import RetrainerError
from ..lib.examples import TRAIN, Examples

_PLACES = 1_000_000


@dataclass(frozen=True)
class HeldOut:
    """A part of the training split, chosen by a hash.

    Attributes:
        fraction: Its share of the keys, or of the different rows; 0 for none.
        columns: What is hashed: the examples' key, so that rows of one key stay together, else the columns that are
            trained on, so that equal rows do.
    """

    fraction: float
    columns: tuple[str, ...]

    def mask(self, table: pa.Table | pa.RecordBatch) -> np.ndarray:
        """Report which rows are held out.

        Args:
            table: Rows; a column that it lacks does not count.

        Returns:
            bool, shape (rows,).
        """
        if not self.fraction:
            return np.zeros(table.num_rows, bool)
        names = table.schema.names
        columns = {}
        for name in self.columns:
            if name in names:
                column = table.column(name).to_pandas()
                # A whole number is the same in a span where it has gaps, and is floating point.
                columns[name] = column.astype("float64") if column.dtype.kind in "iuf" else column
        hashes = pd.util.hash_pandas_object(pd.DataFrame(columns), index=False).to_numpy()
        return hashes % _PLACES < self.fraction * _PLACES

    def count(self, examples: Examples) -> int:
        """Count the rows that are held out.

        Raises:
            RetrainerError: If a fraction is asked for, and there are none, or no others.
        """
        if not self.fraction:
            return 0
        batches = examples.iter_batches(TRAIN, list(self.columns))
        found = sum(int(self.mask(batch).sum()) for batch in batches)
        rows = examples.rows(TRAIN)
        if not 0 < found < rows:
            raise RetrainerError(
                f"model.validation_fraction {self.fraction:g} holds {found:,} of {rows:,} training rows out, as they "
                f"fall by {', '.join(self.columns)}. Choose another fraction, or add rows."
            )
        return found


def hold_out(examples: Examples, fraction: float, columns: Sequence[str]) -> HeldOut:
    """Choose the part of the training split that is held out.

    Args:
        examples: The examples.
        fraction: Its share, from 0 to below 1.
        columns: The columns that are trained on, the label included.
    """
    return HeldOut(fraction, examples.key or tuple(columns))
