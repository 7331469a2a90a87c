"""One value has one text, whatever a span stores it as."""

import numpy as np
import pyarrow as pa
import pytest

from retrainer.components.lib.canonical_text import distinct_texts, number_texts, plain_texts


def texts(column):
    found, indices = distinct_texts(column)
    return [None if i < 0 else found[i] for i in indices]


@pytest.mark.parametrize(
    "seven",
    [
        pa.array([7, None]),
        pa.array([7.0, None]),
        pa.array([7.0, np.nan]),
        pa.array(["7", None]),
        pa.array(["7.0", None]),
    ],
    ids=lambda column: str(column.type),
)
def test_a_number_has_the_same_text_in_every_type(seven):
    assert texts(seven) == [b"7", None]
    assert plain_texts(seven).to_pylist() == ["7", None]


@pytest.mark.parametrize(
    ("column", "text"),
    [
        (pa.array([0.1]), b"0.1"),
        (pa.array([1e-7]), b"0.0000001"),
        (pa.array([-0.0]), b"0"),
        (pa.array([float(2**60)]), b"1152921504606846976"),
        (pa.array([2**60]), b"1152921504606846976"),
        (pa.array([float("-inf")]), b"-inf"),
        (pa.array(["1.50"]), b"1.5"),
        (pa.array(["-0.0"]), b"0"),
        (pa.array(["007"]), b"007"),
        (pa.array(["007.0"]), b"007.0"),
        (pa.array(["1e5"]), b"1e5"),
        (pa.array(["1.2.0"]), b"1.2.0"),
        (pa.array(["route 7.0"]), b"route 7.0"),
        (pa.array([""]), b""),
        (pa.array([" 7 "]), b" 7 "),
        (pa.array(["Zoë"]), "Zoë".encode()),
    ],
)
def test_a_value_has_this_text(column, text):
    assert texts(column) == [text]


def test_a_number_of_32_bits_has_the_digits_that_tell_it_apart():
    column = pa.array([0.1, 7.0, None], pa.float32())
    assert number_texts(column).to_pylist() == ["0.1", "7", None]


def test_a_column_without_cells_has_no_texts():
    assert texts(pa.nulls(2)) == [None, None]
    assert texts(pa.array([], pa.string())) == []


def test_a_slice_has_the_texts_of_its_own_rows():
    assert texts(pa.array(["a", None, "b", "a"]).slice(1, 2)) == [None, b"b"]
