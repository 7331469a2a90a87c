"""`retrainer monitor sink` as a process."""

import gzip
import json

import pytest
import requests
from servers.service_process import ServiceProcess

HEADERS = {
    "ce-id": "r1",
    "ce-source": "http://localhost:9081/",
    "ce-specversion": "1.0",
    "ce-type": "org.kubeflow.serving.inference.response",
    "Content-Type": "application/json",
}


@pytest.fixture
def start(tmp_path):
    """A function that starts a sink, which ends with the test."""
    started = []

    def run(*options: str, log=tmp_path / "log") -> ServiceProcess:
        own = ["--log", str(log), "--listen", "127.0.0.1", "--port", "0"]
        started.append(ServiceProcess(["monitor", "sink", *own, *options]))
        return started[-1].wait_until_listening()

    yield run
    for sink in started:
        sink.__exit__()


def post(sink: ServiceProcess, body: bytes = b"[1]", **headers: str) -> requests.Response:
    sent = {**HEADERS, **headers}
    return requests.post(f"{sink.url}/any/path", data=body, headers=sent, timeout=60)


def test_events_are_answered_and_written(start, tmp_path):
    sink = start()
    assert post(sink).status_code == 200
    assert post(sink, gzip.compress(b"[2]"), **{"Content-Encoding": "gzip"}).status_code == 200
    refused = post(sink, **{"ce-id": ""})
    assert (refused.status_code, "has no 'id'" in refused.json()["error"]) == (400, True)
    assert sink.get("/healthz").status_code == 200
    assert sink.get("/other").status_code == 405
    metrics = sink.get("/metrics").text
    assert 'retrainer_sink_requests_total{status="200"} 2.0' in metrics
    assert sink.terminate() == 0
    (file,) = (tmp_path / "log").rglob("*.jsonl.gz")
    lines = [json.loads(line) for line in gzip.decompress(file.read_bytes()).splitlines()]
    assert [line["data"] for line in lines] == [[1], [2]]


def test_what_is_too_large_is_refused_and_what_finds_no_room_may_come_again(start, tmp_path):
    blocked = tmp_path / "blocked"
    blocked.write_text("a file, where a folder should be")
    sink = start("--max-event-mib", "0.01", "--buffer-mib", "0.005", log=blocked / "log")
    assert post(sink, bytes(20_000)).status_code == 413
    full = post(sink, bytes(9_000))
    assert full.status_code == 503
    assert full.headers["Retry-After"]
    assert post(sink).status_code == 200
