from datetime import datetime, timedelta

import pytest
from pydantic import TypeAdapter, ValidationError
from servers.memory_target import MemoryTarget
from servers.trigger_messages import NOON, alertmanager, incident, message, written

from retrainer.components.lib.errors import RetrainerError
from retrainer.pipelines.project.sections.data import DataConfig
from retrainer.pipelines.project.sections.triggers import TRIGGER_KINDS, TriggerConfig
from retrainer.pipelines.triggers.dispatch import Dispatcher
from retrainer.pipelines.triggers.matching import Findings, Matcher
from retrainer.pipelines.triggers.types import Result

DAILY = "gs://acme/day={span:%Y-%m-%d}/*.parquet"


def find(message, pattern: str = DAILY, marker: str = "", **triggers: dict) -> Findings:
    configs = {name: TriggerConfig(**section) for name, section in triggers.items()}
    config = DataConfig(pattern=pattern, label="returned", marker=marker)
    return Matcher("orders", configs, config).find(message)


def test_an_object_of_a_span_causes_a_run_after_its_last_file():
    at = NOON + timedelta(seconds=61)
    (cause,) = find(
        written("day=2026-02-28/7.parquet", at),
        data={"kind": "storage", "coalesce_seconds": 60, "parameters": {"span": "{span}"}},
    ).causes
    assert (cause.trigger, cause.readable) == ("data", "2026-02-28")
    assert cause.parameters == {"span": "2026-02-28"}
    assert (cause.ready, cause.since) == (NOON + timedelta(seconds=121), at)
    assert cause.coalesce_seconds == 60


def test_objects_of_a_span_are_one_cause_whenever_they_come_and_other_spans_others():
    def key(name: str, at: datetime) -> str:
        found = find(written(name, at), data={"kind": "storage", "coalesce_seconds": 60})
        return found.causes[0].key

    first = key("day=2026-02-28/1.parquet", NOON)
    assert key("day=2026-02-28/2.parquet", NOON + timedelta(seconds=3600)) == first
    assert key("day=2026-02-27/2.parquet", NOON) != first


@pytest.mark.parametrize(
    ("trigger", "file", "marker"),
    [
        ({}, False, True),
        ({"pattern": DAILY.replace("*.parquet", "*.csv")}, False, True),
        # Its own setting, also that it has none, counts.
        ({"marker": "done"}, False, False),
        ({"marker": ""}, True, False),
        # Another folder is not what the data's marker completes.
        ({"pattern": "gs://acme/other/day={span:%Y-%m-%d}/*.parquet"}, False, False),
        ({"pattern": "gs://acme/{span:day=%Y-%m-%d}/*"}, True, True),
    ],
)
def test_the_datas_marker_is_a_triggers_own_unless_it_has_one(trigger, file, marker):
    def causes(name: str) -> bool:
        message = written(f"day=2026-02-28/{name}")
        found = find(message, marker="_SUCCESS", data={"kind": "storage", **trigger})
        return bool(found.causes)

    assert (causes("1.parquet"), causes("_SUCCESS")) == (file, marker)


def test_without_a_wait_each_moment_is_a_cause_of_its_own():
    at = NOON + timedelta(microseconds=1)
    configs = {"kind": "storage", "coalesce_seconds": 0}
    (one,) = find(written("day=2026-02-28/1.parquet", NOON), data=configs).causes
    (other,) = find(written("day=2026-02-28/1.parquet", at), data=configs).causes
    assert one.key != other.key
    assert (other.ready, other.since) == (at, at)


@pytest.mark.parametrize(
    "name",
    [
        "day=2026-02-28/sub/1.parquet",
        "day=2026-02-28/1.csv",
        "day=2026-02-30/1.parquet",
        "day=yesterday/1.parquet",
        "other/day=2026-02-28/1.parquet",
    ],
)
def test_objects_beside_the_pattern_are_nobodys_business(name):
    found = find(written(name), data={"kind": "storage"})
    assert (found.causes, found.invalid) == ([], [])
    assert found.reason == "no trigger matches it."


