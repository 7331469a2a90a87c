"""The hash split is even, repeatable, and keeps a customer's rows together."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from retrainer.components.ingest_spans.hash_split import hash_fractions
from retrainer.components.lib.errors import RetrainerError
from retrainer.pipelines.examples.flights.data import read_flights

HEADER = "id,city,amount,label\n"


def batch(**columns):
    arrays = {
        name: column if isinstance(column, pa.Array) else pa.array(column)
        for name, column in columns.items()
    }
    return pa.RecordBatch.from_arrays(list(arrays.values()), list(arrays))


@pytest.fixture(scope="module")
def flights() -> pd.DataFrame:
    return read_flights()


def to_batch(frame):
    return pa.RecordBatch.from_pandas(frame, preserve_index=False)


def test_the_fractions_of_real_keys_are_even(flights):
    key = ["carrier", "flight", "tailnum"]
    known = flights[key].dropna().drop_duplicates()
    fractions = hash_fractions(to_batch(known), key)
    assert fractions.min() >= 0
    assert fractions.max() < 1
    counts = np.histogram(fractions, bins=20, range=(0, 1))[0]
    mean = len(known) / 20
    # Chi-squared with 19 degrees of freedom exceeds 43.8 once in a thousand times.
    assert ((counts - mean) ** 2 / mean).sum() < 43.8
    for share in (0.05, 1 / 3, 0.9):
        bound = 4 * np.sqrt(share * (1 - share) / len(known))
        assert abs((fractions < share).mean() - share) < bound


def test_numbers_that_follow_one_another_are_spread_as_evenly():
    fractions = hash_fractions(batch(id=np.arange(100_000)), ["id"])
    assert abs((fractions < 0.1).mean() - 0.1) < 0.004
    # Neighbours are no more alike than strangers.
    assert abs(np.corrcoef(fractions[:-1], fractions[1:])[0, 1]) < 0.02


def test_the_fractions_are_the_ones_that_they_always_were():
    # A span ingested last year was split by these: another value here moves rows between training and evaluation.
    rows = batch(customer=["anna", "bert", None, "7"], day=[1, 2, 3, None])
    pinned = {
        ("customer",): [
            0.4335704368184672,
            0.9340242296285095,
            0.322742961880067,
            0.6484486818313455,
        ],
        ("customer", "day"): [
            0.1487929060446327,
            0.6164351790589181,
            0.322742961880067,
            0.9987299048117662,
        ],
        (): [0.1487929060446327, 0.6164351790589181, 0.322742961880067, 0.9987299048117662],
    }
    found = {columns: hash_fractions(rows, columns).tolist() for columns in pinned}
    assert found == pinned


def test_all_rows_of_a_key_are_together_in_every_span(flights):
    sides: dict[str, set[bool]] = {}
    for _, month in flights[flights.tailnum.notna()].groupby("month"):
        in_eval = hash_fractions(to_batch(month), ["tailnum"]) < 0.3
        for tail, side in zip(month.tailnum, in_eval, strict=True):
            sides.setdefault(tail, set()).add(bool(side))
    assert len(sides) > 4_000
    assert {len(one) for one in sides.values()} == {1}
    assert {next(iter(one)) for one in sides.values()} == {True, False}


@pytest.mark.parametrize(
    "other",
    [
        pa.array([1.0, 2.0, 30.0]),
        pa.array(["1", "2", "30"]),
        pa.array(["1.0", "2.0", "30.0"]),
    ],
    ids=lambda column: str(column.type),
)
def test_a_key_keeps_its_side_when_a_span_has_it_in_another_type(other):
    numbers = hash_fractions(batch(id=[1, 2, 30]), ["id"])
    assert hash_fractions(batch(id=other), ["id"]).tolist() == numbers.tolist()


def test_what_is_no_part_of_the_key_and_the_order_of_its_columns_do_not_matter():
    first = hash_fractions(batch(a=[1, 2], b=["x", "y"], c=[0, 1]), ["a", "b"])
    second = hash_fractions(batch(c=[5, 6], b=["x", "y"], a=[1, 2]), ["b", "a"])
    assert first.tolist() == second.tolist()
    swapped = hash_fractions(batch(a=["x", "y"], b=[1, 2]), ["a", "b"])
    assert not set(first) & set(swapped)


def test_rows_without_a_key_are_spread_and_a_key_of_which_a_part_is_missing_is_one():
    n = 5_000
    nobody = batch(id=pa.nulls(n, pa.string()), x=np.arange(n))
    assert abs((hash_fractions(nobody, ["id"]) < 0.3).mean() - 0.3) < 0.03
    part = batch(id=pa.nulls(n, pa.string()), shop=["north"] * n, x=np.arange(n))
    assert len(set(hash_fractions(part, ["id", "shop"]))) == 1


def test_without_a_key_equal_rows_are_together_and_others_are_spread(flights):
    month = to_batch(flights[flights.month == 1])
    fractions = hash_fractions(month, [])
    assert len(set(fractions)) == month.num_rows
    assert hash_fractions(month.slice(100, 50), []).tolist() == fractions[100:150].tolist()
    assert len(set(hash_fractions(batch(a=[1, 1], b=["x", "x"]), []))) == 1


def test_a_column_that_is_not_there_is_named():
    with pytest.raises(RetrainerError, match=r"no column 'customer' to split by\. There are: id"):
        hash_fractions(batch(id=[1]), ["customer"])


def test_no_rows_have_no_fractions():
    assert hash_fractions(batch(id=pa.array([], pa.int64())), ["id"]).tolist() == []


def test_a_hash_split_keeps_a_key_on_one_side_and_is_repeatable(project):
    rows = "".join(f"{i % 500},Ulm,{i},{i % 2}\n" for i in range(3000))
    project.span("3", HEADER + rows)
    keys = "id"
    examples, _ = project.run(window=1, split="hash", key=())
    # Without a key every row is its own.
    assert abs(examples.rows("eval") / 3000 - 1 / 3) < 0.05
    examples, _ = project.run(window=3, split="hash", key=(keys,))
    train = set(examples.read_table("train").column("id").to_pylist())
    held_out = set(examples.read_table("eval").column("id").to_pylist())
    assert train
    assert held_out
    assert not train & held_out


def test_a_split_by_a_column_that_is_no_key_keeps_its_rows_on_one_side_in_every_span(project):
    for first, name in enumerate("123"):
        rows = "".join(f"{1000 * first + i},city{i % 40},{i},{i % 2}\n" for i in range(1000))
        project.span(name, HEADER + rows)
    examples, _ = project.run(split="hash", key=("id",), split_by=("city",))
    train = set(examples.read_table("train").column("city").to_pylist())
    held_out = set(examples.read_table("eval").column("city").to_pylist())
    assert len(train) + len(held_out) == 40
    assert examples.rows("train") + examples.rows("eval") == 3000
    assert min(len(train), len(held_out)) > 5
