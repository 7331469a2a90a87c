"""One value has one text, whatever format and type a source has it in."""

import datetime
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from retrainer.components.ingest_spans.cell_text import distinct_texts
from retrainer.components.lib.errors import RetrainerError


def texts(column):
    found, indices = distinct_texts(column, "c")
    return [None if i < 0 else found[i] for i in indices]


@pytest.mark.parametrize(
    "seven",
    [
        pa.array([7, None]),
        pa.array([7, None], pa.uint8()),
        pa.array([7.0, None]),
        pa.array([7.0, np.nan], pa.float32()),
        pa.array([7.0, np.nan]),
        pa.array([np.float16(7), None], pa.float16()),
        pa.array([Decimal("7.00"), None]),
        pa.array(["7", None]),
        pa.array(["7.0", None], pa.large_string()),
        pa.array([b"7", None]),
        pa.array([b"7", None], pa.binary(1)),
        pa.array(["7", None]).dictionary_encode(),
        pa.array([7, None]).dictionary_encode(),
    ],
    ids=lambda column: str(column.type),
)
def test_a_number_has_the_same_text_in_every_type(seven):
    assert texts(seven) == [b"7", None]


@pytest.mark.parametrize(
    ("column", "text"),
    [
        (pa.array([0.1]), b"0.1"),
        (pa.array([0.1], pa.float32()), b"0.1"),
        (pa.array([1e-7]), b"0.0000001"),
        (pa.array([-0.0]), b"0"),
        (pa.array([float(2**60)]), b"1152921504606846976"),
        (pa.array([2**60]), b"1152921504606846976"),
        (pa.array([2**64 - 1], pa.uint64()), b"18446744073709551615"),
        (pa.array([float("-inf")]), b"-inf"),
        (pa.array([Decimal("12345678901234567890123456789012345.60")]),
         b"12345678901234567890123456789012345.6"),
        (pa.array([True]), b"1"),
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
        (pa.array([b"\xff\x00"]), b"\xff\x00"),
        (pa.array([datetime.date(2013, 1, 31)]), b"2013-01-31"),
        (pa.array([datetime.date(2013, 1, 31)], pa.date64()), b"2013-01-31"),
        (pa.array([datetime.time(5, 0, 0, 500_000)]), b"05:00:00.5"),
        (pa.array([datetime.time(5, 0)]), b"05:00:00"),
    ],
)  # fmt: skip
def test_a_value_has_this_text(column, text):
    assert texts(column) == [text]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_a_timestamp_has_the_same_text_in_every_unit(unit):
    moment = datetime.datetime(1969, 12, 31, 23, 59, 58)
    assert texts(pa.array([moment], pa.timestamp(unit))) == [b"1969-12-31 23:59:58"]
    berlin = (
        pa.array([moment], pa.timestamp(unit))
        .cast(pa.int64())
        .cast(pa.timestamp(unit, "Europe/Berlin"))
    )
    assert texts(berlin) == [b"1969-12-31 23:59:58Z"]


def test_a_timestamp_keeps_its_fraction_and_may_lie_beyond_2262():
    assert texts(pa.array([-1], pa.timestamp("us"))) == [b"1969-12-31 23:59:59.999999"]
    assert texts(pa.array([1_500], pa.timestamp("ms"))) == [b"1970-01-01 00:00:01.5"]
    assert texts(pa.array([400_000_000_000], pa.timestamp("s"))) == [b"14645-06-30 15:06:40"]


def test_a_column_without_cells_has_no_texts():
    assert texts(pa.nulls(2)) == [None, None]
    assert texts(pa.array([], pa.string())) == []


def test_a_slice_has_the_texts_of_its_own_rows():
    assert texts(pa.array(["a", None, "b", "a"]).slice(1, 2)) == [None, b"b"]


@pytest.mark.parametrize(
    "nested", [pa.array([[1]]), pa.array([{"a": 1}]), pa.array([1], pa.duration("s"))]
)
def test_a_column_without_one_text_is_named(nested):
    with pytest.raises(
        RetrainerError, match=r"column 'c' holds (list|struct|duration).*data\.drop"
    ):
        texts(nested)
