"""Columns that rankings are computed from: a row without a value in one of them belongs nowhere."""

from collections.abc import Iterator, Mapping

import numpy as np
import pyarrow as pa
from tensorflow_model_analysis.proto import config_pb2

from ..words import plural
from .config_checks import metric_columns

_FIXES: Mapping[str, str] = {
    "query_key": "Each row is of one query: quarantine such rows when they are ingested, or fill the column in the "
    "source.",
    "gain_key": "Fill it in the source, with 0 for a row that is of no use to anybody.",
    "label_key": "Fill it in the source, with 0 for a row that is of no use to anybody.",
}


def rows_without(
    config: config_pb2.EvalConfig, columns: pa.Table
) -> Iterator[tuple[str, np.ndarray]]:
    """Find rows that lack a query, a gain or a label of a ranking.

    Args:
        config: The evaluation.
        columns: The columns that metrics name; one that is not here is passed over.

    Yields:
        The setting with its column, such as `gain_key 'clicks'`, and for each row whether it is empty there.
    """
    found = dict.fromkeys(
        (place.rsplit(".", 1)[1], name)
        for name, place in metric_columns(config)
        if name in columns.column_names
    )
    for setting, name in found:
        if setting in _FIXES:
            empty = columns[name].combine_chunks().is_null().to_numpy(zero_copy_only=False)
            yield f"{setting} '{name}'", empty


def empty_problem(setting: str, empty: int, rows: int) -> str:
    """Describe that a column of a ranking is empty in some rows.

    Args:
        setting: As `rows_without` names it.
        empty: In how many rows.
        rows: How many rows there are.
    """
    return (
        f"the {setting} is empty in {empty:,} of {plural(rows, 'eval row')}. "
        f"{_FIXES[setting.split(' ', 1)[0]]}"
    )
