"""Columns of a file's path beside the file's own: two sources of one value."""

from collections import namedtuple

import pyarrow as pa
import pytest

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.source_files import SourceFile
from retrainer.components.lib.source_rows.sources.base import Block
from retrainer.components.lib.source_rows.sources.partition_columns import PartitionedSource

Source = namedtuple("Source", ["blocks", "narrow", "has_header"])


def read(partitions, *batches, excluded=(), exclude=()):
    """Read blocks of a file whose path has columns."""
    blocks = [Block(pa.RecordBatch.from_pydict(batch), 1, (), excluded) for batch in batches]
    file = SourceFile("d/a.parquet", 1, "1:1", tuple(partitions.items()))
    source = PartitionedSource(Source(lambda: iter(blocks), True, True), file, exclude)
    return list(source.blocks())


def test_columns_of_the_path_stand_behind_the_files_own_in_every_block():
    one, other = read({"site": "north", "till": None}, {"x": [1, 2]}, {"x": [3]})
    assert one.batch.to_pydict() == {"x": [1, 2], "site": ["north"] * 2, "till": [None, None]}
    assert other.batch.to_pydict() == {"x": [3], "site": ["north"], "till": [None]}


def test_a_column_that_is_left_out_is_named_as_such_once():
    (block,) = read({"site": "north", "till": "2"}, {"x": [1]}, exclude=("till",))
    assert block.batch.schema.names == ["x", "site"]
    assert list(block.excluded) == ["till"]
    (block,) = read({"till": "2"}, {"x": [1]}, excluded=("till",), exclude=("till",))
    assert (block.batch.schema.names, list(block.excluded)) == (["x"], ["till"])


@pytest.mark.parametrize(
    ("value", "cells"),
    [
        ("north", ["north", "north"]),
        ("7", [7, 7]),
        ("07", [7, 7]),
        ("7", [7.0, 7.0]),
        ("north", [b"north", b"north"]),
        (None, [None, None]),
        ("True", [True, True]),
    ],
)
def test_a_column_that_the_file_has_as_well_stays_as_it_is(value, cells):
    (block,) = read({"site": value}, {"site": cells})
    assert block.batch.to_pydict() == {"site": cells}


@pytest.mark.parametrize(
    ("value", "cells"),
    [
        ("north", ["north", "south"]),
        ("7", [7, 8]),
        ("north", [None, "north"]),
        (None, ["None", "None"]),
        ("7", ["seven", "7"]),
        ("north", [b"south", b"north"]),
    ],
)
def test_two_values_of_one_column_are_refused(value, cells):
    with pytest.raises(RetrainerError, match=rf"site = {value} in its path, and .*data\.drop"):
        read({"site": value}, {"site": cells})
