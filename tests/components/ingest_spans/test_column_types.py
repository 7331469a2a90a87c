"""What columns hold, and how their cells are converted."""

import decimal
import os
import shutil
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest

from retrainer.components.ingest_spans.column_types import (
    Kind,
    MisfitError,
    agree,
    convert,
    decode_text,
    fit,
    observe,
)


def observed(column, narrow):
    kind, fitted = observe(column, narrow)
    assert fitted.equals(fit(column, kind))
    return kind, fitted.to_pylist()


@pytest.mark.parametrize(
    ("cells", "kind", "values"),
    [
        (["1", " -2 ", None], Kind.INTEGER, [1, -2, None]),
        (["9007199254740991", None], Kind.INTEGER, [2**53 - 1, None]),
        (
            ["9223372036854775807", None, "-9223372036854775808"],
            Kind.LONG,
            [2**63 - 1, None, -(2**63)],
        ),
        (["1", "2.5", "1.0E3"], Kind.NUMBER, [1, 2.5, 1000]),
        (["1e-05", "1.5E+10", "-2e+3", "5."], Kind.NUMBER, [1e-5, 1.5e10, -2000, 5]),
        (["9007199254740993", "1.5"], Kind.TEXT, ["9007199254740993", "1.5"]),
        (["9007199254740991", "1.5"], Kind.NUMBER, [2.0**53 - 1, 1.5]),
        (["12345678901234567.5", "1.5e+17"], Kind.NUMBER, [12345678901234567.5, 1.5e17]),
        (["-0", "0", "-0.5", "0.10"], Kind.NUMBER, [0, 0, -0.5, 0.1]),
        (["1.5", "nan", "inf"], Kind.NUMBER, [1.5, None, float("inf")]),
        (["9223372036854775808", "1"], Kind.TEXT, ["9223372036854775808", "1"]),
        (["9223372036854775808", "1.5"], Kind.TEXT, ["9223372036854775808", "1.5"]),
        (["1e+300", "1.5"], Kind.NUMBER, [1e300, 1.5]),
        (["true", " FALSE", None], Kind.FLAG, [1, 0, None]),
        (["true", "1"], Kind.TEXT, ["true", "1"]),
        (["1", "x "], Kind.TEXT, ["1", "x "]),
        (["+9223372036854775808", "1.5"], Kind.TEXT, ["+9223372036854775808", "1.5"]),
        (["+-1"], Kind.TEXT, ["+-1"]),
        (["2262-04-12", "1969-12-31"], Kind.TEXT, ["2262-04-12", "1969-12-31"]),
        ([None, None], Kind.NOTHING, [None, None]),
    ],
)
def test_text_becomes_the_narrowest_kind_that_holds_all_of_it(cells, kind, values):
    assert observed(pa.array(cells, pa.string()), True) == (kind, values)


@pytest.mark.parametrize(
    "code",
    [
        "0700", "-007", "00", "+49301", " +2", "0x10", "1E5", "1234e567", "1.5e999", "12_34", "1,204.50", "007.5",
        "+.5", "-0x1",
    ],
)  # fmt: skip
@pytest.mark.parametrize("beside", ["7", "1.5"])
def test_a_cell_that_no_writer_of_numbers_writes_makes_text_of_its_column(code, beside):
    assert observed(pa.array([beside, code, None]), True) == (Kind.TEXT, [beside, code, None])


def test_text_of_a_format_with_types_stays_text():
    assert observed(pa.array(["1", "2"]), False) == (Kind.TEXT, ["1", "2"])


