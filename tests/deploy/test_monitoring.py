"""Alert rules and dashboard: of metrics that exist, in Prometheus's own words, and up to a run that an alert starts."""

import json
import re
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from servers.monitored_store import MonitoredStore
from servers.receiver import Receiver
from servers.service_process import ServiceProcess
from servers.trigger_process import TriggerProcess, write_project
from servers.vertex import VertexServer

from retrainer.components.lib.monitoring.signals import Kind, Outcome, Signal

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = ROOT / "docs/deploy/monitoring"
ALERTS = DOCUMENTS / "alerts.yaml"
# Looks at something, of 50 milliseconds each, before the test fails.
PATIENCE = 1200
LOST = Signal(Kind.REALISED, "auc", Outcome.BREACHED, "AUC is 0.61, below 0.7.", 0.61, 0.7)
WELL = Signal(Kind.REALISED, "auc", Outcome.OK, "AUC is 0.8.", 0.8, 0.7)


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load(ALERTS.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((DOCUMENTS / "dashboard.json").read_text())
    return found


def dashboard_expressions() -> list[str]:
    return [
        target["expr"].replace("$__rate_interval", "5m").replace("$project", ".*")
        for panel in dashboard()["panels"]
        for target in panel.get("targets", [])
    ]


def test_rules_and_dashboard_use_metrics_that_are_documented() -> None:
    pages = "".join(
        (ROOT / f"docs/{name}.md").read_text() for name in ("prometheus", "serving-logs")
    )
    documented = set(re.findall(r"retrainer_\w+", pages))
    named = "".join([*(rule["expr"] for rule in rules()), *dashboard_expressions()])
    used = {name.removesuffix("_bucket") for name in re.findall(r"\bretrainer_\w+", named)}
    assert used <= documented


def test_every_alert_says_what_it_means() -> None:
    names = [rule["alert"] for rule in rules()]
    assert len(set(names)) == len(names)
    for rule in rules():
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert set(rule["annotations"]) == {"summary", "description"}


def test_panels_of_the_dashboard_do_not_overlap() -> None:
    panels = dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for place in (panel["gridPos"] for panel in panels):
        assert place["x"] + place["w"] <= 24
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken
        taken |= cells


@pytest.mark.parametrize("name", ["serve-log", "sink", "metrics"])
def test_manifests_name_ports_labels_and_texts_as_kubernetes_wants_them(name: str) -> None:
    text = (DOCUMENTS / "kubernetes" / f"{name}.yaml").read_text()
    kinds = {one["kind"]: one for one in yaml.safe_load_all(text)}
    template = kinds["Deployment"]["spec"]["template"]
    labels = template["metadata"]["labels"]
    assert kinds["Deployment"]["spec"]["selector"]["matchLabels"] == labels
    assert kinds["Service"]["spec"]["selector"] == labels
    container = template["spec"]["containers"][-1]
    assert all(isinstance(one, str) for one in container["args"])
    (port,) = container["ports"]
    usual = {"metrics": 9464}.get(name, 8080)
    assert port == {"name": "http", "containerPort": usual}
    (exposed,) = kinds["Service"]["spec"]["ports"]
    assert (exposed["port"], exposed["targetPort"]) == (usual, "http")
    assert container["image"] == "retrainer-trigger"


@pytest.mark.integration("promtool", "amtool")
def test_prometheus_reads_rules_dashboard_and_settings(tmp_path: Path) -> None:
    recorded = [
        {"record": f"panel:{number}", "expr": expression}
        for number, expression in enumerate(dashboard_expressions())
    ]
    file = tmp_path / "panels.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": recorded}]}))
    check("promtool", "check", "rules", ALERTS, file)
    check("promtool", "check", "config", DOCUMENTS / "prometheus.yaml")
    check("amtool", "check-config", DOCUMENTS / "alertmanager.yaml")


