"""What a hidden slice has too few of, at the bound and beside it."""

from typing import Any

import pytest

from retrainer.components.evaluate_model.small_slices import too_few
from retrainer.components.lib.evaluation.eval_config import build_eval_config

OF_ROWS = {"metrics": [{"class_name": "AUC"}, {"class_name": "ExampleCount"}]}
OF_QUERIES = {"query_key": "search", "metrics": [{"class_name": "MinLabelPosition"}]}


@pytest.mark.parametrize(
    ("specs", "least", "rows", "words"),
    [
        ([OF_ROWS], None, None, ""),
        ([OF_ROWS], 1, 0, ""),
        ([OF_ROWS], 2, None, "fewer than 2 rows"),
        ([OF_ROWS], 2000, 7, "fewer than 2,000 rows"),
        ([OF_ROWS, OF_QUERIES], 20, None, "fewer than 20 rows or queries"),
        ([OF_ROWS, OF_QUERIES], 20, 19, "fewer than 20 rows"),
        # It has rows enough, of too few queries.
        ([OF_ROWS, OF_QUERIES], 20, 20, "fewer than 20 queries"),
    ],
)
def test_rows_or_queries_are_too_few(
    specs: list[dict[str, Any]], least: int | None, rows: int | None, words: str
) -> None:
    options = {} if least is None else {"min_slice_size": least}
    assert too_few(build_eval_config(specs, [], options, "late"), rows) == words


def test_where_all_metrics_are_of_queries_these_are_too_few() -> None:
    config = build_eval_config([OF_QUERIES], [], {"min_slice_size": 5}, "late")
    del config.metrics_specs[1:]
    for rows in (None, 3, 9):
        assert too_few(config, rows) == "fewer than 5 queries"
