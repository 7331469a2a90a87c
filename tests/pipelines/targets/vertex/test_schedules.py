import dataclasses
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, urlsplit

import pytest
from google.protobuf import json_format
from servers.vertex import PARENT, VertexServer
from servers.vertex_cases import FULL, bodies, compiled, open_target

from retrainer.components.lib.errors import RetrainerError
from retrainer.pipelines.project.formats.names import check_labels
from retrainer.pipelines.targets.errors import RefusedError, UnavailableError
from retrainer.pipelines.targets.types import ScheduleRequest, ScheduleState
from retrainer.pipelines.targets.vertex.requests import label_of

NOW, DAY = datetime.now(UTC).replace(microsecond=0), timedelta(days=1)
NIGHTLY = ScheduleRequest("nightly", "30 2 * * 1-5", "Europe/Berlin")


@pytest.fixture
def server():
    with VertexServer() as running:
        yield running


def test_a_schedule_starts_the_same_job_as_a_run_and_one_at_a_time(server):
    done = open_target(server, **FULL).put_schedule(NIGHTLY)
    (schedule,) = server.schedules.values()
    assert schedule.display_name == "nightly"
    assert schedule.cron == "TZ=Europe/Berlin 30 2 * * 1-5"
    assert schedule.max_concurrent_run_count == 1
    assert schedule.max_concurrent_active_run_count == 1
    assert not schedule.allow_queueing
    request = schedule.create_pipeline_job_request
    # Each run gets an id of its own from the service.
    assert (request.parent, request.pipeline_job_id) == (PARENT, "")
    job = request.pipeline_job
    assert job.service_account == FULL["service_account"]
    assert job.network == FULL["network"]
    assert job.encryption_spec.kms_key_name == FULL["encryption_key"]
    assert list(job.reserved_ip_ranges) == ["ml-range"]
    # PIPELINE_FAILURE_POLICY_FAIL_FAST
    assert job.runtime_config.failure_policy == 2
    assert job.runtime_config.gcs_output_directory == "gs://acme-ml/root"
    assert dict(job.labels) == {**FULL["labels"], "retrainer-pipeline": compiled().name}
    assert json_format.MessageToDict(job.pipeline_spec) == json.loads(json.dumps(compiled().vertex))
    assert (done.name, done.cron, done.time_zone) == ("nightly", "30 2 * * 1-5", "Europe/Berlin")
    assert (done.state, done.updated) == (ScheduleState.ACTIVE, False)
    assert done.next_run is not None
    number = done.reference.rpartition("/")[2]
    assert done.url == (
        "https://console.cloud.google.com/vertex-ai/locations/europe-west1/pipelines/schedules/"
        f"{number}?project=acme-ml"
    )


def test_each_scheduled_run_finds_its_newest_span_unless_one_is_asked_for(server):
    target = open_target(server)
    target.put_schedule(NIGHTLY)
    (body,) = bodies(server.requests)
    job = body["createPipelineJobRequest"]["pipelineJob"]
    assert "parameterValues" not in job["runtimeConfig"]
    target.put_schedule(dataclasses.replace(NIGHTLY, parameters={"span": "7"}))
    (body,) = bodies(server.requests, "PATCH")
    job = body["createPipelineJobRequest"]["pipelineJob"]
    assert job["runtimeConfig"]["parameterValues"] == {"span": "7"}


def test_creating_a_schedule_again_changes_it(server):
    first = open_target(server, **FULL).put_schedule(
        dataclasses.replace(NIGHTLY, parameters={"span": "7"})
    )
    changed = ScheduleRequest("nightly", "0 6 * * *", "UTC")
    second = open_target(server, pipeline_root="gs://acme-ml/other").put_schedule(changed)
    assert second.updated
    assert second.reference == first.reference
    (schedule,) = server.schedules.values()
    job = schedule.create_pipeline_job_request.pipeline_job
    assert schedule.cron == "TZ=UTC 0 6 * * *"
    # What is no longer set is gone, too.
    assert job.runtime_config.gcs_output_directory == "gs://acme-ml/other"
    assert (job.service_account, dict(job.runtime_config.parameter_values)) == ("", {})


def test_the_dry_run_is_the_request_on_the_wire(server):
    target = open_target(server, **FULL)
    described = target.describe_schedule(NIGHTLY)
    assert server.requests == []
    target.put_schedule(NIGHTLY)
    sent = next(seen for seen in server.requests if seen.method == "POST")
    url = urlsplit(described["url"])
    assert described["method"] == sent.method
    assert f"{url.scheme}://{url.netloc}" == server.url
    assert (url.path, dict(parse_qsl(url.query))) == (sent.path, sent.query)
    assert described["body"] == json.loads(sent.body)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"cron": "0 6 * *"}, "has 4 fields"),
        ({"time_zone": "Berlin"}, "there is no time zone 'Berlin'"),
        ({"parameters": {"spam": "1"}}, "no parameter 'spam'"),
        ({"name": 'a" OR display_name="b'}, "can't be looked up"),
        ({"name": "every*"}, "can't be looked up"),
        ({"name": ""}, "takes 1 to 128"),
        ({"name": "n" * 129}, "takes 1 to 128"),
        ({"catch_up": True}, "retrainer schedule resume"),
    ],
)
def test_what_the_service_would_refuse_is_never_sent(server, changes, says):
    target, request = open_target(server), dataclasses.replace(NIGHTLY, **changes)
    for call in (target.put_schedule, target.describe_schedule):
        with pytest.raises(RetrainerError, match=says):
            call(request)
    assert server.requests == []


