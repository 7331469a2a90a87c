"""Rows wait in bounded memory, however few of them are taken at a time."""

from dataclasses import dataclass

from retrainer.pipelines.telemetry.log_files.waiting_rows import Limits, WaitingRows


@dataclass(frozen=True)
class Number:
    value: int
    size: int

    def line(self) -> bytes:
        return str(self.value).encode()


def test_rows_that_are_taken_make_room_for_as_many_bytes():
    rows = WaitingRows(Limits(rows=10, size=100))
    assert [rows.add(Number(value, 30)) for value in range(4)] == [True, True, True, False]
    assert [row.value for row in rows.take(2)] == [0, 1]
    assert (rows.size, len(rows)) == (30, 1)
    assert not rows.add(Number(4, 71))
    assert rows.add(Number(5, 70))
    assert [row.value for row in rows.take(9)] == [2, 5]
    assert (rows.size, rows.dropped, rows.accepted, rows.take(1)) == (0, 2, 4, [])


def test_rows_that_are_taken_make_room_for_as_many_rows():
    rows = WaitingRows(Limits(rows=2, size=100))
    assert [rows.add(Number(value, 1)) for value in range(3)] == [True, True, False]
    rows.take(1)
    assert [rows.add(Number(value, 1)) for value in range(2)] == [True, False]
