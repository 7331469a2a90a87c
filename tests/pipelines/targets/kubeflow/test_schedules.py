import dataclasses
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
import yaml
from servers.kubeflow import SMALL_PIPELINE, KubeflowServer

from retrainer.components.lib.errors import RetrainerError
from retrainer.pipelines.definitions.compiled import Pipeline
from retrainer.pipelines.project.sections.targets import KubeflowConfig
from retrainer.pipelines.targets.errors import RefusedError, UnavailableError
from retrainer.pipelines.targets.kubeflow.target import KubeflowTarget
from retrainer.pipelines.targets.types import RemoteState, ScheduleRequest, ScheduleState

NOW, DAY = datetime.now(UTC).replace(microsecond=0), timedelta(days=1)
NIGHTLY = ScheduleRequest("nightly", "30 6 * * 1-5", parameters={"span": "latest"})
LATER = ScheduleRequest("nightly", "45 7 * * 1-5")
PATH = "/apis/v2beta1/recurringruns"
# Where a replacement can break off: in making the new one, switching the old one off and the new one on, and deleting.
STEPS = [
    {"method": "POST", "path": "/recurringruns$"},
    {"method": "POST", "path": ":disable$"},
    {"method": "POST", "path": ":enable$"},
    {"method": "DELETE"},
]


@pytest.fixture
def server():
    with KubeflowServer() as server:
        yield server


@pytest.fixture
def target(server):
    return make(server)


def make(server, name="orders", deadline_seconds=20.0, **config):
    text = SMALL_PIPELINE.replace("name: orders", f"name: {name}")
    pipeline = Pipeline(name, text, next(iter(yaml.safe_load_all(text))))
    return KubeflowTarget(KubeflowConfig(host=server.url, **config), pipeline, deadline_seconds)


def changes(server):
    """Return what was sent to change recurring runs, in order, with a letter for each id."""
    letters = {}
    changes = []
    for its in server.requests:
        if its.method == "GET" or "/recurringruns" not in its.path:
            continue
        name, _, verb = its.path.removeprefix(PATH).strip("/").partition(":")
        letter = letters.setdefault(name, chr(ord("a") + len(letters))) if name else ""
        changes.append(f"{verb or its.method} {letter}".strip())
    return changes


def test_a_schedule_arrives_with_everything_that_was_asked_for(server):
    target = make(
        server, experiment="retraining", pipeline_root="s3://b/root", service_account="trainer"
    )
    described = target.describe_schedule(NIGHTLY)
    assert server.requests == []
    schedule = target.put_schedule(NIGHTLY)
    (body,) = [json.loads(its.body) for its in server.requests if its.path == PATH and its.body]
    spec, platform = yaml.safe_load_all(SMALL_PIPELINE)
    assert body == {
        "display_name": "nightly",
        "description": "retrainer",
        "experiment_id": server.experiments[0]["experiment_id"],
        "mode": "ENABLE",
        "pipeline_spec": {"pipeline_spec": spec, "platform_spec": platform},
        "runtime_config": {"parameters": {"span": "latest"}, "pipeline_root": "s3://b/root"},
        "service_account": "trainer",
        "max_concurrency": "1",
        "no_catchup": True,
        "trigger": {"cron_schedule": {"cron": "0 30 6 * * 1-5"}},
    }
    assert described["url"] == f"{server.url}{PATH}"
    assert described["body"] == {**body, "experiment_id": "<id of experiment 'retraining'>"}
    (its,) = server.recurring_runs
    assert schedule.reference == its["recurring_run_id"]
    assert schedule.url == f"{server.url}/#/recurringrun/details/{its['recurring_run_id']}"
    assert (schedule.name, schedule.cron, schedule.time_zone) == ("nightly", "30 6 * * 1-5", "UTC")
    assert (schedule.state, schedule.updated) == (ScheduleState.ACTIVE, False)


def test_catching_up_is_asked_for(server, target):
    target.put_schedule(ScheduleRequest("nightly", "30 6 * * *", catch_up=True))
    assert server.recurring_runs[0]["no_catchup"] is False


@pytest.mark.parametrize(
    ("cron", "zone", "says"),
    [
        (
            "30 6 * * *",
            "Europe/Berlin",
            "'Europe/Berlin', and Kubeflow Pipelines has none: .*UTC",
        ),
        ("30 6 * * *", "Berlin", "there is no time zone 'Berlin'"),
        ("0 30 6 * * *", "UTC", "has 6 fields and needs 5"),
    ],
)
def test_what_kubeflow_can_not_keep_is_refused_before_it_is_asked(server, target, cron, zone, says):
    request = ScheduleRequest("nightly", cron, zone)
    for ask in (target.put_schedule, target.describe_schedule):
        with pytest.raises(RetrainerError, match=says):
            ask(request)
    assert server.requests == []


