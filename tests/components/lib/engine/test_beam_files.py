"""Beam's sinks on what fsspec opens; the filesystem is in memory, which workers in this process share."""

import gzip
import pickle

import apache_beam as beam
import fsspec
import pytest
from apache_beam.io.filesystem import BeamIOError
from apache_beam.io.filesystems import FileSystems

from retrainer.components.lib.engine.beam_files import beam_path, plain_uri, sinks_shared
from retrainer.components.lib.engine.pipelines import pipeline_options
from retrainer.components.lib.uris import exists, read_bytes, write_atomic

FOLDER = "memory://bucket/folder"


@pytest.fixture(autouse=True)
def memory():
    fsspec.filesystem("memory").store.clear()


def test_paths_name_the_uris_behind_them():
    assert beam_path("s3://bucket/x/y") == "fsspec://s3/bucket/x/y"
    assert plain_uri("fsspec://s3/bucket/x/y") == "s3://bucket/x/y"
    assert beam_path("/tmp/x") == plain_uri("/tmp/x") == "/tmp/x"


def test_sinks_write_whole_files_and_leave_nothing_beside_them():
    with sinks_shared(), beam.Pipeline(options=pipeline_options()) as pipeline:
        rows = pipeline | beam.Create(["a", "b"], reshuffle=False)
        rows | beam.io.WriteToText(beam_path(f"{FOLDER}/words"), shard_name_template="")
        rows | "gz" >> beam.io.WriteToText(beam_path(f"{FOLDER}/w.gz"), shard_name_template="")
        coded = rows | beam.Map(str.encode)
        coded | beam.io.WriteToTFRecord(beam_path(f"{FOLDER}/r"), file_name_suffix=".tfrecord")
    assert read_bytes(f"{FOLDER}/words") == b"a\nb\n"
    assert gzip.decompress(read_bytes(f"{FOLDER}/w.gz")) == b"a\nb\n"
    fs = fsspec.filesystem("memory")
    names = sorted(name.rpartition("/")[2] for name in fs.find("bucket/folder"))
    assert names == ["r-00000-of-00001.tfrecord", "w.gz", "words"]


def test_a_sink_brings_its_filesystem_along():
    """Workers of a pool are not given Beam's option that imports it."""
    with sinks_shared():
        sink = beam.io.WriteToText(beam_path(f"{FOLDER}/words"))
    assert b"retrainer.components.lib.engine.beam_files" in pickle.dumps(
        sink._sink.file_path_prefix
    )
    assert type(beam.io.WriteToText("x")._sink.file_path_prefix).__name__ == "StaticValueProvider"


def test_the_methods_that_sinks_call():
    for name in ("a/1", "a/12", "b/1"):
        write_atomic(f"{FOLDER}/{name}", name)
    path = beam_path(FOLDER)
    (found,) = FileSystems.match([f"{path}/a/1*"])
    assert [one.path for one in found.metadata_list] == [f"{path}/a/1", f"{path}/a/12"]
    (found,) = FileSystems.match([f"{path}/a/1"])
    assert [(one.path, one.size_in_bytes) for one in found.metadata_list] == [(f"{path}/a/1", 3)]
    FileSystems.rename([f"{path}/a/1"], [f"{path}/a/2"])
    FileSystems.copy([f"{path}/a/2"], [f"{path}/c"])
    assert not FileSystems.exists(f"{path}/a/1")
    assert FileSystems.open(f"{path}/c").read() == b"a/1"
    assert FileSystems.checksum(f"{path}/c") == "3"
    assert FileSystems.last_updated(f"{path}/c") > 1e9
    FileSystems.delete([f"{path}/a", f"{path}/missing"])
    assert not exists(f"{FOLDER}/a")
    assert exists(f"{FOLDER}/b/1")
    for call in (FileSystems.checksum, lambda one: FileSystems.rename([one], [f"{path}/d"])):
        with pytest.raises(BeamIOError):
            call(f"{path}/missing")
