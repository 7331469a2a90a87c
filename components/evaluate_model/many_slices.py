"""Slices by a column with very many values, such as a customer's number."""

from collections import Counter
from collections.abc import Sequence

from tensorflow_model_analysis.proto import metrics_for_slice_pb2
from tensorflow_model_analysis.slicer import slicer_lib

from ..lib.errors import RetrainerError
from ..lib.evaluation.input_counts import InputCounts
from .tfma_results import SliceResult

MOST_SLICES = 200_000
"""So many take some minutes and 2 GB; each has its own metrics in memory and in the result files."""
MANY_SLICES = 10_000
"""From so many on the verdict names the columns."""


def check_slices(counts: InputCounts) -> None:
    """Check that there are not too many slices, before metrics are computed.

    Raises:
        RetrainerError: If there are.
    """
    if len(counts.slices) <= MOST_SLICES:
        return
    keys = (
        slicer_lib.deserialize_slice_key(
            metrics_for_slice_pb2.SliceKey.FromString(bytes.fromhex(one))
        )
        for one in counts.slices
    )
    columns, slices = _largest([tuple(column for column, _ in key) for key in keys])
    raise RetrainerError(
        f"evaluation.slicing_specs makes {len(counts.slices):,} slices, {slices:,} of them by {columns}, and at most "
        f"{MOST_SLICES:,} are evaluated. Slice by a column with fewer values, such as a bucket of this one "
        "(data.columns)."
    )


def describe_many(slices: Sequence[SliceResult]) -> str:
    """Describe which columns make very many slices; empty if there are not many.

    Args:
        slices: The slices of an evaluation.
    """
    if len(slices) <= MANY_SLICES:
        return ""
    columns, count = _largest(
        [tuple(column for column, _ in slice_result.key) for slice_result in slices]
    )
    return f"{count:,} slices are by {columns}: evaluation.options.min_slice_size leaves small ones out"


def _largest(columns: Sequence[tuple[str, ...]]) -> tuple[str, int]:
    ((most, count),) = Counter(columns).most_common(1)
    return " and ".join(f"'{column}'" for column in most), count
