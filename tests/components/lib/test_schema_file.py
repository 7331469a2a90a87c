"""One command at a time changes the schema's file, and the former text is kept."""

import json
import subprocess
import sys
import threading

import pytest
from tensorflow_metadata.proto.v0 import schema_pb2

from retrainer.components.lib import schema_file
from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.schema_file import SchemaMovedError, rewrite
from retrainer.components.lib.uris import exists, filesystem, join, read_text, write_atomic

BEFORE = '# mine\nfeature { name: "a" }\n'
ELSEWHERE = json.dumps({"host": "elsewhere", "process": 7, "since": "2026-01-02T03:04:05+00:00"})


def schema(name: str) -> schema_pb2.Schema:
    made = schema_pb2.Schema()
    made.feature.add(name=name)
    return made


def names(folder: str) -> list[str]:
    fs, path = filesystem(folder)
    return [name.rpartition("/")[2] for name in fs.ls(path, detail=False)]


@pytest.fixture(params=["local", "memory"])
def folder(request, tmp_path):
    root = str(tmp_path) if request.param == "local" else f"memory://{tmp_path.name}"
    write_atomic(join(root, "schema.pbtxt"), BEFORE)
    return root


def test_of_many_writers_who_read_the_same_one_writes(folder):
    uri, history = join(folder, "schema.pbtxt"), join(folder, "history")
    done, moved = [], []
    start = threading.Barrier(8)

    def write(name: str) -> None:
        start.wait()
        try:
            done.append((name, rewrite(uri, history, BEFORE, schema(name))))
        except SchemaMovedError:
            moved.append(name)

    threads = [threading.Thread(target=write, args=(f"w{i}",)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(done), len(moved)) == (1, 7)
    ((name, kept),) = done
    assert f'name: "{name}"' in read_text(uri)
    assert read_text(uri).startswith("# mine\n")
    assert read_text(kept) == BEFORE
    assert names(history) == ["000001.pbtxt"]


def test_an_edit_by_hand_in_between_is_not_lost(folder):
    uri = join(folder, "schema.pbtxt")
    write_atomic(uri, 'feature { name: "by_hand" }')
    with pytest.raises(SchemaMovedError):
        rewrite(uri, join(folder, "history"), BEFORE, schema("b"))
    assert "by_hand" in read_text(uri)
    assert not exists(join(folder, "history", "lock.json"))


KILLED = """
import sys, time
from tensorflow_metadata.proto.v0 import schema_pb2
from retrainer.components.lib import schema_file

def hang(uri, text):
    print("holds the lock", flush=True)
    time.sleep(600)

schema_file.write_atomic = hang
schema_file.rewrite(sys.argv[1], sys.argv[2], open(sys.argv[1]).read(), schema_pb2.Schema())
"""


def test_the_lock_of_a_killed_command_is_named_and_can_be_deleted(tmp_path, monkeypatch):
    monkeypatch.setattr(schema_file, "WAIT_SECONDS", 0.2)
    uri, history = str(tmp_path / "schema.pbtxt"), str(tmp_path / "history")
    write_atomic(uri, BEFORE)
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, uri, history], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "holds the lock\n"
    process.kill()
    process.wait()
    lock = tmp_path / "history" / "lock.json"
    with pytest.raises(
        RetrainerError,
        match=rf"locked by process {process.pid} on \S+ since 2\S+\. .*if it died, delete '{lock}'",
    ):
        rewrite(uri, history, BEFORE, schema("b"))
    lock.unlink()
    rewrite(uri, history, BEFORE, schema("b"))
    assert 'name: "b"' in read_text(uri)


@pytest.mark.parametrize(
    ("content", "owner"),
    [(ELSEWHERE, "process 7 on elsewhere since 2026-01-02T03:04:05"), ("?", "another command")],
    ids=["of another machine", "unreadable"],
)
def test_a_locked_schema_is_left_alone(folder, monkeypatch, content, owner):
    monkeypatch.setattr(schema_file, "WAIT_SECONDS", 0.2)
    lock = join(folder, "history", "lock.json")
    write_atomic(lock, content)
    with pytest.raises(RetrainerError, match=f"locked by {owner}"):
        rewrite(join(folder, "schema.pbtxt"), join(folder, "history"), BEFORE, schema("b"))
    assert read_text(join(folder, "schema.pbtxt")) == BEFORE
    assert names(join(folder, "history")) == ["lock.json"]
    assert read_text(lock) == content


def test_somebody_elses_lock_is_not_removed(folder, monkeypatch):
    uri, history = join(folder, "schema.pbtxt"), join(folder, "history")
    write = schema_file.write_atomic

    def deleted_and_locked_again(target, text):
        write(join(history, "lock.json"), ELSEWHERE)
        write(target, text)

    monkeypatch.setattr(schema_file, "write_atomic", deleted_and_locked_again)
    rewrite(uri, history, BEFORE, schema("b"))
    assert read_text(join(history, "lock.json")) == ELSEWHERE


def test_a_lock_whose_reply_was_lost_is_held(folder, monkeypatch):
    create = schema_file.create_exclusive

    def lose_the_reply(uri, data):
        create(uri, data)
        return not uri.endswith("lock.json")

    monkeypatch.setattr(schema_file, "create_exclusive", lose_the_reply)
    monkeypatch.setattr(schema_file, "WAIT_SECONDS", 0.2)
    rewrite(join(folder, "schema.pbtxt"), join(folder, "history"), BEFORE, schema("b"))
    assert names(join(folder, "history")) == ["000001.pbtxt"]
