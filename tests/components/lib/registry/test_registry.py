import pytest

from retrainer.components.lib import numbered_records
from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.registry import model_versions
from retrainer.components.lib.registry import registry as registry_module
from retrainer.components.lib.registry.model_files import remove_model
from retrainer.components.lib.registry.registry import AliasMovedError, Registry
from retrainer.components.lib.uris import read_json, remove, write_atomic, write_json


@pytest.fixture
def model(tmp_path):
    folder = tmp_path / "model"
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"graph")
    (folder / "variables" / "variables.index").write_bytes(b"weights")
    return folder


@pytest.fixture(params=["local", "memory"])
def registry(request, tmp_path):
    return Registry(
        str(tmp_path / "models") if request.param == "local" else f"memory://{tmp_path.name}/models"
    )


def test_versions_count_up_and_carry_their_content(registry, model):
    first = registry.add(str(model), "d1", {"run": "a"})
    second = registry.add(str(model), "d2", {"run": "b"})
    assert [one.version for one in registry.versions()] == [1, 2]
    assert (first.info, second.info) == ({"run": "a"}, {"run": "b"})


def test_the_same_model_is_not_added_twice(registry, model):
    assert (
        registry.add(str(model), "d1", {}).version
        == registry.add(str(model), "d1", {}).version
        == 1
    )


def test_of_two_writers_at_once_each_has_a_version_of_its_own(registry, model, monkeypatch):
    """The other one takes the number between a look for the newest and its reservation."""
    seen = registry.numbers()
    first = registry.add(str(model), "d1", {"run": "a"})
    with monkeypatch.context() as patched:
        patched.setattr(Registry, "numbers", lambda self: seen)
        second = registry.add(str(model), "d2", {"run": "b"})
    assert (first.version, second.version) == (1, 2)
    assert [one.info["run"] for one in registry.versions()] == ["a", "b"]


def test_an_alias_moves_only_from_where_it_was_seen(registry, model):
    registry.add(str(model), "d1", {})
    registry.add(str(model), "d2", {})
    assert registry.resolve("champion") is None
    registry.move_alias("champion", 1, None, {})
    with pytest.raises(AliasMovedError):
        registry.move_alias("champion", 2, None, {})
    registry.move_alias("champion", 2, 1, {})
    assert registry.resolve("champion").version == 2


