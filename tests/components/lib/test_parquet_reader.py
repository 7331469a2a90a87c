"""A damaged Parquet file is named with the fix."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from retrainer.components.lib.parquet_reader import DamagedParquetError, open_parquet


def _half(content: bytes) -> bytes:
    return content[: len(content) // 2]


def _flipped(content: bytes) -> bytes:
    return content[:30] + b"\xff" * 30 + content[60:]


@pytest.mark.parametrize("damage", [_half, _flipped, lambda content: b""])
def test_a_damaged_file_is_named_with_the_fix(tmp_path, damage):
    file = tmp_path / "all.parquet"
    pq.write_table(pa.table({"a": list(range(1000))}), file)
    file.write_bytes(damage(file.read_bytes()))
    with (
        pytest.raises(DamagedParquetError, match=r"all\.parquet' is damaged: .* run again"),
        open_parquet(str(file)) as parquet,
    ):
        parquet.read()
