"""The key of private columns, and what it makes of them."""

import hashlib
import hmac
import os

import fsspec
import pyarrow as pa
import pytest

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.source_rows.pseudonymize import hash_column, key_digest, read_key

KEY = b"0f1e2d3c4b5a69788796a5b4c3d2e1f0"
ENV = "RETRAINER_TEST_HASH_KEY"


@pytest.fixture(autouse=True)
def no_key(monkeypatch):
    monkeypatch.delenv(ENV, raising=False)


def expected(text, key=KEY):
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_the_key_is_the_same_from_a_file_and_from_the_environment(tmp_path, monkeypatch, end):
    (tmp_path / "key").write_bytes(KEY + end)
    assert read_key(ENV, str(tmp_path / "key")) == KEY
    monkeypatch.setenv(ENV, os.fsdecode(KEY + end))
    assert read_key(ENV, "") == KEY


def test_a_key_may_be_any_bytes_and_loses_only_one_line_end(tmp_path):
    key = bytes(range(200, 232)) + b" \n"
    (tmp_path / "key").write_bytes(key + b"\n")
    assert read_key("", str(tmp_path / "key")) == key


def test_a_key_may_lie_in_a_bucket():
    with fsspec.open("memory://secrets/key", "wb") as file:
        file.write(KEY)
    assert read_key(ENV, "memory://secrets/key") == KEY


def test_without_a_key_the_fix_is_reported():
    with pytest.raises(RetrainerError, match=f"{ENV} is empty or not set.*openssl rand -hex 32"):
        read_key(ENV, "")


def test_two_keys_are_refused_because_either_could_be_meant(tmp_path, monkeypatch):
    (tmp_path / "key").write_bytes(KEY)
    monkeypatch.setenv(ENV, KEY.decode())
    with pytest.raises(
        RetrainerError, match=f"two keys.*unset {ENV}, or leave data.hash.key_file out"
    ):
        read_key(ENV, str(tmp_path / "key"))


def test_a_short_key_is_refused_without_being_shown(tmp_path, monkeypatch):
    monkeypatch.setenv(ENV, "hunter2\n")
    with pytest.raises(RetrainerError, match=f"{ENV} has 7 bytes.*openssl") as error:
        read_key(ENV, "")
    assert "hunter2" not in str(error.value)
    monkeypatch.delenv(ENV)
    (tmp_path / "key").write_bytes(b"hunter2")
    with pytest.raises(RetrainerError, match=r"/key' has 7 bytes.*openssl") as error:
        read_key(ENV, str(tmp_path / "key"))
    assert "hunter2" not in str(error.value)


def test_a_line_end_is_no_part_of_a_key_and_makes_none_long_enough(tmp_path):
    for end in (b"\n", b"\r\n"):
        (tmp_path / "key").write_bytes(b"k" * 15 + end)
        with pytest.raises(RetrainerError, match="has 15 bytes"):
            read_key(ENV, str(tmp_path / "key"))
        (tmp_path / "key").write_bytes(b"k" * 16 + end)
        assert read_key(ENV, str(tmp_path / "key")) == b"k" * 16


@pytest.mark.parametrize("content", [b"", b"\n"])
def test_an_empty_file_is_named(tmp_path, content):
    (tmp_path / "key").write_bytes(content)
    with pytest.raises(RetrainerError, match=r"/key' \(data\.hash\.key_file\) is empty"):
        read_key(ENV, str(tmp_path / "key"))


def test_a_file_that_can_not_be_read_is_named(tmp_path):
    with pytest.raises(RetrainerError, match=r"can't be read from '.*/none'.*Mount or copy"):
        read_key(ENV, str(tmp_path / "none"))
    with pytest.raises(RetrainerError, match=r"can't be read from '.*Mount or copy"):
        read_key(ENV, str(tmp_path))
    with pytest.raises(RetrainerError, match="can't open 'nowhere://key'"):
        read_key(ENV, "nowhere://key")


def test_a_cell_becomes_the_hmac_of_its_text_and_a_missing_one_stays_missing():
    column = pa.array(["anna@example.com", None, "bert@example.com", "anna@example.com"])
    anna, bert = expected("anna@example.com"), expected("bert@example.com")
    hashed = hash_column(column, KEY)
    assert hashed.type == pa.string()
    assert hashed.to_pylist() == [anna, None, bert, anna]
    assert hash_column(pa.chunked_array([column, column.slice(2)]), KEY).to_pylist() == [
        anna, None, bert, anna, bert, anna,
    ]  # fmt: skip


@pytest.mark.parametrize(
    "column",
    [
        pa.array([17, None]),
        pa.array([17.0, None]),
        pa.array([17.0, float("nan")]),
        pa.array(["17", None]),
    ],
)
def test_a_value_has_one_digest_whatever_its_type(column):
    assert hash_column(column, KEY).to_pylist() == [expected("17"), None]


@pytest.mark.parametrize("key", [b"k" * 16, b"k" * 64, b"k" * 65, b"k" * 1_000])
def test_keys_of_every_length_give_the_standards_digest(key):
    assert hash_column(pa.array(["a"]), key).to_pylist() == [expected("a", key)]


def test_another_key_makes_other_digests_of_all_values():
    column = pa.array([f"{i}@example.com" for i in range(100)])
    one, other = (set(hash_column(column, key).to_pylist()) for key in (KEY, KEY + b"x"))
    assert len(one) == len(other) == 100
    assert not one & other


def test_columns_without_a_value_stay_as_long_as_they_are():
    assert hash_column(pa.nulls(2), KEY).to_pylist() == [None, None]
    assert hash_column(pa.array([], pa.int64()), KEY).to_pylist() == []
    assert hash_column(pa.chunked_array([], pa.string()), KEY).to_pylist() == []


def test_the_digest_of_a_key_distinguishes_keys_and_is_no_hash_that_can_be_looked_up():
    assert key_digest(KEY) == key_digest(KEY)
    assert key_digest(KEY) != key_digest(KEY[:-1] + b"1")
    plain = {hashlib.new(name, KEY).hexdigest() for name in ("md5", "sha1", "sha256", "sha512")}
    assert key_digest(KEY) not in plain
    # Nor is it what a cell could become.
    assert key_digest(KEY) not in hash_column(pa.array(["", KEY.decode()]), KEY).to_pylist()
