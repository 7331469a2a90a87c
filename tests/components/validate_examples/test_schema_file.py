"""The schema's file is changed by one at a time, and what stood there is kept."""

import threading

import pytest
from tensorflow_metadata.proto.v0 import schema_pb2

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.files import exists, join, read_text, write_atomic
from retrainer.components.validate_examples import schema_file
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


def test_of_many_writers_who_read_the_same_one_writes(folder):
    uri, history = join(folder, "schema.pbtxt"), join(folder, "history")
    told, done = [], []
    start = threading.Barrier(8)

    def write(name: str) -> None:
        start.wait()
        try:
            done.append((name, rewrite(uri, history, BEFORE, schema(name))))
        except SchemaMovedError:
            told.append(name)

    threads = [threading.Thread(target=write, args=(f"w{i}",)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
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


def test_a_claim_whose_owner_died_is_named_with_the_way_out(folder, monkeypatch):
    monkeypatch.setattr(schema_file, "PATIENCE_SECONDS", 0.2)
    claim = join(folder, "history", "claim.json")
    write_atomic(claim, "{}")
    with pytest.raises(RetrainerError, match=r"claim\.json' says which; .*delete that file"):
        rewrite(join(folder, "schema.pbtxt"), join(folder, "history"), BEFORE, schema("b"))
    assert read_text(join(folder, "schema.pbtxt")) == BEFORE
    assert exists(claim)
