"""Finding rows whose key comes again later, in bounded memory."""

import os
from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

# A row's key is compared by 128 bits: among ten billion keys two that differ are taken for one in one of 10^18 cases.
_ROW = np.dtype([("low", "<u8"), ("high", "<u8"), ("part", "<u1"), ("position", "<u8")])
_HASH_KEYS = ("retrainer-low-00", "retrainer-high-0")
# Above this the keys go to disk, divided among so many files that each is sorted in memory.
_MOST_IN_MEMORY = 500_000
_FILES = 64


class Duplicates:
    """The keys of all rows that were written, and where each was written last."""

    def __init__(self, columns: Sequence[str], scratch: str) -> None:
        """Begin without rows.

        Args:
            columns: The key's columns.
            scratch: Folder for keys that do not fit into memory.
        """
        self._columns = list(columns)
        self._scratch = scratch
        self._rows: list[np.ndarray] = []
        self._in_memory = 0
        self._spilled = False

    def add(self, rows: pa.Table, parts: np.ndarray, positions: np.ndarray) -> None:
        """Note n rows, in the order of the source.

        Args:
            rows: They have the key's columns. A row whose key is missing, in all its columns, is nobody's duplicate.
            parts: Integers of shape (n,): where each is written, from 0 to 255.
            positions: Integers of shape (n,): its position there.
        """
        keyed = _has_key(rows, self._columns)
        if not keyed.all():
            rows, parts, positions = rows.filter(pa.array(keyed)), parts[keyed], positions[keyed]
        noted = np.empty(len(rows), _ROW)
        frame = _key_frame(rows, self._columns)
        for name, hash_key in zip(("low", "high"), _HASH_KEYS, strict=True):
            noted[name] = pd.util.hash_pandas_object(frame, index=False, hash_key=hash_key)
        noted["part"] = parts
        noted["position"] = positions
        self._rows.append(noted)
        self._in_memory += len(rows)
        if self._in_memory > _MOST_IN_MEMORY:
            self._spill()

    def replaced(self) -> dict[int, np.ndarray]:
        """Find the rows whose key came again later.

        Returns:
            Their positions, ascending, by part; parts without such rows are left out.
        """
        found: dict[int, list[np.ndarray]] = defaultdict(list)
        for rows in self._groups():
            # A stable sort keeps the order of rows with one key, so the last of each group is the latest.
            order = np.lexsort((rows["high"], rows["low"]))
            ordered = rows[order]
            same = (ordered["low"][1:] == ordered["low"][:-1]) & (
                ordered["high"][1:] == ordered["high"][:-1]
            )
            losers = ordered[:-1][same]
            for part in np.unique(losers["part"]):
                found[int(part)].append(losers["position"][losers["part"] == part])
        return {part: np.sort(np.concatenate(positions)) for part, positions in found.items()}

    def _spill(self) -> None:
        rows = np.concatenate([np.empty(0, _ROW), *self._rows])
        files = (rows["low"] % _FILES).astype(np.uint8)
        for number in range(_FILES):
            with open(self._file(number), "ab") as file:
                rows[files == number].tofile(file)
        self._rows, self._in_memory, self._spilled = [], 0, True

    def _groups(self) -> Iterator[np.ndarray]:
        if not self._spilled:
            if self._rows:
                yield np.concatenate(self._rows)
            return
        self._spill()
        for number in range(_FILES):
            yield np.fromfile(self._file(number), _ROW)

    def _file(self, number: int) -> str:
        return os.path.join(self._scratch, f"keys-{number}")


def _has_key(rows: pa.Table, columns: Sequence[str]) -> np.ndarray:
    keyed = np.zeros(len(rows), dtype=bool)
    for name in columns:
        keyed |= rows.column(name).is_valid().to_numpy()
    return keyed


def _key_frame(rows: pa.Table, columns: Sequence[str]) -> pd.DataFrame:
    # Missing cells apart: pandas would make floating point of integers beside them, which blurs large ones.
    cells: dict[str, object] = {}
    for name in columns:
        column = rows.column(name)
        cells[f"{name} missing"] = column.is_null().to_numpy()
        if pa.types.is_null(column.type):
            continue
        if column.null_count:
            column = pc.fill_null(column, "" if pa.types.is_string(column.type) else 0)
        cells[name] = column.to_numpy()
    return pd.DataFrame(cells)
