"""A label that is missing, or the same in every row of a split, is an error of that split."""

import pandas as pd
import pytest

from retrainer.components.validate_examples.checks.constant_label import check
from retrainer.components.validate_examples.settings import parse_settings


@pytest.fixture
def found(analysis):
    """A function that checks spans, each the cells of the label `y`; None for rows without the column."""

    def go(*labels):
        spans = {
            str(i): pd.DataFrame({"x": [1, 2]} if one is None else {"y": pd.Series(one, dtype=float)})
            for i, one in enumerate(labels, 1)
        }  # fmt: skip
        return [
            (one.kind.name, one.where, one.seen, one.in_training)
            for one in check(analysis(spans), parse_settings())
        ]

    return go


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (([0, 1], [0, 1]), []),
        (
            ([1, 1], [1, 1], [0, 1]),
            [("constant_label", "training (1, 2)", "'1' in every row", True)],
        ),
        (([1, 1], [0, 0], [0, 1]), []),
        (([0, 1], [0, 0]), [("constant_label", "evaluation (2)", "'0' in every row", False)]),
        (([0, 1], None), [("missing_column", "evaluation (2)", "no such column", False)]),
        (
            (None, [1, 1]),
            [
                ("missing_column", "training (1)", "no such column", True),
                ("constant_label", "evaluation (2)", "'1' in every row", False),
            ],
        ),
        # A split without rows is reported as a span without rows.
        (([], [0, 1]), []),
        (([], [0, 0]), [("constant_label", "evaluation (2)", "'0' in every row", False)]),
    ],
)
def test_a_label_has_several_values_in_each_split(found, labels, expected):
    assert found(*labels) == expected