@pytest.mark.parametrize(
    "character", ["\t", "\n", "\x00", "\x80", "\u2028", "\udc80", "%", "#", "{", "日", "x" * 1100]
)
@pytest.mark.parametrize("kind", ["marked", "files"])
def test_an_object_that_no_trigger_listens_to_is_ignored_whatever_its_name(character, kind):
    trigger = {"kind": "storage", **({"marker": "_SUCCESS"} if kind == "marked" else {})}
    odd = {"objectGeneration": "new", "eventTime": "yesterday"}
    found = find(written(f"logs/{character}.txt", **odd), data=trigger)
    assert (found.causes, found.invalid) == ([], [])


def test_an_object_that_a_trigger_listens_to_is_checked():
    found = find(written("s-\t.csv"), "gs://acme/s-{span}.csv", data={"kind": "storage"})
    assert "control characters" in found.invalid[0][1]


def test_another_bucket_is_nobodys_business():
    message = written("day=2026-02-28/1.parquet", bucket="other")
    assert find(message, data={"kind": "storage"}).causes == []


def test_with_a_marker_only_the_marker_causes_a_run_and_each_generation_its_own():
    def causes(name: str, generation: int) -> list:
        message = written(name, generation=generation)
        return find(message, data={"kind": "storage", "marker": "_SUCCESS"}).causes

    assert causes("day=2026-02-28/1.parquet", 1) == []
    (one,), (other,) = causes("day=2026-02-28/_SUCCESS", 1), causes("day=2026-02-28/_SUCCESS", 2)
    assert one.key != other.key
    assert (one.ready, one.since, one.readable) == (NOON, None, "2026-02-28")


def test_a_marker_without_a_generation_is_permanently_invalid():
    found = find(
        written("day=2026-02-28/_SUCCESS", objectGeneration=""),
        data={"kind": "storage", "marker": "_SUCCESS"},
    )
    assert found.invalid == [("data", "the attribute 'objectGeneration' is missing.")]


def test_a_marker_can_name_the_span_itself():
    trigger = {"kind": "storage", "pattern": "gs://acme/s-{span}.csv", "marker": "s-{span}.done"}
    (cause,) = find(written("s-7.done"), data=trigger).causes
    assert cause.readable == "7"


@pytest.mark.parametrize("pattern", ["gs://acme/s-{span}.csv", "gs://acme/{span:%Y/%m/%d}.csv"])
def test_a_marker_that_names_no_span_is_refused_at_start(pattern):
    with pytest.raises(RetrainerError, match=r"triggers\.data\.marker is '_SUCCESS'"):
        find(message(), data={"kind": "storage", "pattern": pattern, "marker": "_SUCCESS"})


def test_a_marker_that_names_the_span_a_second_time_is_refused_with_the_fix():
    with pytest.raises(RetrainerError, match=r"leave \{span\} out of the marker"):
        find(message(), data={"kind": "storage", "pattern": DAILY, "marker": "{span}.done"})


def test_a_pattern_that_is_not_on_cloud_storage_is_refused_at_start():
    with pytest.raises(RetrainerError, match=r"'data' listens to Cloud Storage.*'/data/{span}"):
        find(message(), "/data/{span}.csv", data={"kind": "storage"})


def test_a_span_that_could_mean_something_else_is_permanently_invalid():
    found = find(written("s-{x}.csv"), "gs://acme/s-{span}.csv", data={"kind": "storage"})
    assert "must be one part of a path" in found.invalid[0][1]


def test_several_triggers_can_listen_to_one_message():
    found = find(
        written("day=2026-02-28/_SUCCESS"),
        marked={"kind": "storage", "marker": "_SUCCESS"},
        everything={"kind": "storage", "pattern": "gs://acme/day={span}/*"},
        elsewhere={"kind": "storage", "pattern": "gs://other/day={span}/*"},
    )
    assert {cause.trigger for cause in found.causes} == {"marked", "everything"}


def test_attributes_are_filtered_with_wildcards():
    trigger = {"kind": "request", "attributes": {"team": "sea*", "stage": "prod"}}
    assert find(message({}, team="search", stage="prod"), ask=trigger).causes
    assert not find(message({}, team="search", stage="product"), ask=trigger).causes
    assert not find(message({}, team="search"), ask=trigger).causes
    assert not find(message({}, team="ads", stage="prod", trigger="ask"), ask=trigger).causes