@pytest.mark.parametrize(
    ("column", "kind", "values"),
    [
        (pa.array([1, None], pa.int8()), Kind.INTEGER, [1, None]),
        (pa.array([1, 2**53 + 1, None]), Kind.LONG, [1, 2**53 + 1, None]),
        (pa.array([decimal.Decimal(7), None], pa.decimal128(38, 0)), Kind.INTEGER, [7, None]),
        (pa.array([decimal.Decimal(2**53 + 1)], pa.decimal128(38, 0)), Kind.LONG, [2**53 + 1]),
        (pa.array([decimal.Decimal(10**20)], pa.decimal128(38, 0)), Kind.TEXT, ["1" + 20 * "0"]),
        (
            pa.array([decimal.Decimal(2**53 + 1), None], pa.decimal128(38, 9)),
            Kind.TEXT,
            ["9007199254740993.000000000", None],
        ),
        (pa.array([1, 2**64 - 1], pa.uint64()), Kind.TEXT, ["1", "18446744073709551615"]),
        (pa.array([True, None]), Kind.INTEGER, [1, None]),
        (pa.array([np.float16(1.5), None], pa.float16()), Kind.NUMBER, [1.5, None]),
        (pa.array([1.5, float("nan")], pa.float32()), Kind.NUMBER, [1.5, None]),
        (pa.array([decimal.Decimal("1.50"), None]), Kind.NUMBER, [1.5, None]),
        (pa.array([-1, 2932896], pa.date32()), Kind.TEXT, ["1969-12-31", "9999-12-31"]),
        (
            pa.array([-62135596800, 253402300799], pa.timestamp("s")),
            Kind.TEXT,
            ["0001-01-01 00:00:00", "9999-12-31 23:59:59"],
        ),
        (pa.array([-1], pa.timestamp("us")), Kind.TEXT, ["1969-12-31 23:59:59.999999"]),
        (
            pa.array([2**63 - 1], pa.timestamp("ns")),
            Kind.TEXT,
            ["2262-04-11 23:47:16.854775807"],
        ),
        (pa.array([61, None], pa.time32("s")), Kind.TEXT, ["00:01:01", None]),
        (pa.array([61, None], pa.duration("s")), Kind.NUMBER, [61, None]),
        (pa.array([61_500_000_001], pa.duration("ns")), Kind.NUMBER, [61.500000001]),
        (pa.array(["a", "b", None]).dictionary_encode(), Kind.TEXT, ["a", "b", None]),
        (pa.array([5, 6]).dictionary_encode(), Kind.INTEGER, [5, 6]),
        (pa.array(["a", None], pa.large_string()), Kind.TEXT, ["a", None]),
        (pa.array([b"a", None], pa.binary()), Kind.TEXT, ["a", None]),
        (pa.array([b"a", None], pa.large_binary()), Kind.TEXT, ["a", None]),
        (pa.array([b"ab", None], pa.binary(2)), Kind.TEXT, ["ab", None]),
        (pa.nulls(2), Kind.NOTHING, [None, None]),
        (pa.array([None], pa.list_(pa.int64())), Kind.NOTHING, [None]),
    ],
    ids=lambda value: str(value.type) if isinstance(value, pa.Array) else "",
)
def test_types_of_parquet_become_kinds(column, kind, values):
    decoded, misfits, _ = decode_text(column)
    assert not len(misfits)
    assert observed(decoded, False) == (kind, values)


def test_views_of_text_are_text():
    if not hasattr(pa, "string_view"):
        pytest.skip("this pyarrow has no views of strings")
    for column in (pa.array(["a"], pa.string_view()), pa.array([b"a"], pa.binary_view())):
        assert observed(decode_text(column)[0], False) == (Kind.TEXT, ["a"])


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "+02:00", "Mars/Olympus"])
def test_a_moment_has_one_text_whatever_its_time_zone(zone):
    column = pa.array([-1, 0, None], pa.timestamp("ms", zone))
    assert fit(column, Kind.TEXT).to_pylist() == [
        "1969-12-31 23:59:59.999Z",
        "1970-01-01 00:00:00Z",
        None,
    ]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_a_moment_has_one_text_whatever_it_is_counted_in(unit):
    per_second = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    column = pa.array([-10 * per_second, None], pa.timestamp(unit))
    assert fit(column, Kind.TEXT).to_pylist() == ["1969-12-31 23:59:50", None]
    time = pa.time32(unit) if unit in ("s", "ms") else pa.time64(unit)
    assert fit(pa.array([60 * per_second], time), Kind.TEXT).to_pylist() == ["00:01:00"]
    if unit != "s":
        half = pa.array([per_second // 2], pa.timestamp(unit, "UTC"))
        assert fit(half, Kind.TEXT).to_pylist() == ["1970-01-01 00:00:00.5Z"]


def test_a_moment_has_the_same_text_without_a_time_zone_database():
    zones = "/usr/share/zoneinfo"
    mount = ["unshare", "--mount", "sh", "-c"]
    if not shutil.which("unshare") or not os.path.isdir(zones):
        pytest.skip("there is no unshare, or no time zone database to hide")
    if subprocess.run([*mount, f"mount -t tmpfs none {zones}"], capture_output=True).returncode:
        pytest.skip("mounting over the time zone database takes root")
    code = (
        "import pyarrow as pa\n"
        "from retrainer.components.ingest_spans.column_types import Kind, fit\n"
        "column = pa.array([-1], pa.timestamp('ns', 'Europe/Berlin'))\n"
        "print(fit(column, Kind.TEXT).to_pylist())"
    )
    done = subprocess.run(
        [*mount, f'mount -t tmpfs none {zones} && exec "$@"', "sh", sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "_KFP_RUNTIME": "true"},
    )
    assert done.stdout == "['1969-12-31 23:59:59.999999999Z']\n", done.stderr


@pytest.mark.parametrize(
    "column",
    [
        pa.array([[1]]),
        pa.array([{"a": 1}]),
        pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int64())),
    ],
)
@pytest.mark.parametrize("kind", [Kind.INTEGER, Kind.NUMBER, Kind.TEXT])
def test_nested_columns_fit_no_kind(column, kind):
    with pytest.raises(MisfitError):
        observe(column, False)
    with pytest.raises(MisfitError):
        convert(column, kind)


