"""Whole numbers that a float32 can't hold are named, and so is the change that makes them one."""

import numpy as np
import pandas as pd
import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.validate_examples.checks.large_integers import check
from retrainer.components.validate_examples.schema_accept import update_schema
from retrainer.components.validate_examples.settings import parse_settings
from retrainer.components.validate_examples.window import read_window


def spans(**columns) -> dict[str, pd.DataFrame]:
    frames = {}
    for i in range(3):
        rng = np.random.default_rng(i)
        rows = 300
        made = {name: make(rng, rows) for name, make in columns.items()}
        frames[str(i)] = pd.DataFrame({**made, "y": rng.integers(0, 2, rows)})
    return frames


def ids(rng, rows, gaps=0, low=900_000_000):
    values = pd.array(rng.integers(low, low + 5000, rows), dtype="Int64")
    values[:gaps] = pd.NA
    return values


def test_integers_with_gaps_beyond_what_float32_holds_are_named(judge):
    outcome = judge(
        spans(
            merchant=lambda rng, rows: ids(rng, rows, gaps=3),
            whole=ids,
            small=lambda rng, rows: ids(rng, rows, 3, low=1_000_000),
            amount=lambda rng, rows: rng.lognormal(19, 1, rows),
            account=lambda rng, rows: rng.integers(10**9, 2 * 10**9, rows).astype(float),
        ),
        label="y",
    )
    named = {f["column"] for f in outcome.findings if f["kind"] == "large_integers"}
    assert named == {"merchant", "account"}
    found = outcome.one("merchant", "large_integers")
    assert found["severity"] == "warning"
    assert "whole numbers up to 900,00" in found["seen"]
    assert "data.types: {merchant: text}" in found["remedy"]
    assert "fill its gaps" in found["remedy"]
    assert "gaps" not in outcome.one("account", "large_integers")["remedy"]


def test_accepting_gaps_says_that_the_column_becomes_a_float32(judge, tmp_path):
    assert judge(spans(merchant=ids), label="y").error == ""
    schema_file = tmp_path / "schema"
    newer = spans(merchant=lambda rng, rows: ids(rng, rows, gaps=3))
    newer = {f"{span}n": frame for span, frame in newer.items()}
    assert "merchant: missing values" in judge(newer, label="y").error
    from retrainer.components.lib.features import read_schema

    window = read_window(str(tmp_path / "statistics"))
    update = update_schema(read_schema(str(schema_file)), window, parse_settings())
    (change,) = [one for one in update.changes if one.column == "merchant"]
    assert "float32 instead of int64, exact up to 16,777,216" in change.words


def test_an_unknown_setting_is_refused():
    with pytest.raises(RetrainerError, match="validation has no 'min_row_fraction'"):
        parse_settings(min_row_fraction=0.5)


SCHEMA = text_format.Parse(
    """
    feature { name: "gaps" type: INT presence { min_fraction: 0.9 } }
    feature { name: "whole" type: INT presence { min_fraction: 1 } }
    feature { name: "float" type: FLOAT }
    feature { name: "text" type: BYTES }
    feature { name: "gone" type: FLOAT }
    feature { name: "y" type: INT presence { min_fraction: 1 } }
    """,
    schema_pb2.Schema(),
)
LIMIT = 2**24


@pytest.fixture
def named(analysis):
    """A function that gives what is seen of the training rows, by column."""

    def go(label="y", **columns):
        rows = len(next(iter(columns.values())))
        spans = {
            "1": pd.DataFrame({**columns, "y": np.arange(rows) % 2}),
            "2": pd.DataFrame({"y": [0, 1]}),
        }
        return {one.column: one for one in check(analysis(spans, label, schema=SCHEMA), parse_settings())}  # fmt: skip

    return go


@pytest.mark.parametrize(
    ("cells", "is_named"),
    [
        ([LIMIT, 5], False),
        ([LIMIT + 1, 5], True),
        ([-LIMIT, 5], False),
        ([-LIMIT - 1, 5], True),
    ],
)
def test_integers_with_gaps_are_exact_up_to_2_to_the_24th(named, cells, is_named):
    assert list(named(gaps=cells)) == ["gaps"] * is_named
    assert named(whole=cells) == {}
    assert named(gaps=cells, label="gaps") == {}


@pytest.mark.parametrize(
    ("cells", "is_named"),
    [
        ([LIMIT + 2.0] * 5, True),
        ([LIMIT + 2.0] * 3 + [5.0] * 2, True),
        ([-LIMIT - 2.0] * 3 + [5.0] * 2, True),
        # Most numbers are small, or some have a fraction.
        ([LIMIT + 2.0] * 2 + [5.0] * 3, False),
        ([LIMIT + 2.0] * 4 + [LIMIT + 2.5], False),
        ([LIMIT + 2.0] * 4 + [LIMIT - 0.5], False),
        ([float(LIMIT)] * 5, False),
        ([None] * 5, False),
        (["a"] * 5, False),
    ],
)
def test_floats_are_integers_where_all_are_whole_and_most_are_large(named, cells, is_named):
    assert list(named(float=cells)) == ["float"] * is_named


def test_the_fix_depends_on_whether_there_are_gaps(named):
    gaps = pd.array([LIMIT + 1, None], "Int64")
    assert named(gaps=gaps)["gaps"].remedy.endswith("fill its gaps, so that it stays an integer")
    none = named(gaps=[LIMIT + 1, 5])["gaps"].remedy
    assert none.endswith("require a value in every row in the schema, so that it stays an integer")
    assert named(float=[LIMIT + 2.0])["float"].remedy.endswith("(`data.types: {float: text}`)")
