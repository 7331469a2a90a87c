"""TFMA's failures without the rows that it fails on.

TFMA puts every label and prediction of a batch, thousands of lines, into its messages.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import RetrainerError
from ..user_code.user_errors import reason_of
from .array_metrics.array_path import NotCoveredError

MOST_LETTERS = 2_000
"""A message of more is taken to hold rows."""

_KERAS = re.compile(r"TF Metric (\S+) fails to update")


@contextmanager
def without_rows() -> Iterator[None]:
    """Cut failures short that hold rows in their message.

    Raises:
        RetrainerError: Instead of such a failure, and without its cause, which would be printed with it.
    """
    try:
        yield
    except (NotCoveredError, RetrainerError):
        raise
    except Exception as error:
        text = str(error)
        metric = _KERAS.search(text)
        if metric is None and len(text) <= MOST_LETTERS:
            raise
        message = (
            f"Keras's metric '{metric[1]}' fails on these labels and predictions: "
            f"{reason_of(error.__cause__ or error)}\nChoose another metric, or set it for what the label is."
            if metric is not None
            else f"TFMA fails on these labels and predictions: {reason_of(error)}"
        )
        raise RetrainerError(message) from None