def test_a_request_sets_what_it_may_and_the_trigger_the_rest():
    defaults = {"store": "gs://a/s", "span": "6"}
    trigger = {"kind": "request", "allow": ["span"], "parameters": defaults}
    body = {"id": "q1", "pipeline": "orders", "parameters": {"span": "7"}, "reason": "late data"}
    (cause,) = find(message(body), ask=trigger).causes
    assert (cause.key, cause.readable) == ("q1", "q1")
    assert cause.parameters == {"span": "7", "store": "gs://a/s"}


@pytest.mark.parametrize("flag", [True, "true"])
def test_a_request_may_ask_for_an_older_span_where_that_is_allowed(flag):
    trigger = {"kind": "request", "allow": ["span", "allow_older"]}
    body = {"id": "q1", "parameters": {"span": "7", "allow_older": flag}}
    (cause,) = find(message(body), ask=trigger).causes
    assert cause.parameters == {"span": "7", "allow_older": "true"}
    found = find(message({"parameters": {"allow_older": "yes"}}), ask=trigger)
    assert "'allow_older' is 'yes', and must be true or false" in found.invalid[0][1]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"parameters": {"store": "gs://b"}}, "'store', and triggers.ask.allow has span"),
        ({"parameters": {"span": "../x"}}, "must be one part of a path"),
        (b"now!", "not JSON"),
    ],
)
def test_a_request_that_may_not_is_permanently_invalid(body, says):
    found = find(message(body), ask={"kind": "request", "allow": ["span"]})
    assert found.causes == []
    ((name, reason),) = found.invalid
    assert name == "ask"
    assert says in reason


def test_a_request_sets_its_span_over_that_of_the_trigger():
    trigger = {"kind": "request", "allow": ["span"], "parameters": {"span": "latest"}}
    (cause,) = find(message({"id": "q1", "parameters": {"span": "7"}}), ask=trigger).causes
    assert cause.parameters == {"span": "7"}


def test_a_request_for_another_pipeline_is_not_ours():
    found = find(message({"pipeline": "flights"}), ask={"kind": "request"})
    assert (found.causes, found.invalid) == ([], [])


def test_a_message_that_names_a_trigger_is_for_that_one_alone():
    triggers = {"ask": {"kind": "request"}, "say": {"kind": "request"}}
    (cause,) = find(message({}, trigger="say"), **triggers).causes
    assert cause.trigger == "say"
    found = find(message({}, trigger="other"), **triggers)
    assert (found.causes, found.invalid) == ([], [])
    assert "'other', which retrain.yaml does not have" in found.reason


@pytest.mark.parametrize(
    ("kind", "says"), [("storage", "has none of the attributes"), ("alert", "neither 'incident'")]
)
def test_a_message_that_names_a_trigger_of_another_kind_is_permanently_invalid(kind, says):
    found = find(message({}, trigger="it"), it={"kind": kind})
    assert says in found.invalid[0][1]


def test_a_request_that_is_addressed_and_is_an_alert_is_permanently_invalid():
    ((_, reason),) = find(message(incident("i1"), trigger="ask"), ask={"kind": "request"}).invalid
    assert "the request has the key" in reason
    # One that names nobody is left to the triggers on alerts.
    assert find(message(incident("i1")), ask={"kind": "request"}).invalid == []


def test_a_slot_of_cloud_scheduler_is_one_cause_however_often_it_is_delivered():
    def cause(seconds: float) -> object:
        at = NOON + timedelta(seconds=seconds)
        trigger = {"kind": "schedule", "coalesce_seconds": 0}
        (found,) = find(message(b"", at, trigger="nightly"), nightly=trigger).causes
        return found.key, found.readable

    assert cause(0) == cause(59) != cause(60)
    assert cause(0)[1] == "nightly-20260301-1200"


def test_a_schedule_takes_only_messages_that_name_it():
    assert find(message(b""), nightly={"kind": "schedule"}).causes == []