def test_a_version_whose_writer_died_does_not_count_and_its_number_is_not_reused(
    registry, model, monkeypatch
):
    import retrainer.components.lib.registry.registry as module

    def die(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(module, "write_json", die)
        with pytest.raises(KeyboardInterrupt):
            registry.add(str(model), "d1", {})
    assert registry.versions() == []
    assert registry.add(str(model), "d1", {}).version == 2


def test_an_unknown_version_names_those_there_are(registry, model):
    with pytest.raises(RetrainerError, match=r"no version 9 .*\(there are: none\)"):
        registry.get(9)
    registry.add(str(model), "d1", {})
    with pytest.raises(RetrainerError, match=r"no version 9 .*\(there are: 1\)"):
        registry.get(9)


def test_an_alias_that_moves_between_look_and_create_is_lost_and_says_where_it_points(
    registry, model, monkeypatch
):
    for digest in ("d1", "d2", "d3"):
        registry.add(str(model), digest, {})
    registry.move_alias("champion", 1, None, {})
    create = numbered_records.create_exclusive

    def be_slower(uri, data):
        # Another push creates 000002.json after this one has read 000001.json.
        assert create(uri, '{"version": 2, "previous": 1, "id": "other"}')
        return create(uri, data)

    monkeypatch.setattr(numbered_records, "create_exclusive", be_slower)
    message = "'champion' points at version 2 now, not at version 1"
    with pytest.raises(AliasMovedError, match=message) as caught:
        registry.move_alias("champion", 3, 1, {})
    assert caught.value.current == 2
    assert registry.resolve("champion").version == 2


@pytest.mark.parametrize("reply", [False, ConnectionResetError("no reply")])
def test_a_move_whose_reply_was_lost_counts_as_made(registry, model, monkeypatch, reply):
    registry.add(str(model), "d1", {})
    create = numbered_records.create_exclusive

    def lose_the_reply(uri, data):
        assert create(uri, data)
        if isinstance(reply, Exception):
            raise reply
        return reply

    monkeypatch.setattr(numbered_records, "create_exclusive", lose_the_reply)
    registry.move_alias("champion", 1, None, {})
    assert registry.resolve("champion").version == 1


def test_an_alias_that_was_taken_away_points_at_no_version(registry, model):
    registry.add(str(model), "d1", {})
    registry.move_alias("champion", 1, None, {})
    registry.move_alias("champion", None, 1, {"why": "too many refunds"})
    assert registry.resolve("champion") is None
    registry.move_alias("champion", 1, None, {})
    assert registry.resolve("champion").version == 1


def test_a_damaged_alias_is_to_be_restored_not_deleted(registry, model):
    registry.add(str(model), "d1", {})
    registry.move_alias("champion", 1, None, {})
    write_atomic(f"{registry.uri}/aliases/champion/000001.json", '{"version": ')
    with pytest.raises(RetrainerError, match="Restore it from a copy") as refused:
        registry.resolve("champion")
    assert "delete" not in str(refused.value)


def test_a_known_model_is_found_without_reading_every_record(registry, model, monkeypatch):
    for digest in ("d1", "d2", "d3"):
        registry.add(str(model), digest, {})
    seen = []
    monkeypatch.setattr(
        model_versions, "read_json", lambda uri, *fix: seen.append(uri) or read_json(uri)
    )
    assert registry.add(str(model), "d1", {}).version == 1
    # Its record, and whether it is being deleted.
    assert [uri.rpartition("/")[2] for uri in seen] == ["version.json", "deleted.json"]


def test_a_record_of_another_format_is_refused_and_unknown_keys_are_ignored(registry, model):
    registry.add(str(model), "d1", {})
    uri = f"{registry.uri}/versions/000001/version.json"
    write_json(uri, {"version": 1, "digest": "d1", "info": {}, "stage": "new"})
    assert registry.get(1).digest == "d1"
    write_json(uri, {"format": 2, "version": 1})
    with pytest.raises(RetrainerError, match=r"has format 2, and this version .* reads format 1"):
        registry.get(1)


def test_what_else_lies_among_the_versions_is_none(registry, model):
    registry.add(str(model), "d1", {})
    for stray in ("notes.txt", "000002.tmp", "old-000003"):
        write_atomic(f"{registry.uri}/versions/{stray}", "")
    assert [one.version for one in registry.versions()] == [1]
    assert registry.add(str(model), "d2", {}).version == 2


def test_what_an_alias_pointed_at_is_noted_with_each_move(registry, model):
    for digest in ("d1", "d2"):
        registry.add(str(model), digest, {})
    registry.move_alias("champion", 1, None, {"run": "a"})
    registry.move_alias("champion", 2, 1, {"run": "b"})
    moves = [read_json(f"{registry.uri}/aliases/champion/00000{n}.json") for n in (1, 2)]
    assert [(one["version"], one["previous"], one["run"]) for one in moves] == [
        (1, None, "a"),
        (2, 1, "b"),
    ]
    # Another alias has moves of its own.
    registry.move_alias("candidate", 1, None, {})
    assert (registry.version_of("candidate"), registry.version_of("champion")) == (1, 2)


DAMAGED = {
    "no JSON": "no JSON",
    "no digest": '{"format": 1, "version": 1}',
    "text for a size": '{"format": 1, "version": 1, "digest": "d1", "files": "x", "bytes": 7}',
    "a number for what is known": '{"format": 1, "version": 1, "digest": "d1", "info": 7}',
}


@pytest.mark.parametrize("damage", [*DAMAGED, "no model", "a file is lost"])
def test_half_a_version_is_named_and_never_picked(registry, model, damage):
    registry.add(str(model), "d1", {})
    folder = registry.version_uri(1)
    if damage == "no model":
        remove_model(f"{folder}/model")
    elif damage == "a file is lost":
        remove(f"{folder}/model/saved_model.pb")
    else:
        write_atomic(f"{folder}/version.json", DAMAGED[damage])
    assert (registry.versions(), registry.find(1)) == ([], None)
    (named,) = registry.survey()[1]
    expected = {
        "no model": "is missing",
        "a file is lost": "has 1 files of 7 bytes, and 2 of 12 were pushed",
        "no JSON": "is not the JSON that retrainer wrote there",
        "no digest": "lacks 'digest'",
        "text for a size": "no record that retrainer wrote: its 'files' is 'x'",
        "a number for what is known": "no record that retrainer wrote: its 'info' is 7",
    }
    assert expected[damage] in named.reason
    with pytest.raises(RetrainerError):
        registry.get_complete(1)
    # The same content is pushed as another version, which is found from then on.
    assert registry.add(str(model), "d1", {}).version == 2
    assert registry.add(str(model), "d1", {}).version == 2


@pytest.mark.parametrize(
    ("record", "says"),
    [
        ("[]", "no record that retrainer wrote"),
        ("{}", "it has no 'version'"),
        ('{"version": "1"}', "its 'version' is '1'"),
        ('{"version": 1, "action": "pull"}', "its 'action' is 'pull'"),
        ('{"version": 1, "at": "noon"}', "noon"),
        ('{"version": 1, "held": [{"version": 1, "digest": 7}]}', "its 'digest' is 7"),
    ],
)
def test_a_damaged_alias_is_named_and_no_retired_champion(registry, model, record, says):
    registry.add(str(model), "d1", {})
    uri = f"{registry.uri}/aliases/champion/000001.json"
    write_atomic(uri, record)
    with pytest.raises(RetrainerError, match=says) as error:
        registry.resolve("champion")
    assert uri in str(error.value)
    assert "Restore it from a copy" in str(error.value)


def test_versions_are_in_order_whatever_order_a_file_system_lists_them_in(
    registry, model, monkeypatch
):
    for digest in ("d1", "d2", "d3"):
        registry.add(str(model), digest, {})
    listed = registry_module.list_names
    monkeypatch.setattr(
        registry_module, "list_names", lambda uri: sorted(listed(uri), reverse=True)
    )
    assert registry.numbers() == [1, 2, 3]
    assert [one.version for one in registry.versions()] == [1, 2, 3]
