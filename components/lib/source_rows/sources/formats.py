"""The formats of source files. A new format is a module beside this one, and one line of `FORMATS`."""

import os
import re
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from ...errors import RetrainerError
from ...words import one_of

AUTO = "auto"
"""The setting that goes by the files' endings."""


@dataclass(frozen=True)
class Format:
    """A format of source files.

    Attributes:
        name: Its name in `data.format`.
        endings: The endings of its files, each with its dot.
        module: The module that reads it, which has a function `open_file`; loaded when a file of the format is opened.
        about: What the docs say after its name; empty for nothing.
        has_header: Whether a file without rows has bytes, so that an empty file is a damaged one.
        shards: Whether files that end in a shard's number alone, such as `-00000-of-00001`, are of this format.
    """

    name: str
    endings: tuple[str, ...]
    module: str
    about: str = ""
    has_header: bool = False
    shards: bool = False

    def load(self) -> Any:
        """Import the module that reads the format."""
        return import_module(self.module, __package__)


FORMATS = (
    Format("csv", (".csv",), ".csv_files"),
    Format("parquet", (".parquet", ".pq"), ".parquet_files", has_header=True),
    Format(
        "jsonl", (".jsonl", ".ndjson", ".json"), ".json_lines", "has one object a line, in UTF-8"
    ),
    Format("tfrecord", (".tfrecord", ".tfrecords"), ".tfrecords", "holds tf.Examples", shards=True),
)

# TFX's own shards have no ending: `data_tfrecord-00000-of-00001.gz`.
_SHARD = re.compile(r"-\d{5}-of-\d{5}$")


def format_names() -> list[str]:
    """List the values of `data.format`."""
    return [AUTO, *(file_format.name for file_format in FORMATS)]


def format_of(uri: str, name: str = AUTO) -> Format:
    """Find the format of a file.

    Args:
        uri: The file.
        name: The format's name, or `auto` to go by the file's ending.

    Raises:
        RetrainerError: If the ending is of no format.
    """
    if name != AUTO:
        return next(file_format for file_format in FORMATS if file_format.name == name)
    # Loads Arrow, which those who only ask for names need not wait for.
    from .compression import without_compression

    file = without_compression(uri.lower())
    stem = _SHARD.sub("", file)
    ending = os.path.splitext(stem)[1]
    for file_format in FORMATS:
        if ending in file_format.endings:
            return file_format
    shards = next((file_format for file_format in FORMATS if file_format.shards), None)
    if stem != file and shards:
        return shards
    raise RetrainerError(
        f"the format of '{uri}' is unknown: its ending is of no format. Set data.format to "
        f"{one_of([file_format.name for file_format in FORMATS])}."
    )