@pytest.mark.parametrize(
    ("column", "kind", "values", "misfits"),
    [
        (["3", "3.0", "true", "3.5", "x", None, "1e3"], Kind.INTEGER, [3, 3, 1, None, None, None, 1000], [3, 4]),
        (["99999999999999999999", "9223372036854775807"], Kind.INTEGER, [None, 2**63 - 1], [0]),
        (["1.5", "x", "inf", "nan", " 2 "], Kind.NUMBER, [1.5, None, float("inf"), None, 2], [1]),
        (["99999999999999999999"], Kind.NUMBER, [1e20], []),
        (["+1", "+1.0", "x"], Kind.INTEGER, [1, 1, None], [2]),
        (["+1", "+2.5", "++1"], Kind.NUMBER, [1, 2.5, None], [2]),
        ([1.0, 2.5, None, float("nan")], Kind.INTEGER, [1, None, None, None], [1]),
        ([float("inf")], Kind.INTEGER, [None], [0]),
        ([2.0**53, -(2.0**54)], Kind.INTEGER, [2**53, None], [1]),
        ([True, False], Kind.NUMBER, [1.0, 0.0], []),
        ([7, None], Kind.TEXT, ["7", None], []),
        ([1234567890123456.0, -0.0, 1e-7, None], Kind.TEXT, ["1234567890123456", "0", "0.0000001", None], []),
    ],
)  # fmt: skip
def test_cells_that_mean_a_demanded_kind_are_taken_and_the_others_are_misfits(
    column, kind, values, misfits
):
    converted, wrong, _ = convert(pa.array(column), kind)
    assert converted.type == kind.stored_as
    assert converted.to_pylist() == values
    assert wrong.tolist() == misfits


def test_a_duration_is_its_seconds_whatever_the_source_counts_it_in():
    for unit, counts in {
        "s": [61, 2],
        "ms": [61_000, 2_000],
        "ns": [61 * 10**9, 2 * 10**9],
    }.items():
        column = pa.array(counts, pa.duration(unit))
        assert fit(column, Kind.TEXT).to_pylist() == ["61", "2"]
        assert convert(column, Kind.INTEGER)[0].to_pylist() == [61, 2]
    assert convert(pa.array([500], pa.duration("ms")), Kind.INTEGER)[1].tolist() == [0]


def test_unsigned_integers_beyond_64_bits_are_misfits_of_an_integer():
    values, misfits, fault = convert(pa.array([1, 2**64 - 1], pa.uint64()), Kind.INTEGER)
    assert (values.to_pylist(), misfits.tolist()) == ([1, None], [1])
    assert fault == "is no integer of 64 bits"


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary(), pa.binary(2)])
def test_cells_that_are_not_utf8_are_misfits(kind):
    text, misfits, fault = decode_text(pa.array([b"ab", b"\xff\xff", None], kind))
    assert (text.to_pylist(), misfits.tolist(), fault) == (["ab", None, None], [1], "is not UTF-8")


@pytest.mark.parametrize("one", Kind)
@pytest.mark.parametrize("other", Kind)
def test_widening_is_the_same_in_any_order_and_holds_both(one, other):
    wide = one.widened(other)
    assert wide == other.widened(one)
    assert wide.widened(one) == wide.widened(other) == wide


def test_integers_and_nothing_agree_with_what_is_wanted_and_text_does_not():
    stored = {"a": "int64", "b": "null", "c": "string"}
    assert agree(stored, {"a": Kind.NUMBER, "b": Kind.TEXT, "c": Kind.TEXT, "new": Kind.INTEGER})
    assert not agree(stored, {"a": Kind.TEXT})
    assert not agree(stored, {"c": Kind.NUMBER})
    assert not agree({"a": "double"}, {"a": Kind.INTEGER})
