"""What the store knows of the loop, as Prometheus reads it."""

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from servers.monitored_store import MonitoredStore

from retrainer.components.lib.monitoring.signals import Kind, Outcome, Signal
from retrainer.components.lib.predictions.joined_sets import Coverage, JoinedSet
from retrainer.components.lib.registry.registry import CHAMPION, Registry
from retrainer.components.lib.serving.deployments import (
    Deployment,
    Deployments,
    DeploymentState,
    PlannedVersions,
)
from retrainer.components.lib.serving.rollout_records import follow_registry
from retrainer.components.lib.serving.rollout_settings import RolloutSettings
from retrainer.components.lib.store import Store
from retrainer.components.lib.uris import write_json
from retrainer.pipelines.telemetry.loop import monitoring, runs
from retrainer.pipelines.telemetry.loop.collecting import LoopMetrics, Part, parts_of
from retrainer.pipelines.telemetry.loop.families import gauge

STEP = {"percent": 5, "hold_seconds": 60, "min_requests": 10}
ROLLOUT = RolloutSettings.of({"observations": "x", "steps": [STEP]})


@pytest.fixture
def store(tmp_path):
    return MonitoredStore(tmp_path)


def read(store: MonitoredStore) -> dict[tuple, float]:
    """Value by name and labels, without the project's."""
    return parse(LoopMetrics("flights", parts_of(store.uri, 0)))


def parse(metrics: LoopMetrics) -> dict[tuple, float]:
    text = metrics.render().decode()
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = {**sample.labels}
            assert labels.pop("project") == "flights"
            key = (sample.name.removeprefix("retrainer_"), *sorted(labels.values()))
            assert key not in found
            found[key] = sample.value
    return found


def breached(kind: Kind, subject: str, value: float | None = 0.4) -> Signal:
    return Signal(kind, subject, Outcome.BREACHED, "It is so.", value, 0.1)


def test_a_store_without_anything_has_metrics(store):
    found = read(store)
    assert found["champion_version",] == 0
    assert found["looks",] == 0
    assert found["refusals", "held"] == 0
    assert not any(name.endswith("timestamp_seconds") for name, *_ in found if "read" not in name)
    assert {found["metrics_read_failed", part] for part in ("champion", "runs", "labels")} == {0}


def test_ages_of_the_champion_follow_from_moments(store):
    store.put_into_service("2026-10-01T00:00:00+00:00")
    store.put_into_service(
        "2026-11-01T06:00:00+00:00", span="2026-10-31", pushed_at="2026-11-01T05:00:00+00:00"
    )
    found = read(store)
    assert found["champion_version",] == 2
    assert found["champion_in_service_timestamp_seconds",] == 1793512800
    assert found["champion_pushed_timestamp_seconds",] == 1793512800 - 3600
    assert found["champion_newest_span_end_timestamp_seconds",] == 1793512800 - 6 * 3600
    registry = Registry(Store(store.uri).models_uri)
    registry.move_alias(CHAMPION, None, 2, {"at": "2026-11-02T00:00:00+00:00"})
    retired = read(store)
    assert retired["champion_version",] == 0
    assert ("champion_in_service_timestamp_seconds",) not in retired


def test_runs_count_by_pipeline_and_outcome_and_refusals_by_reason(store):
    store.run("one", "push_model", outcome="pushed")
    store.run("two", "push_model", outcome="refused", reasons=["not_blessed", "held"])
    store.run("three", "push_model", outcome="refused", reasons=["of a later release"])
    store.run("four", "push_model", outcome="refused")
    store.run("five", "monitor_model")
    with pytest.raises(ValueError, match="no"):
        store.run("six", "ingest_spans", ValueError("no"))
    found = read(store)
    assert found["runs", "continuous_training", "pushed"] == 1
    assert found["runs", "continuous_training", "refused"] == 3
    assert found["runs", "continuous_training", "failed"] == 1
    assert found["runs", "monitored", "monitoring"] == 1
    assert found["last_run_outcome", "continuous_training", "failed"] == 1
    assert found["last_run_outcome", "continuous_training", "pushed"] == 0
    assert found["last_run_outcome", "monitored", "monitoring"] == 1
    times = [
        found[f"last_{one}_timestamp_seconds", "continuous_training"] for one in ("done_run", "run")
    ]
    assert times[0] <= times[1]
    reasons = {reason: found["refusals", reason] for reason in ("not_blessed", "held", "other")}
    assert reasons == {"not_blessed": 1, "held": 1, "other": 2}
    assert found["task_seconds", "monitor_model", "monitoring"] >= 0


def test_a_signal_has_its_state_value_and_bound(store):
    quiet = Signal(Kind.REALISED, 'auc, carrier = "AA"', Outcome.OK, "It is well.", 0.9, 0.8)
    silent = Signal(Kind.ESTIMATED, "auc", Outcome.SILENT, "Too few rows.")
    store.look(breached(Kind.DRIFT, "wind"), breached(Kind.DATA, "temp"), quiet, silent)
    found = read(store)
    assert found["signals", "data", "detected"] == 1
    assert found["signals", "drift", "suspected"] == 1
    assert found["signals", "detected", "drift"] == 0
    assert found["silent_signals", "estimated_quality"] == 1
    assert found["signal_value", "drift", "wind"] == 0.4
    assert found["signal_bound", 'auc, carrier = "AA"', "realised_quality"] == 0.8
    assert found["signal_state", "data", "detected", "temp"] == 1
    assert found["signal_state", "data", "ok", "temp"] == 0
    assert ("signal_value", "auc", "estimated_quality") not in found
    assert found["last_look_errors",] == 0
    store.look(breached(Kind.DRIFT, "wind"), window="2026-11-26", errors=("no baseline",))
    later = read(store)
    assert later["signals", "detected", "drift"] == 1
    assert later["last_look_errors",] == 1


