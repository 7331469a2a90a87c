"""The page of a store, as a browser and a person read it."""

import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest

from retrainer.components.lib.monitoring.incident import Detection, Group, IncidentState
from retrainer.components.lib.monitoring.incident_records import IncidentRecords
from retrainer.components.lib.monitoring.looks import LookRecord, Looks
from retrainer.components.lib.monitoring.signals import Kind, Outcome, Signal
from retrainer.components.lib.registry.evaluation_summary import EvaluationSummary, SliceMetrics
from retrainer.components.lib.registry.registry import CHAMPION, Registry
from retrainer.components.lib.runs.run_records import recording
from retrainer.components.lib.spans.exclusions import exclude
from retrainer.components.lib.store import Store
from retrainer.components.lib.uris import join, write_json
from retrainer.pipelines.runs.record_store import save_run
from retrainer.pipelines.runs.records import RunRecord, RunState, TaskRecord
from retrainer.pipelines.site.page import write_site


@pytest.fixture
def store(tmp_path):
    return str(tmp_path / "store")


@pytest.fixture
def page(store):
    def write():
        place = write_site(store, "orders")
        assert place == join(store, "index.html")
        return Path(place).read_text()

    return write


def add_champion(store, number, auc, **info):
    registry = Registry(Store(store).models_uri)
    folder = Path(store).parent / "model"
    folder.mkdir(exist_ok=True)
    (folder / "saved_model.pb").write_bytes(b"%d" % number)
    version = registry.add(
        str(folder),
        f"d{number}",
        {"run": f"run-{number}", "train_spans": ["0", f"{number}"], **info},
        describe=lambda _: {"model_card.html": "<p>card</p>"},
    )
    overall = SliceMetrics({}, {"auc": auc, "example_count": 900.0})
    EvaluationSummary((overall,)).write(version.uri.rpartition("/")[0])
    registry.move_alias(
        CHAMPION,
        number,
        number - 1 or None,
        {"run": f"run-{number}", "at": f"2026-01-0{number}T00:00:00+00:00"},
    )


def add_span(store, span, rows=4, **counts):
    content = {"parts": {"all": {"rows": rows}}, "counts": counts, "source_columns": ["id"]}
    uri = Store(store).version_uri(span, "0123456789abcdef")
    write_json(
        join(uri, "span.json"),
        {"span": span, "version": uri[-16:], "ingested": "2026-01-02T00:00:00+00:00", **content},
    )


def add_run(store, name, span, verdict, error=None, state=RunState.SUCCEEDED):
    validate = TaskRecord(
        "validate-examples", title="validate_examples", reports=["reports/v.html"]
    )
    validate.outputs["verdict"], validate.error = verdict, error
    if error:
        validate.state = "failed"
    ingest = TaskRecord("ingest-spans", outputs={"newest_span": span})
    tasks = {one.name: one for one in (ingest, validate)}
    run = RunRecord(name, "orders", store, state, f"2026-01-0{span}T00:00:00+00:00", tasks=tasks)
    save_run(run)
    Path(run.locate("reports")).mkdir()
    Path(run.locate("reports/v.html")).write_text("<p>report</p>")
    Path(run.locate("index.html")).write_text("<p>run</p>")


def links(html):
    found = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag, attrs):
            found.extend(value for name, value in attrs if name in ("href", "src"))

    Reader().feed(html)
    return found


def text(html):
    return " ".join(
        re.sub(r"<style>.*?</style>|<script>.*?</script>|<[^>]+>", " ", html, flags=re.S).split()
    )


def test_an_empty_store_has_a_page_that_says_so(page):
    shown = text(page())
    assert "No run yet" in shown
    assert "No model was put into service yet" in shown


def test_every_link_leads_to_a_file_of_the_store_and_none_to_the_network(store, page):
    for number in (1, 2):
        add_champion(store, number, 0.8 + number / 100)
        add_span(store, f"{number}")
        add_run(store, f"run-{number}", f"{number}", "no errors")
    html = page()
    found = links(html)
    assert {one for one in found if one.endswith("v.html")} == {
        f"runs/run-{number}/reports/v.html" for number in (1, 2)
    }
    assert sum(one.endswith("model_card.html") for one in found) == 2
    for one in found:
        assert (Path(store) / one).is_file(), one
    assert "http" not in re.sub(r'xmlns="[^"]*"', "", html)


def test_champions_stand_newest_first_with_what_the_gate_measured(store, page):
    add_champion(store, 1, 0.81)
    add_champion(store, 2, 0.83)
    shown = text(page())
    assert "Version 2 is in service." in shown
    table = shown[shown.index("trained on") :]
    assert table.index("version 2") < table.index("version 1")
    assert re.search(r"version 2 2026-01-02 00:00 to now run-2 push 0 to 2 0\.8300", table)
    assert re.search(
        r"version 1 2026-01-01 00:00 to 2026-01-02 00:00 run-1 push 0 to 1 0\.8100", table
    )
    assert "0.81 to 0.83" in shown