def test_a_schedule_whose_reply_got_lost_is_not_created_twice(server):
    server.fail_next(1, method="POST", status=0, after=True)
    done = open_target(server).put_schedule(NIGHTLY)
    assert len(server.schedules) == 1
    assert not done.updated


def test_a_schedule_that_is_created_while_the_request_times_out_is_not_created_twice(server):
    server.fail_next(1, method="POST", status=0, after=True, delay=1.5)
    open_target(server, deadline_seconds=2).put_schedule(NIGHTLY)
    assert len(server.schedules) == 1


def test_a_busy_service_is_asked_again(server):
    target = open_target(server)
    server.fail_next(2, status=429)
    target.put_schedule(NIGHTLY)
    server.fail_next(1, status=503)
    assert [one.name for one in target.list_schedules()] == ["nightly"]
    server.fail_next(1, status=503, method="POST", after=True)
    assert target.pause_schedule("nightly").state == ScheduleState.PAUSED
    server.fail_next(1, status=503, method="DELETE", after=True)
    target.delete_schedule("nightly")
    assert not server.schedules


def test_a_service_that_stays_down_is_reported_as_unavailable(server):
    server.down = True
    with pytest.raises(UnavailableError, match="schedule 'nightly': Vertex AI at http"):
        open_target(server, deadline_seconds=0.4).put_schedule(NIGHTLY)


def test_a_pipelines_schedules_are_listed_by_name_and_no_others(server):
    server.page_size = 2
    target = open_target(server)
    another = open_target(server, dataclasses.replace(compiled(), name="another"))
    for name in ("weekly", "nightly", "hourly"):
        target.put_schedule(dataclasses.replace(NIGHTLY, name=name))
    another.put_schedule(dataclasses.replace(NIGHTLY, name="another's"))
    assert [one.name for one in target.list_schedules()] == ["hourly", "nightly", "weekly"]
    assert [one.name for one in another.list_schedules()] == ["another's"]


def test_a_schedule_is_paused_and_resumed_as_often_as_one_likes(server):
    target = open_target(server)
    target.put_schedule(NIGHTLY)
    for _ in range(2):
        paused = target.pause_schedule("nightly")
        assert (paused.state, paused.next_run) == (ScheduleState.PAUSED, None)
    for _ in range(2):
        resumed = target.resume_schedule("nightly")
        assert resumed.state == ScheduleState.ACTIVE
    assert not next(iter(server.schedules.values())).catch_up


def test_missed_runs_are_made_up_for_on_resuming_if_asked(server):
    target = open_target(server)
    target.put_schedule(NIGHTLY)
    target.pause_schedule("nightly")
    target.resume_schedule("nightly", catch_up=True)
    assert next(iter(server.schedules.values())).catch_up


def test_a_changed_schedule_stays_paused(server):
    target = open_target(server)
    target.put_schedule(NIGHTLY)
    target.pause_schedule("nightly")
    changed = target.put_schedule(dataclasses.replace(NIGHTLY, cron="0 6 * * *"))
    assert (changed.state, changed.cron) == (ScheduleState.PAUSED, "0 6 * * *")


def test_a_name_that_no_schedule_has_is_refused_with_those_there_are(server):
    target = open_target(server)
    calls = (target.pause_schedule, target.resume_schedule, target.delete_schedule)
    for call in calls:
        with pytest.raises(RefusedError, match="no schedule 'daily'; this pipeline has none yet"):
            call("daily")
    target.put_schedule(NIGHTLY)
    for call in calls:
        with pytest.raises(RefusedError, match="no schedule 'daily'; there is nightly"):
            call("daily")
    assert len(server.schedules) == 1


def test_another_pipelines_schedule_is_left_alone(server):
    open_target(server, dataclasses.replace(compiled(), name="another")).put_schedule(NIGHTLY)
    target = open_target(server)
    calls = (
        lambda: target.put_schedule(dataclasses.replace(NIGHTLY, cron="0 6 * * *")),
        lambda: target.pause_schedule("nightly"),
        lambda: target.delete_schedule("nightly"),
    )
    for call in calls:
        with pytest.raises(RefusedError, match=r"'nightly' is not of this pipeline \(https://"):
            call()
    (schedule,) = server.schedules.values()
    assert schedule.cron == "TZ=Europe/Berlin 30 2 * * 1-5"


