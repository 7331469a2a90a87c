"""Which columns a preprocessing_fn uses."""

from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import tensorflow as tf
import tensorflow_transform as tft

from ..lib.errors import RetrainerError
from ..lib.features import FLOAT, INT, STRING

DTYPES = {INT: tf.int64, FLOAT: tf.float32, STRING: tf.string}
_HOLDS = {INT: "whole numbers", FLOAT: "numbers", STRING: "text"}


def used_features(preprocess: Callable, available: Mapping[str, str]) -> dict[str, str]:
    """Find the columns that a preprocessing_fn uses.

    Args:
        preprocess: The user's preprocessing_fn.
        available: Columns that it may use, with their kinds.

    Returns:
        Those it does use, in the order of their names.

    Raises:
        RetrainerError: If it asks for a column that is not there, raises, or uses none.
    """
    specs = {name: tf.TensorSpec([None, 1], DTYPES[kind]) for name, kind in available.items()}

    def checked(inputs: Mapping[str, Any]) -> Any:
        columns = _Columns(inputs)
        try:
            return preprocess(columns)
        except RetrainerError as error:
            if columns.last not in available:
                raise
            raise RetrainerError(
                f"{error}\nThe column that it read last is '{columns.last}', which holds "
                f"{_HOLDS[available[columns.last]]}."
            ) from error

    used = set(tft.get_transform_input_columns(checked, specs)) | set(
        tft.get_analyze_input_columns(checked, specs)
    )
    if not used:
        raise RetrainerError(
            f"preprocessing_fn uses none of the columns {', '.join(available)}; a model needs a feature."
        )
    return {name: available[name] for name in sorted(used)}


class _Columns(dict):
    """The inputs of a preprocessing_fn; a column that is not there is named with those that are.

    Attributes:
        last: The column that was read last; empty at first.
    """

    last = ""

    def __getitem__(self, name: str) -> Any:
        self.last = name
        return super().__getitem__(name)

    def __missing__(self, name: str) -> NoReturn:
        raise RetrainerError(
            f"preprocessing_fn asks for the column '{name}', which the examples don't have as a feature. "
            f"They have: {', '.join(sorted(self))}. (The label and the key are no features.)"
        )
