"""What a user reads when a bucket can't be used."""

import copy
import errno
import pickle

import fsspec
import fsspec.config
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from servers.storage import StorageServer

from retrainer.components.lib.errors import RetrainerError, StorageDeniedError, StorageError
from retrainer.components.lib.source_rows.pseudonymize import read_key
from retrainer.components.lib.uris import (
    create_exclusive,
    exists,
    filesystem,
    read_bytes,
    write_atomic,
)
from retrainer.pipelines.targets.errors import UnavailableError
from retrainer.pipelines.triggers.claims.files import FileClaims


@pytest.fixture
def s3(monkeypatch, tmp_path):
    """Amazon's own libraries, which find no credentials here."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setitem(fsspec.config.conf, "s3", {})
    fsspec.get_filesystem_class("s3").clear_instance_cache()


def test_missing_credentials_are_reported_with_the_fix(s3):
    for use in (
        exists,
        read_bytes,
        lambda uri: write_atomic(uri, "x"),
        lambda uri: create_exclusive(uri, "x"),
    ):
        with pytest.raises(StorageError, match=r"'s3://acme/a' .*AWS_ACCESS_KEY_ID"):
            use("s3://acme/a")


def failing(monkeypatch, error: Exception) -> None:
    def fail(*args, **kwargs):
        raise error

    for name in ("cat_file", "pipe_file", "info"):
        monkeypatch.setattr(MemoryFileSystem, name, fail)


def test_a_refused_file_is_named(monkeypatch):
    failing(monkeypatch, PermissionError("Forbidden"))
    with pytest.raises(
        StorageDeniedError, match=r"access to 'memory:///b/a' is denied .*Forbidden"
    ) as raised:
        write_atomic("memory://b/a", "x")
    assert isinstance(raised.value, PermissionError)


def test_a_missing_file_stays_one_and_a_missing_bucket_is_reported(monkeypatch):
    failing(monkeypatch, FileNotFoundError("no such bucket"))
    with pytest.raises(FileNotFoundError):
        read_bytes("memory://b/a")
    assert not exists("memory://b/a")
    with pytest.raises(
        StorageError, match=r"'memory:///b/a' can't be written .*name of the bucket"
    ):
        write_atomic("memory://b/a", "x")


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        FileExistsError("there"),
        ZeroDivisionError("a bug"),
        PermissionError(errno.EACCES, "Permission denied", "/a/local/file"),
    ],
)
def test_what_is_no_matter_of_access_stays_what_it_is(monkeypatch, error):
    failing(monkeypatch, error)
    with pytest.raises(type(error)) as caught:
        read_bytes("memory://b/a")
    assert caught.value is error


def test_cloud_storage_that_refuses(monkeypatch):
    with StorageServer() as server:
        options = {"token": "anon", "endpoint_url": server.url}
        monkeypatch.setitem(fsspec.config.conf, "gs", options)
        server.fail_next(2, status=403)
        with pytest.raises(
            StorageDeniedError, match=r"(?s)access to 'gs://acme/a' is denied .*Forbidden"
        ):
            read_bytes("gs://acme/a")


class Unreadable(MemoryFileSystem):
    """A bucket that is lost while a file is read."""

    protocol = "unreadable"
    cachable = False

    def open(self, *args, **kwargs):
        file = super().open(*args, **kwargs)
        file.read = lambda *_: (_ for _ in ()).throw(PermissionError("Forbidden"))
        return file


def test_a_file_that_can_be_opened_and_not_read_is_named(tmp_path):
    fsspec.register_implementation("unreadable", Unreadable, clobber=True)
    fs, path = filesystem("unreadable://b/a")
    fs.pipe_file(path, b"one")
    with fs.open(path, "rb") as file, pytest.raises(StorageDeniedError, match="b/a' is denied"):
        file.read()
    filesystem("memory://b/a")[0].pipe_file("/b/a", b"one\ntwo\n")
    plain, path = filesystem("memory://b/a")
    with plain.open(path, "rb") as file:
        assert list(file) == [b"one\n", b"two\n"]
        assert (file.seek(4), file.read()) == (4, b"two\n")


def test_a_file_system_can_be_copied():
    fs, path = filesystem("memory://b/a")
    fs.pipe_file(path, b"one")
    for copied in (copy.copy(fs), pickle.loads(pickle.dumps(fs))):
        assert copied.cat_file(path) == b"one"


def test_what_is_no_call_is_the_file_systems_own():
    fs, path = filesystem("memory://b/a")
    assert (fs.protocol, path) == ("memory", "/b/a")


def test_an_outage_is_no_fault_of_the_user_to_those_who_try_again(s3):
    with pytest.raises(UnavailableError, match=r"claims at 's3://acme/claims' .*credentials"):
        FileClaims("s3://acme/claims").read("a")
    with pytest.raises(UnavailableError):
        FileClaims("s3://acme/claims").write("a", {}, None)
    with pytest.raises(
        RetrainerError, match=r"'s3://acme/key' \(data\.hash\.key_file\).*credentials"
    ):
        read_key("", "s3://acme/key")
