"""What a push does when the champion changed while the model was judged."""

import json
from datetime import UTC, datetime

import pytest

from retrainer.components.lib.digests import digest_folder
from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.monitoring.incident import Detection, Group
from retrainer.components.lib.monitoring.incident_records import IncidentRecords
from retrainer.components.lib.registry.promotions import roll_back
from retrainer.components.lib.registry.registry import Registry
from retrainer.components.lib.runs.run_records import RunKey
from retrainer.components.lib.runs.run_traces import read_run
from retrainer.components.lib.verdicts import Blessing, Champion
from retrainer.components.push_model.task import RunNames, push_or_pass_on


class Run:
    """A run with a model, its blessing, and a store."""

    def __init__(self, folder, name):
        self.folder, self.name, self.store = folder / name, name, str(folder / "store")
        self.model = str(self.folder / "model")
        (self.folder / "model").mkdir(parents=True)
        (self.folder / "model" / "saved_model.pb").write_text(name)
        self.pushes = 0

    def judge(self, champion):
        digest = digest_folder(self.model)
        Blessing(True, (), f"blessed: as {self.name}", digest, champion).write(
            str(self.folder / "blessing")
        )

    def push(self, **more):
        self.pushes += 1
        self.pushed = str(self.folder / f"pushed-{self.pushes}")
        self.next = str(self.folder / f"next-{self.pushes}")
        return push_or_pass_on(
            self.model,
            str(self.folder / "blessing"),
            None,
            self.store,
            self.pushed,
            self.next,
            RunNames(self.name),
            **more,
        )

    @property
    def trace(self):
        return read_run(self.store, RunKey(self.name, self.name))


@pytest.fixture
def two(tmp_path):
    """Two runs that judged their models when there was no champion; the other one has pushed."""
    mine, other = Run(tmp_path, "mine"), Run(tmp_path, "other")
    mine.judge(None)
    other.judge(None)
    assert other.push() == "pushed as version 1: as other"
    return mine, other


def champion(run):
    found = Registry(f"{run.store}/models").resolve("champion")
    return found.version if found else None


def test_without_the_setting_the_run_fails_and_says_what_to_do(two):
    mine, _ = two
    with pytest.raises(
        RetrainerError, match="compared with no champion, and 'champion' points at"
    ) as error:
        mine.push()
    assert "evaluation.champion_changed: judge_again" in str(error.value)
    assert champion(mine) == 1


def test_with_it_the_model_is_pushed_after_it_was_judged_again(two):
    mine, _ = two
    verdict = mine.push(champion_changed="judge_again")
    assert verdict.startswith("judged again: the champion changed while this model was judged")
    assert champion(mine) == 1
    # The run goes on, so it has no outcome yet.
    assert mine.trace.outcome == "open"
    against = Champion.read(mine.next)
    assert (against.version, against.settled) == (1, "")
    assert against.digest == Registry(f"{mine.store}/models").get(1).digest

    first = mine.pushed
    mine.judge(against.version)
    assert mine.push(earlier=first) == "pushed as version 2, in place of version 1: as mine"
    assert champion(mine) == 2
    assert mine.trace.outcome == "pushed"
    assert Champion.read(mine.next).settled


def test_a_champion_that_changes_once_more_fails_the_run(two, tmp_path):
    mine, _ = two
    mine.push(champion_changed="judge_again")
    third = Run(tmp_path, "third")
    third.judge(1)
    third.push()
    mine.judge(1)
    with pytest.raises(RetrainerError, match="compared with version 1, and 'champion' points at"):
        mine.push(earlier=mine.pushed)
    # Its model has the number 2, and no alias.
    assert champion(mine) == 3


@pytest.mark.parametrize("blessed", [True, False])
def test_what_the_first_push_settled_is_passed_on(tmp_path, blessed):
    run = Run(tmp_path, "mine")
    run.judge(None)
    if not blessed:
        refusal = Blessing(False, ("too low",), "refused: too low", digest_folder(run.model), None)
        refusal.write(str(run.folder / "blessing"))
    verdict = run.push(champion_changed="judge_again")
    assert Champion.read(run.next).settled == verdict
    record = run.trace.tasks["push_model"]
    assert record.notes.get("reasons") == (None if blessed else ["not_blessed"])
    first = run.pushed

    # The second blessing is of no model: were it read, the push would fail.
    Blessing(False, (), "refused: not needed", "", None).write(str(run.folder / "blessing"))
    assert run.push(earlier=first) == verdict
    assert champion(run) == (1 if blessed else None)
    assert run.trace.tasks["push_model"] == record
    content = json.loads((run.folder / "pushed-2" / "pushed.json").read_text())
    assert content["pushed"] is blessed


def test_a_champion_that_was_retired_meanwhile_is_judged_against_nothing(two):
    mine, _ = two
    mine.judge(1)
    Registry(f"{mine.store}/models").move_alias("champion", None, 1, {})
    mine.push(champion_changed="judge_again")
    assert not Champion.read(mine.next).exists
    mine.judge(None)
    assert mine.push(earlier=mine.pushed) == "pushed as version 2: as mine"


def test_a_run_that_the_service_does_not_name_has_no_name_in_the_registry(tmp_path):
    # Kubeflow Pipelines before 2.5 hands kfp's placeholder on.
    run = Run(tmp_path, "mine")
    run.name = "{{$.pipeline_job_name}}"
    run.judge(None)
    run.push()
    assert Registry(f"{run.store}/models").resolve("champion").info["run"] == ""


def test_another_setting_is_refused(two):
    with pytest.raises(
        RetrainerError, match="champion_changed is 'retry'; it must be fail or judge"
    ):
        two[0].push(champion_changed="retry")


def test_another_model_of_a_run_that_was_rolled_back_is_held_and_a_run_of_the_same_name_is_not(two):
    mine, _ = two
    registry = Registry(f"{mine.store}/models")
    registry.move_alias("champion", None, 1, {})
    assert mine.push() == "pushed as version 2: as mine"
    roll_back(registry, {"by": "ann", "why": "too many refunds"}, to=1)

    def change_and_push(name, uuid):
        (mine.folder / "model" / "saved_model.pb").write_text(name)
        mine.judge(1)
        mine.pushes += 1
        return push_or_pass_on(
            mine.model,
            str(mine.folder / "blessing"),
            None,
            mine.store,
            str(mine.folder / f"pushed-{mine.pushes}"),
            str(mine.folder / f"next-{mine.pushes}"),
            RunNames(mine.name, uuid=uuid),
        )

    verdict = change_and_push("again", "")
    assert "version 2 was rolled back by ann" in verdict
    assert "so this model, of the same run or an equal training, is held" in verdict
    assert change_and_push("another", "job-2").startswith("pushed as version 3")


def test_the_version_names_the_incident_that_its_run_was_started_for(tmp_path):
    run = Run(tmp_path, "orders-v1-model-1-0123456789ab")
    found = Detection("estimated_quality/auc", "7", "AUC is bad.")
    incident = IncidentRecords(run.store).open(Group.MODEL, 1, [found], datetime.now(UTC))
    run.judge(None)
    run.push()
    registry = Registry(f"{run.store}/models")
    assert registry.get(1).info["incident"] == incident.id


def test_the_version_of_another_run_names_none(tmp_path):
    run = Run(tmp_path, "orders-20261126")
    run.judge(None)
    run.push()
    assert "incident" not in Registry(f"{run.store}/models").get(1).info