FIRES = {
    "RetrainerQualityLost": [('retrainer_signals{kind="concept_drift", state="detected"}', 1, 0)],
    "RetrainerDrift": [('retrainer_signals{kind="skew", state="detected"}', 2, 0)],
    "RetrainerDataBroken": [('retrainer_signals{kind="data", state="detected"}', 1, 0)],
    "RetrainerIncidentNeedsAPerson": [('retrainer_incidents{state="escalated"}', 1, 0)],
    "RetrainerNotLooking": [("retrainer_last_look_timestamp_seconds", -200_000, 0)],
    "RetrainerLookFailed": [("retrainer_last_look_errors", 1, 0)],
    "RetrainerLabelsLate": [("retrainer_label_due_share", 0.4, 0.9)],
    "RetrainerRunFailed": [
        ('retrainer_last_run_outcome{pipeline="monitoring", outcome="failed"}', 1, 0)
    ],
    "RetrainerRolledBack": [
        ('retrainer_last_run_outcome{pipeline="watch_rollout", outcome="rolled_back"}', 1, 0)
    ],
    "RetrainerDeploymentFailed": [
        ('retrainer_deployment_state{service="kserve", state="failed"}', 1, 0)
    ],
    "RetrainerChampionOld": [("retrainer_champion_in_service_timestamp_seconds", -3_000_000, 0)],
    "RetrainerNoChampion": [("retrainer_champion_version", 0, 3)],
    "RetrainerStoreUnreadable": [('retrainer_metrics_read_failed{part="runs"}', 1, 0)],
    "RetrainerMetricsOld": [("retrainer_metrics_read_timestamp_seconds", -1000, 7200)],
    "RetrainerMetricsAbsent": [],
    "RetrainerLogDropsRows": [('retrainer_log_rows_total{result="dropped"}', "0+10x120", "5x120")],
    "RetrainerLogNotWritten": [
        ("retrainer_log_waiting_rows", 50, 50),
        ("retrainer_log_last_write_timestamp_seconds", 0, "0+60x120"),
        ("retrainer_log_write_failures_total", "0+1x120", "3x120"),
    ],
}
"""Series that make an alert fire after 90 minutes, and values with which it does not; a number stands for all times."""


@pytest.mark.integration("promtool")
def test_each_alert_fires_when_it_should_and_not_otherwise(tmp_path: Path) -> None:
    assert set(FIRES) == {rule["alert"] for rule in rules()}
    tests = []
    for alert, series in FIRES.items():
        present = [] if alert == "RetrainerMetricsAbsent" else series
        tests.append(rule_test(alert, [(name, bad) for name, bad, _ in present], fires=True))
        quiet = [(name, good) for name, _, good in series]
        read = ("retrainer_metrics_read_timestamp_seconds", "0+60x120")
        tests.append(rule_test(alert, quiet or [read], fires=False))
    file = tmp_path / "tests.yaml"
    content = {"rule_files": [str(ALERTS)], "evaluation_interval": "5m", "tests": tests}
    file.write_text(yaml.safe_dump(content))
    check("promtool", "test", "rules", file)


def rule_test(alert: str, series: list[tuple[str, Any]], fires: bool) -> dict[str, Any]:
    """A test of promtool that looks at whether an alert fires, whatever it says."""
    values = {name: value if isinstance(value, str) else f"{value}x120" for name, value in series}
    count = f'count(ALERTS{{alertname="{alert}", alertstate="firing"}})'
    return {
        "name": f"{alert} {'fires' if fires else 'is quiet'}",
        "interval": "1m",
        "input_series": [{"series": name, "values": value} for name, value in values.items()],
        "promql_expr_test": [
            {
                "expr": count,
                "eval_time": "90m",
                "exp_samples": [{"labels": "{}", "value": 1}] if fires else [],
            }
        ],
    }


def check(*words: object) -> None:
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def project(tmp_path: Path) -> Iterator[tuple[Path, VertexServer]]:
    """A project with a trigger on loss of quality, and the Vertex AI that its runs go to."""
    with VertexServer() as vertex:
        file = write_project(tmp_path, vertex.url)
        with file.open("a") as text:
            text.write("  quality:\n    kind: alert\n    policy: RetrainerQualityLost\n")
        yield file, vertex


@pytest.mark.slow
@pytest.mark.integration("prometheus", "prometheus-alertmanager")
def test_a_loss_of_quality_starts_a_run_by_prometheus_and_alertmanager(
    project: tuple[Path, VertexServer], tmp_path: Path
) -> None:
    file, vertex = project
    store = MonitoredStore(tmp_path)
    store.put_into_service("2026-10-01T00:00:00+00:00")
    store.look(WELL)
    # The same project, but for the store, which Vertex AI could not reach here.
    here = tmp_path / "here.yaml"
    here.write_text(file.read_text().replace("gs://acme-ml-store/orders", store.uri, 1))
    serve = ["metrics", "serve", "--file", str(here), "--listen", "127.0.0.1", "--port", "0"]
    with (
        ServiceProcess([*serve, "--refresh-seconds", "0.3"]) as metrics,
        TriggerProcess("serve", file, "--insecure-no-auth") as trigger,
        Receiver() as people,
        alertmanager(tmp_path / "alertmanager", trigger.url, people.url) as notified,
        prometheus(tmp_path / "prometheus", metrics.port, notified) as asked,
    ):
        wait_until(lambda: value(asked, "retrainer_champion_version") == 1)
        assert not vertex.jobs
        assert "RetrainerQualityLost" not in firing(asked)
        store.look(LOST, window="2026-11-26")
        wait_until(lambda: len(vertex.jobs) == 1)
        wait_until(lambda: len(people.requests) >= 1)
        assert "RetrainerQualityLost" in firing(asked)
        # Alertmanager has sent it again by now, as it does while an alert fires.
        wait_until(lambda: trigger_results(trigger).get("duplicate", 0) >= 1)
        assert len(vertex.jobs) == 1
        assert trigger_results(trigger)["started"] == 1
    said = json.loads(people.requests[0].body)["alerts"][0]["annotations"]["summary"]
    assert said == "orders: the champion answers worse than it did"


