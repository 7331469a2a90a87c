"""Files, spans and claims on Cloud Storage: gcsfs against a server on loopback."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import fsspec
import fsspec.config
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from servers.storage import StorageServer

from retrainer.components.lib import uris
from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.folders import local_folder, publish_folder, remove_folder
from retrainer.components.lib.spans.span_discovery import find_spans
from retrainer.components.lib.store import Store
from retrainer.components.lib.uris import (
    create_exclusive,
    exists,
    filesystem,
    list_names,
    read_text,
    write_atomic,
)


@pytest.fixture
def bucket(monkeypatch):
    with StorageServer() as server:
        options = {"token": "anon", "endpoint_url": server.url}
        monkeypatch.setitem(fsspec.config.conf, "gs", options)
        yield server


def test_what_is_written_can_be_read_and_listed(bucket):
    assert not exists("gs://acme/claims/a")
    write_atomic("gs://acme/claims/a", "one")
    assert read_text("gs://acme/claims/a") == "one"
    assert exists("gs://acme/claims/a")
    write_atomic("gs://acme/claims/of/b", "two")
    filesystem("gs://acme/claims/")[0].pipe_file("acme/claims/", b"")
    assert list_names("gs://acme/claims") == ["a", "of"]
    assert list_names("gs://acme/none") == list_names("gs://acme/claims/of/b/none") == []


def test_of_many_who_create_one_succeeds(bucket):
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda i: create_exclusive("gs://acme/claims/a", str(i)), range(16)))
    assert made.count(True) == 1
    assert read_text("gs://acme/claims/a") == str(made.index(True))


class Overwriting(MemoryFileSystem):
    """A bucket whose service, or whose package, takes no notice of the condition."""

    protocol = "overwriting"
    cachable = False

    def pipe_file(self, path, value, mode="overwrite", **kwargs):
        return super().pipe_file(path, value)


class Modeless(MemoryFileSystem):
    """A package of the time before files could be created."""

    protocol = "modeless"
    cachable = False

    def pipe_file(self, path, value):
        return super().pipe_file(path, value)


@pytest.mark.parametrize("kind", [Overwriting, Modeless])
def test_a_store_that_overwrites_what_it_should_refuse_is_none(kind):
    fsspec.register_implementation(kind.protocol, kind, clobber=True)
    with pytest.raises(RetrainerError, match=rf"'{kind.protocol}://acme' can't be the store"):
        create_exclusive(f"{kind.protocol}://acme/claims/a", "one")


def test_whether_a_bucket_refuses_is_tried_once(bucket):
    for name in "abc":
        assert create_exclusive(f"gs://tried/claims/{name}", "one")
    written = [seen for seen in bucket.requests if seen.method == "POST"]
    assert len(written) == 4
    # An outage in between says nothing.
    uris._CREATE_EXCLUSIVELY.discard("gs://tried")
    assert create_exclusive("gs://tried/claims/d", "one")


def test_two_who_create_the_same_content_are_one_who_did(bucket):
    uris._CREATE_EXCLUSIVELY.discard("gs://acme")
    assert create_exclusive("gs://acme/claims/a", "one")
    uris._CREATE_EXCLUSIVELY.discard("gs://acme")
    assert not create_exclusive("gs://acme/claims/a", "one")


def test_what_others_write_is_seen_at_once(bucket):
    fs, path = filesystem("gs://acme/claims")
    write_atomic("gs://acme/claims/a", "one")
    assert len(fs.ls(path, detail=False)) == 1
    bucket.objects["acme", "claims/b"] = b"two"
    assert len(fs.ls(path, detail=False)) == 2


def test_folder_markers_are_no_data(bucket):
    for day in ("2026-04-01", "2026-04-02"):
        bucket.objects["acme", f"data/day={day}/"] = b""
        bucket.objects["acme", f"data/day={day}/part-0.csv"] = b"a,b\n1,2\n"
    bucket.objects["acme", "data/"] = b""
    bucket.objects["acme", "data/day=2026-04-03/"] = b""
    spans = find_spans("gs://acme/data/day={span:%Y-%m-%d}/*")
    assert [span.name for span in spans] == ["2026-04-01", "2026-04-02"]
    assert [len(span.files) for span in spans] == [1, 1]
    named = find_spans("gs://acme/data/{span}/*.csv")
    assert [span.name for span in named] == ["day=2026-04-01", "day=2026-04-02"]


def test_spans_on_a_bucket_are_whole_with_their_marker(bucket):
    for day in (1, 2):
        bucket.objects["acme", f"data/day={day}/part-0.csv"] = b"a,b\n1,2\n"
    bucket.objects["acme", "data/day=1/_SUCCESS"] = b""
    spans = find_spans("gs://acme/data/day={span}/*", marker="_SUCCESS")
    assert [(span.name, span.whole, len(span.files)) for span in spans] == [
        ("1", True, 1),
        ("2", False, 1),
    ]


def test_a_folder_comes_down_without_its_markers(bucket):
    bucket.objects["acme", "model/"] = b""
    bucket.objects["acme", "model/assets/"] = b""
    bucket.objects["acme", "model/saved_model.pb"] = b"x"
    with local_folder("gs://acme/model") as folder:
        found = {path.name for path in Path(folder).rglob("*") if path.is_file()}
    assert found == {"saved_model.pb"}


def test_a_folder_goes_up_with_its_marker_last(bucket, tmp_path):
    source = tmp_path / "span"
    (source / "shards").mkdir(parents=True)
    (source / "span.json").write_text("{}")
    (source / "shards" / "0.parquet").write_bytes(b"rows")
    uri = f"{Store('gs://acme/store').spans_uri}/1/v1"
    assert publish_folder(source, uri, "span.json")
    names = [
        seen.body.split(b'"name": "')[1].split(b'"')[0]
        for seen in bucket.requests
        if seen.method == "POST"
    ]
    assert names[-1].endswith(b"span.json")
    assert not publish_folder(source, uri, "span.json")


def test_a_folder_on_a_bucket_goes_with_its_marker_first(bucket):
    for name in ("0.parquet", "span.json", "z/1.parquet"):
        bucket.objects["acme", f"spans/1/abc/{name}"] = b"x"
    bucket.objects["acme", "spans/1/abcd/span.json"] = b"x"
    remove_folder("gs://acme/spans/1/abc", "span.json")
    assert [name for _, name in bucket.objects] == ["spans/1/abcd/span.json"]
    assert bucket.deleted[0] == "spans/1/abc/span.json"