def test_several_schedules_of_one_name_are_refused_and_named(server):
    target = open_target(server)
    done = target.put_schedule(NIGHTLY)
    (number, schedule), twin = next(iter(server.schedules.items())), "999"
    server.schedules[twin] = type(schedule)()
    server.schedules[twin].CopyFrom(schedule)
    server.schedules[twin].name = f"{PARENT}/schedules/{twin}"
    with pytest.raises(RefusedError, match="there are 2 schedules 'nightly'") as got:
        target.put_schedule(NIGHTLY)
    assert done.url in str(got.value)
    assert done.url.replace(number, twin) in str(got.value)


def test_a_deleted_schedule_is_gone(server):
    target = open_target(server)
    target.put_schedule(NIGHTLY)
    target.delete_schedule("nightly")
    assert target.list_schedules() == []


def test_a_schedule_that_has_ended_is_replaced_by_the_next(server):
    target = open_target(server)
    first = target.put_schedule(NIGHTLY)
    next(iter(server.schedules.values())).state = 3
    assert target.list_schedules()[0].state == ScheduleState.ENDED
    # The reply to the second one's creation gets lost.
    server.fail_next(after=True, method="POST", path="schedules$")
    second = target.put_schedule(NIGHTLY)
    assert second.updated
    assert second.reference != first.reference
    assert [one.state for one in target.list_schedules()] == [ScheduleState.ACTIVE]


def test_a_schedule_has_a_start_an_end_and_a_number_of_runs(server):
    start = NOW + timedelta(days=1)
    target = open_target(server)
    limited = dataclasses.replace(NIGHTLY, start=start, end=start + DAY, max_runs=5)
    target.put_schedule(limited)
    (body,) = bodies(server.requests)
    assert body["startTime"] == f"{start:%Y-%m-%dT%H:%M:%SZ}"
    assert body["maxRunCount"] == "5"
    (listed,) = target.list_schedules()
    assert (listed.start, listed.end, listed.max_runs, listed.runs) == (start, start + DAY, 5, 0)
    target.put_schedule(dataclasses.replace(limited, end=start + 2 * DAY, max_runs=7))
    (listed,) = target.list_schedules()
    assert (listed.end, listed.max_runs) == (start + 2 * DAY, 7)


def test_a_start_that_has_passed_is_left_out_as_it_would_start_every_run_since(server):
    target = open_target(server)
    target.put_schedule(dataclasses.replace(NIGHTLY, start=NOW - DAY))
    (body,) = bodies(server.requests)
    assert "startTime" not in body


def test_a_start_that_is_removed_becomes_now(server):
    target = open_target(server)
    target.put_schedule(dataclasses.replace(NIGHTLY, start=NOW + DAY))
    target.put_schedule(NIGHTLY)
    assert target.list_schedules()[0].start < datetime.now(UTC) + timedelta(minutes=5)


@pytest.mark.parametrize(("limit", "key"), [({"end": 3}, "end"), ({"max_runs": 5}, "max_runs")])
def test_a_limit_that_the_service_keeps_is_named(server, limit, key):
    limit = {key: NOW + DAY} if key == "end" else limit
    target = open_target(server)
    target.put_schedule(dataclasses.replace(NIGHTLY, **limit))
    with pytest.raises(RefusedError, match=f"has '{key}', which Vertex AI can't remove"):
        target.put_schedule(NIGHTLY)


@pytest.mark.parametrize(
    ("end", "start", "says"),
    [(-1, None, "which has passed: no run would start"), (1, 2, "ends before")],
)
def test_a_schedule_that_starts_nothing_is_refused(server, end, start, says):
    times = {"end": NOW + end * DAY, "start": NOW + start * DAY if start else None}
    with pytest.raises(RetrainerError, match=says):
        open_target(server).put_schedule(dataclasses.replace(NIGHTLY, **times))
    assert server.requests == []


def test_schedules_of_other_tools_are_read_as_they_are(server):
    target = open_target(server)
    target.put_schedule(NIGHTLY)
    for cron, zone in {"CRON_TZ=Asia/Tokyo 0 6 * * *": "Asia/Tokyo", "0 6 * * *": "UTC"}.items():
        next(iter(server.schedules.values())).cron = cron
        (listed,) = target.list_schedules()
        assert (listed.cron, listed.time_zone) == ("0 6 * * *", zone)


def test_many_threads_list_at_once(server):
    target = open_target(server)
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda _: target.list_schedules(), range(16))) == [[]] * 16


def test_a_long_pipeline_name_makes_a_label_of_its_own():
    names = ["a" * 63, "a" * 64, "a" * 65, "a" * 50 + "-" * 20]
    labels = [label_of(name) for name in names]
    assert labels[0] == names[0]
    assert len(set(labels)) == len(names)
    for label in labels:
        check_labels({"retrainer-pipeline": label})
