import pytest

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.registry import (
    AliasMovedError,
    Registry,
    read_champion,
    write_champion,
)


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


def test_an_alias_moves_only_from_where_it_was_seen(registry, model):
    registry.add(str(model), "d1", {})
    registry.add(str(model), "d2", {})
    assert registry.resolve("champion") is None
    registry.give_alias("champion", 1, None, {})
    with pytest.raises(AliasMovedError):
        registry.give_alias("champion", 2, None, {})
    registry.give_alias("champion", 2, 1, {})
    assert registry.resolve("champion").version == 2


def test_a_version_whose_writer_died_does_not_count_and_its_number_is_not_reused(
    registry, model, monkeypatch
):
    import retrainer.components.lib.registry as module

    def die(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(module, "write_json", die)
        with pytest.raises(KeyboardInterrupt):
            registry.add(str(model), "d1", {})
    assert registry.versions() == []
    assert registry.add(str(model), "d1", {}).version == 2


def test_an_unknown_version_names_those_there_are(registry, model):
    registry.add(str(model), "d1", {})
    with pytest.raises(RetrainerError, match=r"no version 9 .*\(there are: 1\)"):
        registry.get(9)


def test_a_champion_artifact_is_read_as_it_was_written(tmp_path, registry, model):
    write_champion(str(tmp_path / "none"), None)
    assert read_champion(str(tmp_path / "none")) is None
    write_champion(str(tmp_path / "one"), registry.add(str(model), "d1", {}))
    champion = read_champion(str(tmp_path / "one"))
    assert (champion.version, champion.digest) == (1, "d1")
