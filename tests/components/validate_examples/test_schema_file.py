"""The schema's file is changed by one at a time, and what stood there is kept."""

import json
import subprocess
import sys
import threading
import time

import pytest
from tensorflow_metadata.proto.v0 import schema_pb2

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.uris import exists, filesystem, join, read_text, write_atomic
from retrainer.components.validate_examples import schema_claim
from retrainer.components.validate_examples.schema_file import SchemaMovedError, rewrite

BEFORE = '# mine\nfeature { name: "a" }\n'


def schema(name: str) -> schema_pb2.Schema:
    made = schema_pb2.Schema()
    made.feature.add(name=name)
    return made


@pytest.fixture(params=["local", "memory"])
def folder(request, tmp_path):
    root = str(tmp_path) if request.param == "local" else f"memory://{tmp_path.name}"
    write_atomic(join(root, "schema.pbtxt"), BEFORE)
    return root


def rewrite_at_once(writers, uri, history):
    """Several change one schema at the same moment: names and kept files of who did, names of who was told."""
    done, told = [], []
    start = threading.Barrier(writers)

    def write(name: str) -> None:
        start.wait()
        try:
            done.append((name, rewrite(uri, history, BEFORE, schema(name))))
        except SchemaMovedError:
            told.append(name)

    threads = [threading.Thread(target=write, args=(f"w{i}",)) for i in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return done, told


def test_of_many_writers_who_read_the_same_one_writes(folder):
    uri, history = join(folder, "schema.pbtxt"), join(folder, "history")
    done, told = rewrite_at_once(8, uri, history)
    assert (len(done), len(told)) == (1, 7)
    ((name, kept),) = done
    assert f'name: "{name}"' in read_text(uri)
    assert read_text(uri).startswith("# mine\n")
    assert read_text(kept) == BEFORE
    assert not exists(join(history, "claim.json"))


def test_an_edit_by_hand_in_between_is_not_lost(folder):
    uri = join(folder, "schema.pbtxt")
    write_atomic(uri, 'feature { name: "by_hand" }')
    with pytest.raises(SchemaMovedError):
        rewrite(uri, join(folder, "history"), BEFORE, schema("b"))
    assert "by_hand" in read_text(uri)
    assert not exists(join(folder, "history", "claim.json"))


KILLED = """
import sys, time
from tensorflow_metadata.proto.v0 import schema_pb2
from retrainer.components.validate_examples import schema_file

def hang(uri, text):
    print("holds the claim", flush=True)
    time.sleep(600)

schema_file.write_atomic = hang
schema_file.rewrite(sys.argv[1], sys.argv[2], open(sys.argv[1]).read(), schema_pb2.Schema())
"""


def test_a_command_that_was_killed_holds_nobody_up(tmp_path):
    uri, history = str(tmp_path / "schema.pbtxt"), str(tmp_path / "history")
    write_atomic(uri, BEFORE)
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, uri, history], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "holds the claim\n"
    process.kill()
    process.wait()
    assert exists(join(history, "claim.json"))
    done, told = rewrite_at_once(4, uri, history)
    assert (len(done), len(told)) == (1, 3)
    assert f'name: "{done[0][0]}"' in read_text(uri)
    assert {path.suffix for path in (tmp_path / "history").iterdir()} == {".pbtxt"}


def claim_of(**owner) -> str:
    return json.dumps({**schema_claim._identity(), "id": "x", **owner}) + "\n"


@pytest.mark.parametrize(
    "owner",
    [
        {},
        {"host": "elsewhere", "process": 2**22 + 1},
        {"processes": "pid:[another]", "process": 2**22 + 1},
        {"process": "?"},
    ],
    ids=["alive", "on another machine", "in another container", "not to be read"],
)
def test_a_claim_whose_owner_may_live_is_named_with_the_way_out(folder, monkeypatch, owner):
    monkeypatch.setattr(schema_claim, "PATIENCE_SECONDS", 0.2)
    claim = join(folder, "history", "claim.json")
    write_atomic(claim, claim_of(**owner))
    with pytest.raises(RetrainerError, match=r"process .* on .*counts for 5 minutes, or until"):
        rewrite(join(folder, "schema.pbtxt"), join(folder, "history"), BEFORE, schema("b"))
    assert read_text(join(folder, "schema.pbtxt")) == BEFORE
    assert exists(claim)
    assert not [name for name in names(join(folder, "history")) if name != "claim.json"]


def names(folder: str) -> list[str]:
    fs, path = filesystem(folder)
    return [name.rpartition("/")[2] for name in fs.ls(path, detail=False)]


@pytest.mark.parametrize("content", [claim_of(host="elsewhere"), "{}", ""])
def test_an_old_claim_counts_no_longer(folder, monkeypatch, content):
    monkeypatch.setattr(schema_claim, "STALE_SECONDS", 0.05)
    write_atomic(join(folder, "history", "claim.json"), content)
    time.sleep(0.1)
    rewrite(join(folder, "schema.pbtxt"), join(folder, "history"), BEFORE, schema("b"))
    assert 'name: "b"' in read_text(join(folder, "schema.pbtxt"))
    assert names(join(folder, "history")) == ["000001.pbtxt"]


def test_who_was_taken_for_dead_leaves_the_next_ones_claim_alone(folder):
    history = join(folder, "history")
    with schema_claim.claimed(join(folder, "schema.pbtxt"), history):
        write_atomic(join(history, "claim.json"), claim_of(host="elsewhere"))
    assert "elsewhere" in read_text(join(history, "claim.json"))


def test_a_claim_whose_reply_was_lost_is_held(folder, monkeypatch):
    create = schema_claim.create_exclusive

    def lose_the_reply(uri, data):
        create(uri, data)
        return False

    monkeypatch.setattr(schema_claim, "create_exclusive", lose_the_reply)
    monkeypatch.setattr(schema_claim, "PATIENCE_SECONDS", 0.2)
    history = join(folder, "history")
    with schema_claim.claimed(join(folder, "schema.pbtxt"), history):
        assert exists(join(history, "claim.json"))
    assert not exists(join(history, "claim.json"))
