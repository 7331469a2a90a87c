"""TFMA's failures without the rows that it fails on.

TFMA puts every label and prediction of a batch, thousands of lines, into its messages.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from ..lib.errors import RetrainerError
from .accumulators import NotCoveredError

MOST_LETTERS = 2_000
"""A message of more is taken to hold rows."""

_LETTERS_KEPT = 300
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
            f"{_reason(error.__cause__ or error)}. Choose another metric, or set it for what the label is."
            if metric is not None
            else f"TFMA fails on these labels and predictions: {_reason(error)}."
        )
        raise RetrainerError(message) from None


def _reason(error: BaseException) -> str:
    """Take the line with the reason: after the frames of user code, or else the first one."""
    lines = [re.sub(r"\{\{.*?\}\}", "", line).strip() for line in str(error).splitlines()]
    lines = [line for line in lines if line and not _KERAS.match(line)]
    named = [line for line in lines if re.match(r"\w*(Error|Exception): ", line)]
    told = next(iter([*named, *lines]), type(error).__name__)
    return f"{told[:_LETTERS_KEPT]}..." if len(told) > _LETTERS_KEPT else told.rstrip(".")
