import json

import pytest

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.numbered_records import NumberedRecords
from retrainer.components.lib.registry import CHAMPION, AliasMovedError, Registry
from retrainer.components.lib.store import Store
from retrainer.components.lib.uris import write_json
from retrainer.components.resolve_champion.resolve import resolve
from retrainer.pipelines.project.starting import init_project


@pytest.fixture
def project(tmp_path):
    """A project with two versions, the second of which is the champion."""

    class Project:
        file = str(tmp_path / "project" / "retrain.yaml")
        store = str(tmp_path / "project" / "store")
        registry = Registry(Store(store).models_uri)

    init_project(tmp_path / "project")
    model = tmp_path / "model"
    model.mkdir()
    (model / "saved_model.pb").write_bytes(b"graph")
    for number in (1, 2):
        info = {
            "run": f"run-{number}",
            "span": f"{number}",
            "train_spans": ["0"],
            "eval_spans": [f"{number}"],
        }
        Project.registry.add(str(model), f"d{number}", info)
        Project.registry.move_alias(CHAMPION, number, number - 1 or None, {})
    return Project()


def test_models_are_listed_newest_first_with_the_champion(retrainer, project):
    shown = retrainer("models", "list", "--file", project.file)
    rows = [line.split() for line in shown.splitlines()]
    assert rows[1:] == [["2", "yes", "2", "0", "2", "run-2"], ["1", "1", "0", "1", "run-1"]]
    listed = json.loads(retrainer("models", "list", "--json", "--file", project.file))
    assert [(one["version"], one["champion"]) for one in listed] == [(2, True), (1, False)]


def test_a_retired_champion_leaves_no_champion_and_a_record_of_who_and_why(
    retrainer, project, tmp_path
):
    shown = retrainer("models", "retire", "--why", "too many refunds", "--file", project.file)
    assert "version 2 is no longer the champion" in shown
    assert resolve(project.store, str(tmp_path / "champion"), span="1") == "no champion yet"
    entries = NumberedRecords(f"{project.registry.uri}/aliases/{CHAMPION}")
    newest = entries.newest().content
    assert (newest["version"], newest["previous"], newest["why"]) == (None, 2, "too many refunds")
    assert newest["by"]
    assert newest["at"]
    assert [one.version for one in project.registry.versions()] == [1, 2]
    assert "no model is in service" in retrainer("models", "list", "--file", project.file)
    with pytest.raises(RetrainerError, match=r"no model is in service in .*nothing to retire"):
        retrainer("models", "retire", "--file", project.file)
    # An earlier version can be put into service again.
    project.registry.move_alias(CHAMPION, 1, None, {})
    assert project.registry.resolve(CHAMPION).version == 1


def test_a_champion_that_is_replaced_meanwhile_is_not_retired(retrainer, project, monkeypatch):
    def move(alias, version, expected, info):
        raise AliasMovedError(alias, 3, expected)

    monkeypatch.setattr(Registry, "move_alias", lambda _, *arguments: move(*arguments))
    with pytest.raises(RetrainerError, match="points at version 3 now, not at version 2"):
        retrainer("models", "retire", "--file", project.file)


def test_a_broken_champion_can_be_retired(retrainer, project):
    write_json(f"{project.registry.uri}/versions/000002/version.json", {"format": 9})
    shown = retrainer("models", "retire", "--file", project.file)
    assert "version 2 is no longer the champion" in shown
