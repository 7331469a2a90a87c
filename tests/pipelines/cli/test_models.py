import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.numbered_records import NumberedRecords
from retrainer.components.lib.registry.approvals import ask
from retrainer.components.lib.registry.registry import CHAMPION, Registry
from retrainer.components.lib.store import Store
from retrainer.components.lib.uris import write_json
from retrainer.components.resolve_champion.resolve import resolve
from retrainer.pipelines.cli.change_models import approve_version
from retrainer.pipelines.cli.main import cli
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
    assert rows[1:] == [["2", "champion", "2", "run-2", "0"], ["1", "1", "run-1", "0"]]
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


@pytest.mark.parametrize(
    "command",
    [
        ["retire"],
        ["promote", "1", "--why", "x"],
        ["rollback", "--why", "x"],
    ],
)
def test_a_champion_that_is_replaced_meanwhile_stays(retrainer, project, monkeypatch, command):
    append = NumberedRecords.append

    def be_slower(records, content, after):
        assert append(records, {"version": 3, "previous": 2, "id": "other"}, after)
        return append(records, content, after)

    monkeypatch.setattr(NumberedRecords, "append", be_slower)
    with pytest.raises(RetrainerError, match="points at version 3 now, not at version 2"):
        retrainer("models", *command, "--file", project.file)
    assert project.registry.version_of(CHAMPION) == 3


def test_without_a_champion_a_promotion_says_that_none_was_in_service(retrainer, project):
    retrainer("models", "retire", "--why", "too many refunds", "--file", project.file)
    shown = retrainer("models", "promote", "1", "--why", "fixed", "--file", project.file)
    assert shown == "version 1 is in service now; none was before.\n"


@pytest.mark.parametrize("command", [("promote", "1"), ("rollback",)])
def test_an_empty_reason_changes_nothing(project, command):
    run = CliRunner().invoke(cli, ["models", *command, "--why", " ", "--file", project.file])
    assert (run.exit_code, "give the reason" in run.output) == (2, True)
    assert project.registry.version_of(CHAMPION) == 2


def test_a_broken_champion_can_be_retired(retrainer, project):
    write_json(f"{project.registry.uri}/versions/000002/version.json", {"format": 9})
    shown = retrainer("models", "list", "--file", project.file)
    assert "version 2 is incomplete and the champion: " in shown
    assert "has format 9" in shown
    shown = retrainer("models", "retire", "--file", project.file)
    assert "version 2 is no longer the champion" in shown


def test_a_rollback_puts_the_previous_champion_back_and_holds_the_other(retrainer, project):
    shown = retrainer("models", "rollback", "--why", "too many refunds", "--file", project.file)
    assert shown == (
        "version 1 is in service now, in place of version 2; version 2 is held: no run puts it into service again.\n"
    )
    assert project.registry.version_of(CHAMPION) == 1
    listed = json.loads(retrainer("models", "list", "--json", "--file", project.file))
    assert [(one["version"], one["champion"], one["held"]) for one in listed] == [
        (2, False, True),
        (1, True, False),
    ]
    with pytest.raises(RetrainerError, match=r"no version to go back to from version 1 .* --to"):
        retrainer("models", "rollback", "--why", "x", "--file", project.file)


def test_the_services_that_follow_are_named(retrainer, project, tmp_path):
    file = Path(project.file)
    text = file.read_text()
    assert "\nserving:" not in text
    file.write_text(text + "\nserving:\n  deploy:\n    tf_serving: {uri: serving}\n")
    command = ("models", "promote", "1", "--why", "a try", "--file", project.file)
    shown = retrainer(*command)
    assert f"To bring tf_serving there: retrainer deploy --file {project.file}" in shown


def test_promoting_a_held_version_lifts_its_hold(retrainer, project):
    retrainer("models", "rollback", "--why", "too many refunds", "--file", project.file)
    command = ("models", "promote", "2", "--why", "it was the upstream", "--file", project.file)
    shown = json.loads(retrainer(*command, "--json"))
    assert (shown["version"], shown["previous"], shown["lifted"]["why"]) == (
        2,
        1,
        "too many refunds",
    )
    assert project.registry.alias(CHAMPION).newest().held == ()
    with pytest.raises(RetrainerError, match=r"version 2 is the champion of .* already"):
        retrainer(*command)