def test_a_schedule_has_a_start_and_an_end(server, target):
    limited = dataclasses.replace(NIGHTLY, start=NOW + DAY, end=NOW + 2 * DAY)
    target.put_schedule(limited)
    clock = server.recurring_runs[0]["trigger"]["cron_schedule"]
    assert datetime.fromisoformat(clock["start_time"]) == NOW + DAY
    (listed,) = target.list_schedules()
    assert (listed.start, listed.end) == (NOW + DAY, NOW + 2 * DAY)
    assert listed.state == ScheduleState.ACTIVE
    clock["end_time"] = (NOW - DAY).isoformat()
    assert target.list_schedules()[0].state == ScheduleState.ENDED


def test_a_start_that_has_passed_makes_nothing_up_unless_that_is_asked_for(server, target):
    past = dataclasses.replace(NIGHTLY, start=NOW - DAY)
    target.put_schedule(past)
    assert "start_time" not in server.recurring_runs[0]["trigger"]["cron_schedule"]
    target.put_schedule(dataclasses.replace(past, catch_up=True))
    assert "start_time" in server.recurring_runs[0]["trigger"]["cron_schedule"]


def test_a_resumed_schedule_makes_nothing_up_since_its_start(server, target):
    target.put_schedule(dataclasses.replace(NIGHTLY, start=NOW + DAY, end=NOW + 2 * DAY))
    target.pause_schedule("nightly")
    server.recurring_runs[0]["trigger"]["cron_schedule"]["start_time"] = (NOW - DAY).isoformat()
    target.resume_schedule("nightly")
    clock = server.recurring_runs[0]["trigger"]["cron_schedule"]
    assert "start_time" not in clock
    assert datetime.fromisoformat(clock["end_time"]) == NOW + 2 * DAY


def test_a_number_of_runs_is_refused_with_the_reason(server, target):
    with pytest.raises(RetrainerError, match=r"counts no runs of a schedule\. Give it an end"):
        target.put_schedule(dataclasses.replace(NIGHTLY, max_runs=5))
    assert server.requests == []


def test_what_a_schedule_was_made_of_stays_with_it(server, target):
    made = dataclasses.replace(NIGHTLY, digest="0123456789ab", applied=True)
    target.put_schedule(made)
    target.pause_schedule("nightly")
    target.put_schedule(dataclasses.replace(made, cron="0 0 * * *"))
    for state in (ScheduleState.PAUSED, ScheduleState.ACTIVE):
        (listed,) = target.list_schedules()
        assert (listed.digest, listed.applied, listed.state) == ("0123456789ab", True, state)
        target.resume_schedule("nightly")


def test_utc_may_be_said_by_its_other_name(target):
    request = ScheduleRequest("nightly", "30 6 * * *", "Etc/UTC")
    assert target.put_schedule(request).time_zone == "UTC"


def test_a_changed_schedule_replaces_the_old_one_and_two_are_never_on(server, target):
    first = target.put_schedule(NIGHTLY)
    server.requests.clear()
    second = make(server).put_schedule(LATER)
    assert changes(server) == ["POST", "disable a", "enable b", "DELETE a"]
    (its,) = server.recurring_runs
    assert its["trigger"]["cron_schedule"]["cron"] == "0 45 7 * * 1-5"
    assert its["mode"] == "ENABLE"
    assert (second.updated, second.cron, second.state) == (
        True,
        "45 7 * * 1-5",
        ScheduleState.ACTIVE,
    )
    assert second.reference == its["recurring_run_id"] != first.reference


def test_a_change_that_is_refused_leaves_the_old_schedule_on(server, target):
    target.put_schedule(NIGHTLY)
    with pytest.raises(RefusedError, match="parameter spam is not defined"):
        target.put_schedule(ScheduleRequest("nightly", "0 0 * * *", parameters={"spam": "1"}))
    assert [its["mode"] for its in server.recurring_runs] == ["ENABLE"]


def test_a_changed_schedule_stays_paused(server, target):
    target.put_schedule(NIGHTLY)
    target.pause_schedule("nightly")
    assert target.put_schedule(LATER).state == ScheduleState.PAUSED
    assert [its["mode"] for its in server.recurring_runs] == ["DISABLE"]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("paused", [False, True])
