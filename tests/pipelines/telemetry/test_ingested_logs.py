"""What was asked and answered is what monitoring has, from the process that logs it to the table in the store."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests
from servers.log_project import Project, row
from servers.model_server import PREDICT, ModelServer
from servers.service_process import ServiceProcess

ASKED = [[row(100.5), row(1, 8, "ÅÄ")], [row(7.25, 9, "DL")]]
TOMORROW = datetime.now(UTC) + timedelta(days=1, hours=1)
pytestmark = pytest.mark.slow


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project(tmp_path)
    made.push()
    return made


def service(project: Project, *words: str) -> ServiceProcess:
    own = ["--log", str(project.logs), "--listen", "127.0.0.1", "--port", "0"]
    return ServiceProcess([*words, *own])


def check(project: Project, log_format: str, **expected: list) -> None:
    ingested = project.ingest(TOMORROW, format=log_format)
    rows = [
        row
        for span in dict.fromkeys(one.span for one in ingested.sets)
        for row in project.table(span).to_pylist()
    ]
    rows.sort(key=lambda row: (row["request_id"], row["row"]))
    assert [row["request_id"] for row in rows] == ["a", "a", "b", "c"]
    assert [row["row"] for row in rows] == [0, 1, 0, 0]
    assert [row["distance"] for row in rows] == [100.5, 1.0, 7.25, None]
    assert [row["carrier"] for row in rows] == ["UA", "ÅÄ", "DL", "UA"]
    assert [row["prediction"] for row in rows] == [201.0, 2.0, 14.5, None]
    for name, values in expected.items():
        assert [row[name] for row in rows] == values


def test_of_the_proxy(project: Project) -> None:
    with ModelServer() as server:
        server.versions = {"1": "AVAILABLE"}
        with service(project, "serve-log", "--target", server.url) as proxy:
            for name, rows in zip("abc", [*ASKED, [row(None)]], strict=True):
                requests.post(
                    proxy.url + PREDICT,
                    json={"instances": rows},
                    headers={"X-Request-Id": name},
                    timeout=60,
                )
            assert proxy.terminate() == 0
    check(
        project,
        "serve_log",
        status=["ok", "ok", "ok", "error"],
        model_version=[1, 1, 1, 1],
        sample_rate=[1.0] * 4,
    )


def test_of_the_sink(project: Project) -> None:
    kind = "org.kubeflow.serving.inference"
    with ModelServer() as server, service(project, "monitor", "sink") as sink:
        for name, rows in zip("abc", [*ASKED, [row(None)]], strict=True):
            body = {"instances": rows}
            answer = requests.post(server.url + PREDICT, json=body, timeout=60)
            sent = {"request": requests.Request("POST", "http://x", json=body).prepare().body}
            if answer.status_code == 200:
                # KServe logs no other answers.
                sent["response"] = answer.content
            for part, content in sent.items():
                headers = {
                    "ce-id": name,
                    "ce-source": "http://localhost:9081/",
                    "ce-specversion": "1.0",
                    "ce-type": f"{kind}.{part}",
                    "ce-time": datetime.now(UTC).isoformat(),
                    "ce-inferenceservicename": "flights",
                    "ce-endpoint": "default",
                    "Content-Type": "application/json",
                }
                requests.post(sink.url, content, headers=headers, timeout=60).raise_for_status()
        assert sink.terminate() == 0
    check(project, "kserve_events", status=["ok", "ok", "ok", "error"])