def test_alerts_are_chosen_by_the_name_of_their_policy():
    trigger = {"kind": "alert", "policy": "dr*"}
    (cause,) = find(message(incident("i1", policy="drift")), watch=trigger).causes
    assert (cause.key, cause.readable, cause.since) == ("i1", "drift", None)
    assert find(message(incident(policy="latency")), watch=trigger).causes == []


def test_each_alert_of_alertmanager_that_fires_is_a_cause():
    body = alertmanager(("firing", "Drift", "f1"), ("firing", "Drift", "f2"))
    found = find(message(body), watch={"kind": "alert"}, ask={"kind": "request"})
    assert len({cause.key for cause in found.causes}) == 2
    assert found.invalid == []


def test_a_malformed_alert_is_permanently_invalid_and_another_json_object_is_nobodys_business():
    assert find(message({"incident": 7}), watch={"kind": "alert"}).invalid
    found = find(message({"weather": "fine"}), watch={"kind": "alert"})
    assert (found.causes, found.invalid) == ([], [])


def test_what_one_trigger_cannot_read_another_one_can():
    found = find(
        written("day=2026-02-28/_SUCCESS", objectGeneration=""),
        marked={"kind": "storage", "marker": "_SUCCESS"},
        everything={"kind": "storage", "pattern": "gs://acme/day={span}/*"},
    )
    assert [cause.trigger for cause in found.causes] == ["everything"]
    assert [name for name, _ in found.invalid] == ["marked"]


WEBHOOK = """
from pydantic import Field

from retrainer.pipelines.project.sections.triggers import TriggerConfig
from retrainer.pipelines.triggers.kinds.interface import TriggerKind
from retrainer.pipelines.triggers.types import Cause


class ReleaseConfig(TriggerConfig):
    branch: str = Field("main", description="Releases of this branch start a run.")


class ReleaseTrigger:
    def __init__(self, name, config):
        self._name, self._config = name, config

    def find_causes(self, reading):
        if reading.is_storage or reading.body.get("release") is None:
            return []
        if reading.body["branch"] != self._config.branch:
            return []
        release, published = reading.body["release"], reading.message.published
        return [Cause(self._name, release, release, self._config.parameters, published)]


KIND = TriggerKind(
    make=lambda name, config, pipeline, data: ReleaseTrigger(name, config), section=ReleaseConfig
)
"""


def test_a_kind_is_added_by_one_module_and_one_line_of_the_list(monkeypatch, tmp_path):
    (tmp_path / "release_kind.py").write_text(WEBHOOK)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(TRIGGER_KINDS, "release", "release_kind")
    triggers = TypeAdapter(dict[str, TriggerConfig]).validate_python(
        {
            "new-code": {"kind": "release", "branch": "stable", "parameters": {"span": "latest"}},
            "new-data": {"kind": "storage", "coalesce_seconds": 0},
        }
    )
    target = MemoryTarget(names_runs=True)
    dispatcher = Dispatcher("orders", triggers, DataConfig(pattern=DAILY, label="y"), target)
    released = message({"release": "v2", "branch": "stable"})
    assert dispatcher.handle(released).result == Result.STARTED
    assert dispatcher.handle(released).result == Result.DUPLICATE
    assert dispatcher.handle(message({"release": "v3", "branch": "main"})).result == Result.IGNORED
    ((request, _),) = target.runs
    assert request.parameters == {"span": "latest"}
    assert request.labels == {"retrainer-trigger": "new-code"}


def test_settings_of_an_added_kind_are_checked(monkeypatch, tmp_path):
    (tmp_path / "release_kind.py").write_text(WEBHOOK)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(TRIGGER_KINDS, "release", "release_kind")
    with pytest.raises(ValidationError, match="branhc"):
        TriggerConfig.model_validate({"kind": "release", "branhc": "main"})
    with pytest.raises(ValidationError, match="'marker' is for triggers on storage"):
        TriggerConfig.model_validate({"kind": "release", "marker": "_SUCCESS"})
    with pytest.raises(ValidationError, match="must be 'storage', 'request', 'schedule'"):
        TriggerConfig.model_validate({"kind": "webhook"})