def test_a_change_that_breaks_off_anywhere_is_fixed_by_the_next(server, target, step, paused):
    target.put_schedule(NIGHTLY)
    if paused:
        target.pause_schedule("nightly")
    # The service counts seconds: of two that were made in the same one it is unknown which is older.
    server.recurring_runs[0]["created_at"] = "2026-01-01T00:00:00Z"
    server.fail_next(status=400, **step)
    # A paused schedule's replacement switches nothing.
    if not paused or "able" not in step.get("path", ""):
        with pytest.raises(RefusedError, match="fails on demand"):
            target.put_schedule(LATER)
        assert sum(its["mode"] == "ENABLE" for its in server.recurring_runs) <= 1
        assert len(target.list_schedules()) == 1
    schedule = make(server).put_schedule(LATER)
    assert schedule.state == (ScheduleState.PAUSED if paused else ScheduleState.ACTIVE)
    (its,) = server.recurring_runs
    assert its["recurring_run_id"] == schedule.reference
    assert its["trigger"]["cron_schedule"]["cron"] == "0 45 7 * * 1-5"
    assert its["mode"] == ("DISABLE" if paused else "ENABLE")


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("fault", [{"status": 0, "after": True}, {"status": 503}])
def test_a_change_whose_replies_are_lost_leaves_one_schedule(server, target, step, fault):
    target.put_schedule(NIGHTLY)
    server.fail_next(**fault, **step)
    schedule = target.put_schedule(LATER)
    (its,) = server.recurring_runs
    assert (its["recurring_run_id"], its["mode"]) == (schedule.reference, "ENABLE")


def test_a_first_schedule_whose_reply_is_lost_is_there_once(server, target):
    server.fail_next(status=0, after=True, **STEPS[0])
    schedule = target.put_schedule(NIGHTLY)
    assert schedule.state == ScheduleState.ACTIVE
    # What the lost attempt left is not a schedule that was there before.
    assert not schedule.updated
    assert [its["mode"] for its in server.recurring_runs] == ["ENABLE"]


class Meddled(KubeflowServer):
    """Somebody else deletes the oldest recurring run just before one is switched off."""

    meddling = False

    async def _disable(self, request):
        if self.meddling:
            self.meddling = False
            del self.recurring_runs[0]
        return await super()._disable(request)


def test_a_schedule_that_somebody_else_deletes_meanwhile_is_there_once():
    with Meddled() as server:
        target = make(server)
        target.put_schedule(NIGHTLY)
        server.meddling = True
        assert target.put_schedule(LATER).state == ScheduleState.ACTIVE
        (its,) = server.recurring_runs
        assert its["mode"] == "ENABLE"
        server.meddling = True
        with pytest.raises(RefusedError, match="there is no schedule 'nightly'"):
            target.pause_schedule("nightly")


@pytest.mark.parametrize("existing", [False, True])
def test_a_schedule_that_several_put_at_once_is_there_once(server, existing):
    if existing:
        make(server).put_schedule(NIGHTLY)
    targets = [make(server) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda its: its.put_schedule(LATER), targets))
    assert [its["mode"] for its in server.recurring_runs] == ["ENABLE"]


def test_schedules_are_listed_by_name_and_only_this_pipelines(server, target):
    assert target.list_schedules() == []
    assert server.experiments == []
    target.put_schedule(ScheduleRequest("weekly", "0 0 * * 0"))
    target.put_schedule(NIGHTLY)
    target.pause_schedule("weekly")
    make(server, name="returns", experiment="orders").put_schedule(NIGHTLY)
    assert [(its.name, its.state) for its in target.list_schedules()] == [
        ("nightly", ScheduleState.ACTIVE),
        ("weekly", ScheduleState.PAUSED),
    ]


def test_more_schedules_than_a_page_holds_are_all_listed(server, target):
    target.put_schedule(NIGHTLY)
    server.recurring_runs = [
        {**server.recurring_runs[0], "display_name": f"s-{n}", "recurring_run_id": str(n)}
        for n in range(150)
    ]
    assert len(target.list_schedules()) == 150


def test_another_pipelines_schedule_of_that_name_is_left_alone(server, target):
    other = make(server, name="returns", experiment="orders")
    kept = other.put_schedule(NIGHTLY)
    for change in (target.pause_schedule, target.delete_schedule):
        with pytest.raises(RefusedError, match="no schedule 'nightly' of pipeline 'orders'"):
            change("nightly")
    target.put_schedule(LATER)
    assert other.list_schedules() == [kept]


