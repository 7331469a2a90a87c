import fsspec
import pytest

from retrainer.components.lib.engine import places
from retrainer.components.lib.engine.places import (
    shared_folder,
    store_of,
    worker_files,
    worker_uri,
)
from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.examples import SpanPart
from retrainer.components.lib.uris import exists, write_atomic


def test_a_mounted_bucket_is_named_as_workers_reach_it():
    assert worker_uri("/gcs/bucket/run/model") == "gs://bucket/run/model"
    assert worker_uri("/data/gcs/model") == "/data/gcs/model"
    assert worker_uri("s3://bucket/model") == "s3://bucket/model"
    part = SpanPart("1", "/gcs/bucket/spans/1/v1", "all", 5, ("a.parquet", "b.parquet"))
    found = worker_files([part])
    assert [(file.uri, file.files) for file in found] == [
        ("gs://bucket/spans/1/v1", ("a.parquet",)),
        ("gs://bucket/spans/1/v1", ("b.parquet",)),
    ]


def test_the_store_of_a_span_is_where_its_temporary_files_go():
    assert store_of("s3://bucket/a/spans/2013-01/f00/").uri == "s3://bucket/a"
    with pytest.raises(RetrainerError, match="'s3://spans/x' is in no store"):
        store_of("s3://spans/x")


def test_a_shared_folder_goes_and_so_do_those_of_killed_tasks(monkeypatch):
    fsspec.filesystem("memory").store.clear()
    parent = "memory://bucket/store/temporary"
    write_atomic(f"{parent}/x-killed/tft/vocabulary", "a")
    with shared_folder(parent, "x") as folder:
        write_atomic(f"{folder}/a/b", "c")
        assert exists(f"{parent}/x-killed"), "it may be another task's"
    assert not exists(folder)
    monkeypatch.setattr(places, "LEFTOVER_SECONDS", -1)
    with shared_folder(parent, "x"):
        assert not exists(f"{parent}/x-killed")
