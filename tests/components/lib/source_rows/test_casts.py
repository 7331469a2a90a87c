import datetime
import decimal
import os
import shutil
import subprocess
import sys

import pyarrow as pa
import pytest

from retrainer.components.lib.source_rows.casts import CastError, cast
from retrainer.components.lib.source_rows.column_types import ColumnType
from retrainer.components.lib.source_rows.rejecting_casts import cast_or_reject


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("arrow_type", [pa.int64(), pa.decimal128(38, 0), pa.decimal128(38, 2)])
def test_no_digit_of_a_whole_number_is_lost(arrow_type, sign):
    def column(value):
        return pa.array([decimal.Decimal(sign * value), None]).cast(arrow_type)

    exact = cast(column(2**53 - 1), ColumnType.NUMBER)
    assert exact.to_pylist() == [sign * (2.0**53 - 1), None]
    # As a number with a fraction it would be equal to 2^53 + 1.
    for beyond in (2**53, 2**53 + 1):
        with pytest.raises(CastError):
            cast(column(beyond), ColumnType.NUMBER)


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "+02:00", "Mars/Olympus"])
def test_a_moment_has_one_text_whatever_its_time_zone(zone):
    column = pa.array([-1, 0, None], pa.timestamp("ms", zone))
    assert cast(column, ColumnType.TEXT).to_pylist() == [
        "1969-12-31 23:59:59.999Z",
        "1970-01-01 00:00:00Z",
        None,
    ]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_a_moment_has_one_text_whatever_it_is_counted_in(unit):
    per_second = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    column = pa.array([-10 * per_second, None], pa.timestamp(unit))
    assert cast(column, ColumnType.TEXT).to_pylist() == ["1969-12-31 23:59:50", None]
    time = pa.time32(unit) if unit in ("s", "ms") else pa.time64(unit)
    assert cast(pa.array([60 * per_second], time), ColumnType.TEXT).to_pylist() == ["00:01:00"]
    if unit != "s":
        half = pa.array([per_second // 2], pa.timestamp(unit, "UTC"))
        assert cast(half, ColumnType.TEXT).to_pylist() == ["1970-01-01 00:00:00.5Z"]


def test_a_moment_has_the_same_text_without_a_time_zone_database():
    zones = "/usr/share/zoneinfo"
    mount = ["unshare", "--mount", "sh", "-c"]
    if not shutil.which("unshare") or not os.path.isdir(zones):
        pytest.skip("there is no unshare, or no time zone database to hide")
    if subprocess.run([*mount, f"mount -t tmpfs none {zones}"], capture_output=True).returncode:
        pytest.skip("mounting over the time zone database takes root")
    code = (
        "import pyarrow as pa\n"
        "from retrainer.components.lib.source_rows.casts import cast\n"
        "from retrainer.components.lib.source_rows.column_types import ColumnType\n"
        "column = pa.array([-1], pa.timestamp('ns', 'Europe/Berlin'))\n"
        "print(cast(column, ColumnType.TEXT).to_pylist())"
    )
    done = subprocess.run(
        [*mount, f'mount -t tmpfs none {zones} && exec "$@"', "sh", sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "_KFP_RUNTIME": "true"},
    )
    assert done.stdout == "['1969-12-31 23:59:59.999999999Z']\n", done.stderr


def test_a_duration_is_its_seconds_whatever_the_source_counts_it_in():
    for unit, counts in {
        "s": [61, 2],
        "ms": [61_000, 2_000],
        "ns": [61 * 10**9, 2 * 10**9],
    }.items():
        column = pa.array(counts, pa.duration(unit))
        assert cast(column, ColumnType.TEXT).to_pylist() == ["61", "2"]
        assert cast_or_reject(column, ColumnType.INTEGER)[0].to_pylist() == [61, 2]
    assert cast_or_reject(pa.array([500], pa.duration("ms")), ColumnType.INTEGER)[1].tolist() == [0]


@pytest.mark.parametrize(
    ("column", "target"),
    [
        (["1"], ColumnType.EMPTY),
        (["1"], ColumnType.BOOLEAN),
        (["true", "yes"], ColumnType.BOOLEAN),
        ([1], ColumnType.BOOLEAN),
        ([1.5], ColumnType.INTEGER),
        ([1.5], ColumnType.LONG),
        ([True], ColumnType.EMPTY),
        ([datetime.date(2024, 2, 29)], ColumnType.NUMBER),
        ([2**53], ColumnType.INTEGER),
        ([-(2**53)], ColumnType.INTEGER),
        (["9007199254740992"], ColumnType.INTEGER),
        (["-9007199254740992"], ColumnType.INTEGER),
        (["x", " 1 "], ColumnType.NUMBER),
        (["[1"], ColumnType.LIST),
        ([[1]], ColumnType.TEXT),
    ],
)
def test_what_is_of_another_type_is_not_cast(column, target):
    with pytest.raises(CastError):
        cast(pa.array(column), target)


@pytest.mark.parametrize(
    ("column", "target", "values"),
    [
        ([2**53 - 1, None, -(2**53) + 1], ColumnType.INTEGER, [2**53 - 1, None, -(2**53) + 1]),
        ([2**53, None], ColumnType.LONG, [2**53, None]),
        (["9223372036854775807"], ColumnType.LONG, [2**63 - 1]),
        ([None, None], ColumnType.INTEGER, [None, None]),
        ([" true", "FALSE ", None], ColumnType.BOOLEAN, [1, 0, None]),
        ([True, None], ColumnType.NUMBER, [1.0, None]),
        ([" 1.5 ", "2"], ColumnType.NUMBER, [1.5, 2.0]),
        (["1e+300", "inf", "9007199254740993.5"], ColumnType.NUMBER, [1e300, float("inf"), 9007199254740994.0]),
        ([datetime.date(2024, 2, 29)], ColumnType.TEXT, ["2024-02-29"]),
        ([decimal.Decimal("1e25"), None], ColumnType.TEXT, ["1" + "0" * 25, None]),
        ([True, None], ColumnType.TEXT, ["true", None]),
        ([[1, 2], []], ColumnType.LIST, ["[1, 2]", "[]"]),
    ],
)  # fmt: skip
def test_values_of_a_type_are_cast(column, target, values):
    converted = cast(pa.array(column), target)
    assert (converted.type, converted.to_pylist()) == (target.arrow_type, values)


def test_an_overflow_is_no_infinity():
    with pytest.raises(CastError):
        cast(pa.array(["1.5e999"]), ColumnType.NUMBER)