def test_a_rollback_shows_who_and_why_and_a_deleted_version_keeps_its_place(store, page):
    add_champion(store, 1, 0.81)
    add_champion(store, 2, 0.83)
    registry = Registry(Store(store).models_uri)
    registry.move_alias(
        CHAMPION, 1, 2, {"by": "ann", "why": "too many <refunds>", "action": "rollback"}
    )
    Path(registry.version_uri(2), "version.json").unlink()
    html = page()
    assert "too many &lt;refunds&gt;" in html
    shown = text(html)
    assert "Version 1 is in service." in shown
    assert "version 2 (deleted)" in shown
    assert re.search(r"to now ann rollback: too many", shown)


def test_no_model_in_service_is_the_verdict(store, page):
    add_champion(store, 1, 0.81)
    Registry(Store(store).models_uri).move_alias(CHAMPION, None, 1, {"by": "ann", "why": "wrong"})
    add_run(store, "run-1", "1", "no errors")
    assert "look here No model is in service." in text(page())


def test_a_span_shows_its_rows_what_runs_found_in_it_and_its_exclusion(store, page):
    add_champion(store, 1, 0.81)
    add_span(store, "1", rows=12_345, unlabelled=6)
    add_span(store, "2")
    add_run(store, "good", "1", "no errors, 1 warning")
    add_run(store, "bad", "2", "", "the data has 3 errors", RunState.FAILED)
    exclude(store, "2", "the feed broke", "ann")
    html = page()
    shown = text(html)
    spans = shown[shown.index("quarantined") :]
    assert "1 12,345 6 1 2026-01-02 00:00 good : no errors, 1 warning" in spans
    assert "excluded: the feed broke bad : the data has 3 errors" in spans
    assert "look here The newest run, bad, failed: stopped at validate_examples" in shown


def test_a_run_elsewhere_has_the_outcome_that_its_tasks_recorded(store, page):
    with recording(store, "ingest_spans", "orders-1", "", "u1") as record:
        record.note(spans={"1": "ab"}, newest_span="1")
    with recording(store, "validate_examples", "orders-1", "", "u1") as record:
        record.verdict = "no errors, 2 warnings"
    with recording(store, "push_model", "orders-1", "", "u1") as record:
        record.verdict = "pushed as version 3"
        record.note(outcome="pushed", version=3)
    add_span(store, "1")
    shown = text(page())
    assert "pushed as version 3" in shown
    assert "orders-1: no errors, 2 warnings" in shown


def test_a_detected_signal_is_the_verdict_and_stands_first(store, page):
    add_champion(store, 1, 0.81)
    add_run(store, "run-1", "1", "no errors")
    looks = Looks(store)
    signals = (
        Signal(Kind.DRIFT, "distance", Outcome.OK, "distance is as before", 0.01, 0.1),
        Signal(Kind.DATA, "volume", Outcome.BREACHED, "volume is 3 rows, 900 were expected"),
    )
    looks.add(LookRecord("k1", "2026-01-02", 1, "2026-01-03T00:00:00+00:00", signals))
    looks.fold({})
    shown = text(page())
    assert "look here Monitoring found volume is 3 rows, 900 were expected." in shown
    table = shown[shown.index("what the newest look found") :]
    assert table.index("data/volume detected") < table.index("drift/distance ok")
    assert "After the look at 2026-01-02 on 2026-01-03 00:00, at version 1." in shown


def test_an_incident_shows_its_signals_its_run_and_each_change(store, page):
    add_champion(store, 1, 0.81)
    add_run(store, "retrain-1", "1", "no errors")
    found = Detection("drift/distance", "7", "distance differs by 0.3, at most 0.1 is usual")
    records = IncidentRecords(store)
    at = datetime(2026, 1, 3, tzinfo=UTC)
    incident = records.open(Group.MODEL, 1, [found], at, "look")
    records.change(
        incident.id,
        lambda one: one.changed(
            IncidentState.RETRAINING, at, "enough rows", "ann", run="retrain-1"
        ),
    )
    html = page()
    shown = text(html)
    assert "look here Incident v1-model-1: drift/distance: enough rows." in shown
    assert "v1-model-1 retraining drift/distance run retrain-1" in shown
    assert "2026-01-03 00:00 open: distance differs by 0.3" in shown
    assert "runs/retrain-1/index.html" in links(html)
    records.change(
        incident.id, lambda one: one.changed(IncidentState.RESOLVED, at, "quiet", pushed=2)
    )
    shown = text(page())
    assert "Version 1 is in service." in shown
    assert "resolved: quiet" in shown


def test_a_page_is_replaced_by_the_next(store, page):
    add_champion(store, 1, 0.81)
    before = page()
    add_champion(store, 2, 0.83)
    assert before != page()
    assert sorted(one.name for one in Path(store).iterdir() if one.is_file()) == ["index.html"]