def test_what_is_known_of_a_version_is_shown(retrainer, project):
    retrainer("models", "rollback", "--why", "too many refunds", "--file", project.file)
    shown = retrainer("models", "show", "2", "--file", project.file)
    assert "version 2  held" in shown
    assert "(too many refunds)" in shown
    assert "code digest      not recorded" in shown
    assert "metrics  not recorded" in shown
    assert "rolled back to version 1 by " in shown
    with pytest.raises(RetrainerError, match="version 2 has no model card"):
        retrainer("models", "show", "2", "--card", "--file", project.file)
    page = f"{project.registry.version_uri(2)}/model_card.html"
    write_json(page, "a page")
    assert retrainer("models", "show", "2", "--card", "--file", project.file) == f"{page}\n"
    shown = json.loads(retrainer("models", "show", "champion", "--json", "--file", project.file))
    assert (shown["version"], shown["champion"], shown["uses"]) == (1, True, ["it is the champion"])
    assert [(one["action"], one["version"]) for one in shown["history"]] == [
        ("rollback", 1),
        ("push", 2),
        ("push", 1),
    ]


def test_what_is_in_use_is_not_deleted_and_the_rest_is_for_good(retrainer, project):
    with pytest.raises(RetrainerError, match="version 2 can't be deleted: it is the champion"):
        retrainer("models", "delete", "2", "--yes", "--file", project.file)
    with pytest.raises(RetrainerError, match="a rollback of the champion goes back to it"):
        retrainer("models", "delete", "1", "--yes", "--file", project.file)
    retrainer("models", "rollback", "--why", "too many refunds", "--file", project.file)
    result = CliRunner().invoke(cli, ["models", "delete", "2", "--file", project.file])
    assert "version 2 can be deleted; add --yes" in result.output
    assert result.exit_code == 2
    retrainer("models", "delete", "2", "--yes", "--why", "size", "--file", project.file)
    assert [one.version for one in project.registry.versions()] == [1]
    with pytest.raises(RetrainerError, match=r"version 2 of .* was deleted by .*\(size\)"):
        retrainer("models", "show", "2", "--file", project.file)
    with pytest.raises(RetrainerError, match=r"was deleted by .* already"):
        retrainer("models", "delete", "2", "--yes", "--file", project.file)
    for more in ((), ("--yes",)):
        with pytest.raises(RetrainerError, match=r"no version 9 .*\(there are: 1\)"):
            retrainer("models", "delete", "9", *more, "--file", project.file)


def test_a_version_is_a_number_or_the_champion(retrainer, project):
    result = CliRunner().invoke(cli, ["models", "show", "newest", "--file", project.file])
    assert "'newest' is neither a version's number nor 'champion'" in result.output
    assert result.exit_code == 2
    retrainer("models", "retire", "--file", project.file)
    with pytest.raises(RetrainerError, match="no model is in service in"):
        retrainer("models", "show", "champion", "--file", project.file)
    with pytest.raises(RetrainerError, match=r"no model is in service .* models promote VERSION"):
        retrainer("models", "rollback", "--why", "x", "--file", project.file)


def test_every_unused_version_is_deleted_but_for_the_newest(retrainer, project, tmp_path):
    for number in (3, 4, 5):
        project.registry.add(str(tmp_path / "model"), f"d{number}", {})
    # Version 2 is the champion, 1 what a rollback goes back to.
    command = ("models", "delete", "--unused", "--keep", "1", "--file", project.file)
    asked = CliRunner().invoke(cli, list(command))
    assert "version 3, 4 can be deleted; add --yes" in asked.output
    assert json.loads(retrainer(*command, "--yes", "--json"))["deleted"] == [3, 4]
    assert [one.version for one in project.registry.versions()] == [1, 2, 5]
    assert retrainer(*command, "--yes") == "no version to delete\n"
    for arguments in ([], ["1", "--unused"]):
        wrong = CliRunner().invoke(cli, ["models", "delete", *arguments, "--file", project.file])
        assert "name either a version or --unused" in wrong.output


def test_a_version_that_waits_is_approved_or_refused(retrainer, project, tmp_path):
    model = tmp_path / "model"
    for number in (3, 4):
        project.registry.add(str(model), f"d{number}", {"run": f"run-{number}"})
        ask(project.registry, number, 2, f"run-{number}")
    rows = [
        line.split() for line in retrainer("models", "list", "--file", project.file).splitlines()
    ]
    assert [row[:2] for row in rows[1:3]] == [["4", "pending"], ["3", "pending"]]
    shown = retrainer("models", "refuse", "4", "--why", "too slow", "--file", project.file)
    assert shown == "version 4 is refused; no run puts this model into service.\n"
    assert "refused by" in retrainer("models", "show", "4", "--file", project.file)
    shown = retrainer("models", "approve", "3", "--file", project.file)
    assert shown.startswith("version 3 is in service now, in place of version 2.")
    assert project.registry.version_of(CHAMPION) == 3
    with pytest.raises(RetrainerError, match="is the champion already"):
        approve_version(project.store, 3, "")