def test_a_recurring_run_that_people_made_is_shown_as_it_is(server, target):
    target.put_schedule(NIGHTLY)
    its = server.recurring_runs[0]
    by_hand = {**its, "recurring_run_id": "x", "display_name": "by hand"}
    by_hand["trigger"] = {"cron_schedule": {"cron": "30 0 6 * * *"}}
    of_a_version = {**its, "recurring_run_id": "y", "display_name": "of a version"}
    del of_a_version["pipeline_spec"]
    periodic = {**its, "recurring_run_id": "z", "display_name": "hourly"}
    periodic["trigger"] = {"periodic_schedule": {"interval_second": "3600"}}
    server.recurring_runs += [by_hand, of_a_version, periodic]
    assert [(its.name, its.cron) for its in target.list_schedules()] == [
        ("by hand", "30 0 6 * * *"),
        ("nightly", "30 6 * * 1-5"),
    ]


def test_a_schedule_is_paused_once_and_for_all(server, target):
    target.put_schedule(NIGHTLY)
    assert target.pause_schedule("nightly").state == ScheduleState.PAUSED
    assert server.recurring_runs[0]["mode"] == "DISABLE"
    server.requests.clear()
    assert target.pause_schedule("nightly").state == ScheduleState.PAUSED
    assert changes(server) == []


def test_a_resumed_schedule_has_missed_nothing(server, target):
    target.put_schedule(ScheduleRequest("nightly", "30 6 * * *", catch_up=True))
    before = dict(server.recurring_runs[0])
    target.pause_schedule("nightly")
    schedule = target.resume_schedule("nightly")
    assert schedule.state == ScheduleState.ACTIVE
    (its,) = server.recurring_runs
    # Kubeflow would start what the old one missed.
    assert its["recurring_run_id"] == schedule.reference != before["recurring_run_id"]
    assert (its["mode"], its["no_catchup"]) == ("ENABLE", True)
    for key in ("pipeline_spec", "runtime_config", "trigger", "max_concurrency", "experiment_id"):
        assert its[key] == before[key]


def test_a_schedule_that_catches_up_is_resumed_as_it_is(server, target):
    made = target.put_schedule(ScheduleRequest("nightly", "30 6 * * *", catch_up=True))
    target.pause_schedule("nightly")
    assert target.resume_schedule("nightly", catch_up=True) == made
    assert server.recurring_runs[0]["mode"] == "ENABLE"


def test_a_schedule_that_was_made_without_it_can_not_catch_up(server, target):
    target.put_schedule(NIGHTLY)
    target.pause_schedule("nightly")
    with pytest.raises(RefusedError, match=r"'nightly' was made without catch_up.*can't change"):
        target.resume_schedule("nightly", catch_up=True)
    assert server.recurring_runs[0]["mode"] == "DISABLE"


def test_an_active_schedule_is_left_as_it_is_by_resuming(server, target):
    made = target.put_schedule(NIGHTLY)
    server.requests.clear()
    assert target.resume_schedule("nightly") == made
    assert changes(server) == []


@pytest.mark.parametrize("verb", ["pause_schedule", "resume_schedule", "delete_schedule"])
def test_a_schedule_that_is_not_there_is_named(target, verb):
    with pytest.raises(
        RefusedError, match="there is no schedule 'nightly' of pipeline 'orders' in"
    ):
        getattr(target, verb)("nightly")


def test_a_deleted_schedule_is_gone_and_may_be_made_again(server, target):
    target.put_schedule(NIGHTLY)
    target.delete_schedule("nightly")
    assert server.recurring_runs == []
    assert not target.put_schedule(NIGHTLY).updated


def test_a_deletion_whose_reply_is_lost_is_no_error(server, target):
    target.put_schedule(NIGHTLY)
    server.fail_next(status=0, after=True, method="DELETE")
    target.delete_schedule("nightly")
    assert server.recurring_runs == []


def test_a_service_that_stays_away_is_given_up(server):
    target = make(server, deadline_seconds=0.4)
    server.down = True
    for ask in (
        lambda: target.put_schedule(NIGHTLY),
        lambda: target.pause_schedule("nightly"),
        lambda: target.resume_schedule("nightly"),
        lambda: target.delete_schedule("nightly"),
    ):
        with pytest.raises(UnavailableError, match=r"Tried for 0.4 s"):
            ask()


def test_a_run_that_a_schedule_started_is_followed_and_is_no_run_of_the_schedules_name(
    server, target
):
    target.put_schedule(NIGHTLY)
    run = server.fire(server.recurring_runs[0])
    assert run["display_name"] != NIGHTLY.name
    assert target.find(NIGHTLY.name) is None
    found = target.find(run["display_name"])
    server.advance(run, "")
    assert target.status(found).state == RemoteState.PENDING
    server.advance(run, "SUCCEEDED")
    assert target.status(found).state == RemoteState.SUCCEEDED