def trigger_results(trigger: TriggerProcess) -> dict[str, float]:
    found = re.findall(
        r'retrainer_messages_total\{result="(\w+)",trigger="quality"\} (\S+)',
        trigger.get("/metrics").text,
    )
    return {result: float(count) for result, count in found}


@contextmanager
def alertmanager(folder: Path, trigger: str, people: str) -> Iterator[str]:
    """Debian's Alertmanager with the settings of the documents, but for addresses and pauses; yield its address."""
    settings = yaml.safe_load((DOCUMENTS / "alertmanager.yaml").read_text())
    settings["route"] |= {"group_wait": "0s", "group_interval": "1s", "repeat_interval": "1s"}
    settings["route"]["routes"][0]["repeat_interval"] = "1s"
    hooks = {one["name"]: one["webhook_configs"][0] for one in settings["receivers"]}
    hooks["people"]["url"] = f"{people}/hook"
    hooks["trigger"]["url"] = f"{trigger}/push"
    del hooks["trigger"]["http_config"]
    folder.mkdir()
    (folder / "alertmanager.yaml").write_text(yaml.safe_dump(settings))
    address = f"127.0.0.1:{free_port()}"
    options = [
        *("--config.file", str(folder / "alertmanager.yaml"), "--storage.path", str(folder)),
        *("--web.listen-address", address, "--cluster.listen-address", ""),
    ]
    with program("prometheus-alertmanager", options, folder, f"http://{address}/-/ready"):
        yield address


@contextmanager
def prometheus(folder: Path, metrics_port: int, alertmanager_address: str) -> Iterator[str]:
    """Debian's Prometheus with the settings of the documents, but for addresses and pauses; yield its URL."""
    settings = yaml.safe_load((DOCUMENTS / "prometheus.yaml").read_text())
    settings["global"] = {"scrape_interval": "500ms", "evaluation_interval": "500ms"}
    (managers,) = settings["alerting"]["alertmanagers"]
    managers["static_configs"] = [{"targets": [alertmanager_address]}]
    scraped = settings["scrape_configs"][0]
    scraped |= {"scrape_interval": "500ms", "scrape_timeout": "500ms"}
    scraped["static_configs"] = [{"targets": [f"127.0.0.1:{metrics_port}"]}]
    settings["scrape_configs"] = [scraped]
    folder.mkdir()
    shutil.copy(ALERTS, folder)
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(settings))
    address = f"127.0.0.1:{free_port()}"
    options = [
        *("--config.file", str(folder / "prometheus.yaml"), "--storage.tsdb.path", str(folder)),
        *("--web.listen-address", address),
    ]
    with program("prometheus", options, folder, f"http://{address}/-/ready"):
        yield f"http://{address}"


@contextmanager
def program(name: str, options: list[str], folder: Path, ready: str) -> Iterator[None]:
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen([name, *options], cwd=folder, stdout=output, stderr=output)
    try:
        wait_until(lambda: is_ready(ready) or bool(process.poll()))
        assert process.poll() is None, log.read_text()
        yield
    finally:
        process.kill()
        process.wait()


def is_ready(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).status_code == 200
    except requests.ConnectionError:
        return False


def value(prometheus_url: str, query: str) -> float | None:
    answer = requests.get(f"{prometheus_url}/api/v1/query", {"query": query}, timeout=30)
    found = answer.json()["data"]["result"]
    return float(found[0]["value"][1]) if found else None


def firing(prometheus_url: str) -> set[str]:
    alerts = requests.get(f"{prometheus_url}/api/v1/alerts", timeout=30).json()["data"]["alerts"]
    return {alert["labels"]["alertname"] for alert in alerts if alert["state"] == "firing"}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
    return port


def wait_until(holds: Callable[[], bool]) -> None:
    for _ in range(PATIENCE):
        if holds():
            return
        threading.Event().wait(0.05)
    pytest.fail("it does not hold")