def test_signals_beyond_the_most_are_counted_and_the_urgent_have_series(store, monkeypatch):
    monkeypatch.setattr(monitoring, "MOST_SIGNALS", 2)
    quiet = [
        Signal(Kind.DRIFT, f"column {number}", Outcome.OK, "ok", 0.0, 0.1) for number in range(5)
    ]
    store.look(*quiet, breached(Kind.DATA, "temp"))
    found = read(store)
    assert found["signals_without_series",] == 4
    assert found["signals", "drift", "ok"] == 5
    assert found["signal_state", "data", "detected", "temp"] == 1
    assert sum(name == "signal_value" for name, *_ in found) == 2


def test_long_names_are_cut(store):
    store.look(breached(Kind.DRIFT, "x" * 5000))
    (labels,) = (labels for name, *labels in read(store) if name == "signal_value")
    assert len(max(labels, key=len)) == 120


def test_open_incidents_have_an_age(store):
    store.put_into_service("2026-10-01T00:00:00+00:00")
    store.open_incident("realised_quality/auc")
    found = read(store)
    assert sum(value for (name, *_), value in found.items() if name == "incidents") == 1
    opened = [value for (name, *_), value in found.items() if name.startswith("incident_opened")]
    assert len(opened) == 1


def test_labels_that_are_due_and_missing_are_counted(store):
    periods = [
        # Due after two days, and not: a tenth of the predictions of the second is logged.
        Coverage("2020-01-01T00:00:00+00:00", "2020-01-02T00:00:00+00:00", 100, 90, 100.0, 90.0),
        Coverage("2220-01-01T00:00:00+00:00", "2220-01-02T00:00:00+00:00", 10, 1, 100.0, 10.0),
    ]
    uri = f"{Store(store.uri).joined_of_span_uri('a')}/v1"
    joined = JoinedSet("a", "v1", uri, (), 91, "v1", "delayed", coverage=tuple(periods))
    write_json(f"{uri}/joined.json", joined.content())
    found = read(store)
    assert found["label_share",] == 0.5
    assert found["label_due_share",] == 0.9
    assert found["labels_late",] == 10


def test_a_rollout_and_what_services_were_asked_have_states(store):
    store.put_into_service("2026-10-01T00:00:00+00:00")
    follow_registry(store.uri, ROLLOUT, "me")
    store.put_into_service("2026-10-02T00:00:00+00:00")
    follow_registry(store.uri, ROLLOUT, "me")
    failed = Deployment(PlannedVersions(1, 2, 5), DeploymentState.FAILED)
    Deployments(store.uri, "kserve").add(failed)
    found = read(store)
    assert found["rollout_state", "canary"] == 1
    assert found["rollout_state", "rolled_back"] == 0
    assert found["rollout_percent",] == 5
    assert found["deployment_state", "failed", "kserve"] == 1
    assert found["deployment_version", "kserve"] == 1
    assert ("deployment_version", "vertex") not in found


def test_a_part_that_can_not_be_read_costs_no_other(store):
    store.put_into_service("2026-10-01T00:00:00+00:00")
    store.look(breached(Kind.DRIFT, "wind"))
    for file in Path(Store(store.uri).looks_uri).glob("*.json"):
        file.write_text("damaged")
    found = read(store)
    assert found["metrics_read_failed", "signals"] == 1
    assert found["champion_version",] == 1


def test_runs_that_ended_long_ago_are_read_once_and_others_each_time(store, monkeypatch):
    for name in ("old", "new", "open"):
        store.run(name, "push_model", outcome="pushed" if name != "open" else "of a later release")
    days = {"old": 3, "new": 0, "open": 3}
    for name, age in days.items():
        (file,) = Path(Store(store.uri).run_tasks_uri(name)).glob("push_model.*.json")
        started = datetime.now(UTC) - timedelta(days=age)
        content = {**json.loads(file.read_text()), "started": started.isoformat()}
        file.write_text(json.dumps(content))
    asked = []
    list_traces = runs.list_traces
    monkeypatch.setattr(
        runs, "list_traces", lambda uri, folders: asked.append(folders) or list_traces(uri, folders)
    )
    metrics = LoopMetrics("flights", parts_of(store.uri, 0))
    first = parse(metrics)
    assert first["runs", "continuous_training", "pushed"] == 2
    store.run("newest", "push_model", outcome="refused", reasons=["held"])
    second = parse(metrics)
    assert asked == [["new", "old", "open"], ["new", "newest", "open"]]
    assert second["runs", "continuous_training", "pushed"] == 2
    assert second["refusals", "held"] == 1
    shutil.rmtree(Path(Store(store.uri).runs_uri) / "old")
    assert parse(metrics)["runs", "continuous_training", "pushed"] == 1


def test_a_part_is_read_again_when_it_is_due():
    read = {"often": 0, "seldom": 0}

    def part(name: str):
        read[name] += 1
        return [gauge(name, "It is so.", (), [((), read[name])])]

    parts = {"often": Part(lambda: part("often")), "seldom": Part(lambda: part("seldom"), 3600)}
    metrics = LoopMetrics("flights", parts)
    parse(metrics)
    assert parse(metrics)["often",] == 2
    assert read == {"often": 2, "seldom": 1}
