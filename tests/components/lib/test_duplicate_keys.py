"""Rows whose key comes again, in memory and on disk."""

import random

import numpy as np
import pyarrow as pa
import pytest

from retrainer.components.lib import duplicate_keys
from retrainer.components.lib.duplicate_keys import Duplicates


def add(found, rows, part=0, position=0):
    found.add(rows, np.full(len(rows), part), np.arange(position, position + len(rows)))


def replaced(found):
    return {part: positions.tolist() for part, positions in found.replaced().items()}


@pytest.fixture(params=["in memory", "on disk"])
def found(request, tmp_path, monkeypatch):
    """A function that begins, and keeps its keys in memory or not."""
    if request.param == "on disk":
        monkeypatch.setattr(duplicate_keys, "_MOST_IN_MEMORY", 10)
    return lambda *columns: Duplicates(columns, str(tmp_path))


def test_the_last_row_of_a_key_stays_over_blocks_and_parts(found):
    one = found("a")
    add(one, pa.table({"a": [1, 2, 1]}))
    add(one, pa.table({"a": [3, 2]}), part=1)
    add(one, pa.table({"a": [1]}), position=3)
    assert replaced(one) == {0: [0, 1, 2]}


def test_within_a_block_the_later_row_stays_in_whatever_part_it_is(found):
    one = found("a")
    one.add(pa.table({"a": [7, 7, 8, 8]}), np.array([1, 0, 0, 1]), np.array([0, 0, 1, 1]))
    assert replaced(one) == {0: [1], 1: [0]}


@pytest.mark.parametrize("seed", range(3))
def test_many_rows_of_random_keys_are_found_as_a_dictionary_finds_them(found, seed):
    r = random.Random(seed)
    one, last, lost = found("a", "b"), {}, []
    position = 0
    for _ in range(20):
        keys = [(r.choice([None, *range(40)]), r.choice([None, "", "x", "y"])) for _ in range(50)]
        add(one, pa.table({"a": [k[0] for k in keys], "b": [k[1] for k in keys]}), 0, position)
        for key in keys:
            if key != (None, None):
                lost += [last[key]] if key in last else []
                last[key] = position
            position += 1
    assert replaced(one) == {0: sorted(lost)}


def test_rows_without_a_key_are_nobodys_duplicates(found):
    one = found("a", "b")
    add(one, pa.table({"a": [None, None, None], "b": pa.array([None, None, "x"])}))
    add(one, pa.table({"a": pa.nulls(2), "b": pa.array([None, "x"])}), position=3)
    assert replaced(one) == {0: [2]}


def test_large_integers_beside_a_missing_one_are_distinguished(found):
    one = found("a")
    add(one, pa.table({"a": [2**62, 2**62 + 1, None, 0]}))
    assert replaced(one) == {}


def test_a_key_that_is_in_other_columns_is_another(found):
    one = found("a", "b")
    add(one, pa.table({"a": ["x", "y", "xy", ""], "b": ["y", "x", "", "xy"]}))
    assert replaced(one) == {}


def test_without_rows_nothing_is_replaced(found):
    assert replaced(found("a")) == {}
