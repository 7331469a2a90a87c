"""Keys as numbers: the same for one key whatever format and type a source has it in."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow as pa

from ..lib.canonical_text import plain_texts


def hash_keys(columns: Sequence[pa.Array]) -> tuple[np.ndarray, np.ndarray]:
    """Hash the keys of rows.

    Among ten million predictions and a hundred million labels two keys that differ have one hash with a probability of
    one in 20,000.

    Args:
        columns: The key's columns, n cells each.

    Returns:
        n unsigned integers of 64 bits, and whether each row has a key: no cell of it is missing.
    """
    texts = [plain_texts(column) for column in columns]
    present = np.ones(len(columns[0]), bool)
    for text in texts:
        present &= text.is_valid().to_numpy(zero_copy_only=False)
    frame = pd.DataFrame(
        {
            number: text.fill_null("").to_numpy(zero_copy_only=False)
            for number, text in enumerate(texts)
        }
    )
    # Categories cost time where nearly every key is another one.
    hashes = pd.util.hash_pandas_object(frame, index=False, categorize=False)
    return hashes.to_numpy(np.uint64), present
