"""A new format of source files is a module and one line of FORMATS."""

import json
import subprocess
import sys

import pyarrow as pa
import pytest

from retrainer.components.ingest_spans.ingest import ingest
from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.examples import EVAL, TRAIN, Examples
from retrainer.components.lib.source_rows.settings import IngestSettings
from retrainer.components.lib.source_rows.sources import formats
from retrainer.components.lib.source_rows.sources.base import SourceOptions
from retrainer.components.lib.source_rows.sources.formats import FORMATS, Format, format_names

MODULE = """
import pyarrow as pa

from retrainer.components.lib.source_rows.sources.base import Block


class ArrowSource:
    narrow = False
    has_header = True

    def __init__(self, path, options):
        self.path, self.exclude = path, options.exclude

    def blocks(self):
        first = 1
        with pa.ipc.open_file(self.path) as reader:
            for number in range(reader.num_record_batches):
                batch = reader.get_batch(number)
                excluded = [name for name in batch.schema.names if name in self.exclude]
                table = pa.Table.from_batches([batch]).drop(excluded)
                (kept,) = table.combine_chunks().to_batches()
                yield Block(kept, first, (), excluded)
                first += len(batch)


def open_file(file, path, options, scratch):
    return ArrowSource(path, options)
"""
LINE = Format("arrow", (".arrow", ".feather"), "arrow_ipc_source", "is Arrow's own file format")


@pytest.fixture
def arrow(tmp_path, monkeypatch):
    (tmp_path / "arrow_ipc_source.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(formats, "FORMATS", (*FORMATS, LINE))
    yield tmp_path
    sys.modules.pop("arrow_ipc_source", None)


@pytest.mark.parametrize("format", ["auto", "arrow"])
def test_a_format_of_one_module_and_one_line_is_ingested(arrow, format):
    for span in (1, 2):
        table = pa.table({"late": [0, 1], "delay": [1.5, None], "name": ["a", "b"]})
        with pa.ipc.new_file(str(arrow / f"{span}.arrow"), table.schema) as writer:
            writer.write_table(table)
    ingest(
        str(arrow / "{span}.arrow"),
        str(arrow / "store"),
        IngestSettings("late", drop=("name",), source=SourceOptions(format=format)),
        str(arrow / "examples"),
    )
    examples = Examples.read(arrow / "examples")
    assert [examples.rows(split) for split in (TRAIN, EVAL)] == [2, 2]
    assert sorted(examples.read_table(TRAIN).column_names) == ["delay", "late"]


def test_checks_name_it_among_the_formats(arrow):
    settings = IngestSettings("late", source=SourceOptions(format="feather"))
    with pytest.raises(RetrainerError, match="csv, parquet, jsonl, tfrecord or arrow"):
        settings.check()
    assert format_names()[-1] == "arrow"


def test_the_settings_and_their_description_have_it():
    code = (
        "import json\n"
        "from retrainer.components.lib.source_rows.sources import formats\n"
        f"formats.FORMATS += (formats.{LINE!r},)\n"
        "from retrainer.pipelines.project.sections.data import DataConfig\n"
        "print(json.dumps(DataConfig.model_json_schema()['properties']['format']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    schema = json.loads(done.stdout)
    assert schema["enum"] == ["auto", "csv", "parquet", "jsonl", "tfrecord", "arrow"]
    assert "arrow is Arrow's own file format" in schema["description"]
