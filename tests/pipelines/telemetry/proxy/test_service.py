"""`retrainer serve-log` as a process, between real clients and a model server."""

import gzip
import json
import os
import re
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from servers.model_server import PREDICT, ModelServer
from servers.service_process import ServiceProcess
from servers.storage import StorageServer

from retrainer.components.lib.errors import RetrainerError
from retrainer.pipelines.telemetry.proxy.service import check_target

BODY = {"instances": [1, 2, 3]}


def read_rows(log: Path) -> list[dict]:
    return [
        json.loads(line)
        for file in sorted(log.rglob("*.jsonl.gz"))
        for line in gzip.decompress(file.read_bytes()).splitlines()
    ]


class Proxy(ServiceProcess):
    """A proxy, and what its log has after its end."""

    def __init__(self, target: str, log, *options: str, **environment: str) -> None:
        self.log = log
        own = ["--target", target, "--log", str(log), "--listen", "127.0.0.1", "--port", "0"]
        super().__init__(["serve-log", *own, *options], **environment)

    def post(self, path: str = PREDICT, **arguments) -> requests.Response:
        return requests.post(self.url + path, timeout=60, **arguments)

    def written(self) -> list[dict]:
        """End it and return the rows of its log."""
        assert self.terminate() == 0, "".join(self.lines)
        return read_rows(self.log)

    def metric(self, name: str) -> float:
        for line in self.get("/metrics").text.splitlines():
            if line.startswith(f"{name} "):
                return float(line.split()[1])
        raise AssertionError(name)


@pytest.fixture(scope="module")
def server():
    with ModelServer() as running:
        yield running


@pytest.fixture
def start(tmp_path, server):
    """A function that starts a proxy, which ends with the test."""
    started = []

    def run(*options: str, target: str = server.url, log=None) -> Proxy:
        proxy = Proxy(target, log or tmp_path / "log", *options)
        started.append(proxy)
        return proxy.wait_until_listening()

    yield run
    for proxy in started:
        proxy.__exit__()


@pytest.fixture(scope="module")
def shared(tmp_path_factory, server):
    """A proxy that several tests use, whose log nobody reads."""
    with Proxy(server.url, tmp_path_factory.mktemp("shared")) as running:
        yield running


def test_answers_are_the_servers_own_and_each_request_is_a_row(start, server):
    proxy = start()
    answer = proxy.post(json=BODY, headers={"X-Request-Id": "mine"})
    direct = requests.post(server.url + PREDICT, json=BODY, timeout=60)
    assert (answer.status_code, answer.content) == (200, direct.content)
    assert answer.headers["X-Request-Id"] == "mine"
    assert answer.headers["Content-Type"] == direct.headers["Content-Type"]
    made = proxy.post(json=BODY).headers["X-Request-Id"]
    event = proxy.post(json=BODY, headers={"ce-id": "event"}).headers["X-Request-Id"]
    failed = proxy.post(data="no JSON")
    assert failed.status_code == 400
    assert "JSON Parse error" in failed.json()["error"]
    proxy.get("/v1/models/flights")
    rows = proxy.written()
    assert [row["request_id"] for row in rows[:3]] == ["mine", made, event]
    assert [row["status"] for row in rows] == [200, 200, 200, 400]
    first, last = rows[0], rows[3]
    assert json.loads(first["request"]) == BODY
    assert first["response"].encode() == direct.content
    assert (first["model"], first["model_version"], first["variant"]) == ("flights", "3", "stable")
    assert first["sample_rate"] == 1
    assert first["latency_ms"] > 0
    assert (last["request"], last["error"]) == ("no JSON", None)
    assert "JSON Parse error" in last["response"]


def test_versions_come_from_the_url_the_answer_or_the_option(start):
    proxy = start("--model-version", "5", "--variant", "shadow")
    for path in (
        "/v1/models/flights/versions/2:predict",
        "/v1/models/flights/labels/canary:predict",
        "/v1/models/flights:predict",
    ):
        assert proxy.post(path, json=BODY).status_code == 200
    assert proxy.post("/v2/models/flights/infer", json={"inputs": []}).status_code == 200
    named = [(row["model_version"], row["variant"]) for row in proxy.written()]
    assert named == [("2", "shadow"), ("5", "canary"), ("5", "shadow"), ("7", "shadow")]


def test_a_target_that_is_down_is_502_and_a_row(start, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    proxy = start(target=f"http://127.0.0.1:{port}")
    answer = proxy.post(json=BODY, headers={"X-Request-Id": "lost"})
    assert answer.status_code == 502
    assert "unreachable" in answer.json()["error"]
    assert answer.headers["X-Request-Id"] == "lost"
    (row,) = proxy.written()
    assert (row["request_id"], row["status"], row["response"]) == ("lost", 502, "")
    assert json.loads(row["request"]) == BODY
    assert "unreachable" in row["error"]


def test_a_slow_target_is_504_and_others_do_not_wait_for_it(start, server):
    proxy = start("--timeout", "2")
    server.fail_next(path="slow:predict", delay=10)
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(proxy.post, "/v1/models/slow:predict", json=BODY)
        while not any("slow:predict" in one.path for one in server.requests):
            time.sleep(0.01)
        assert proxy.post(json=BODY).status_code == 200
        assert slow.result().status_code == 504
    rows = {row["status"]: row for row in proxy.written()}
    assert "in time" in rows[504]["error"]


def test_a_connection_that_the_target_closes_is_tried_once_more(shared, server):
    server.fail_next(status=0, path="predict")
    assert shared.post(json=BODY).json() == {"predictions": [2, 4, 6]}
    server.fail_next(2, status=0, path="predict")
    assert shared.post(json=BODY).status_code == 502


def test_what_is_no_prediction_is_asked_once(shared, server):
    server.fail_next(status=0, path="any")
    assert shared.post("/any/change").status_code == 502


def test_answers_in_pieces_come_piece_by_piece(start):
    proxy = start()
    with proxy.post("/stream/invocations", json=BODY, stream=True) as answer:
        pieces = list(answer.iter_content(None))
    assert pieces == [b'{"piece": 0}\n', b'{"piece": 1}\n', b'{"piece": 2}\n']
    (row,) = proxy.written()
    assert row["response"].encode() == b"".join(pieces)


def test_large_bodies_pass_and_only_those_below_the_bound_are_logged(start):
    proxy = start("--max-body-mib", "2")
    small, large = os.urandom(1 << 20).hex()[: 1 << 20].encode(), bytes(20 << 20)
    for body in (small, large):
        assert proxy.post("/echo/invocations", data=body).content == body
        # Without a length, as a client sends what it is still making.
        answer = proxy.post("/echo/invocations", data=iter([body[:1000], body[1000:]]))
        assert answer.content == body
    rows = proxy.written()
    assert [row["request_bytes"] for row in rows] == [1 << 20, 1 << 20, 20 << 20, 20 << 20]
    assert [row["response_bytes"] for row in rows] == [1 << 20, 1 << 20, 20 << 20, 20 << 20]
    assert [row["request"] and row["request"].encode() for row in rows] == [small] * 2 + [None] * 2


def test_an_answer_that_the_target_breaks_off_is_broken_off(start):
    proxy = start()
    with pytest.raises(requests.RequestException):
        _ = proxy.post("/broken/invocations", json=BODY).content
    (row,) = proxy.written()
    assert row["status"] == 502
    assert "broke its answer off" in row["error"]


def test_a_compressed_answer_stays_compressed_for_the_client_and_is_readable_in_the_log(start):
    proxy = start()
    answer = proxy.post("/packed/invocations", json=BODY)
    assert answer.headers["Content-Encoding"] == "gzip"
    assert answer.json() == BODY
    (row,) = proxy.written()
    assert json.loads(row["response"]) == BODY


def test_a_client_that_goes_away_is_a_row_and_disturbs_nobody(start, server):
    proxy = start()
    head = f"POST {PREDICT} HTTP/1.1\r\nHost: x\r\nX-Request-Id: gone\r\n"
    # One goes in the middle of its request, one while it waits for its answer.
    with socket.create_connection(("127.0.0.1", proxy.port)) as client:
        client.sendall(f"{head}Content-Length: 100\r\n\r\n".encode() + b'{"instances"')
        time.sleep(0.1)
    server.fail_next(path="predict", after=True, delay=0.3, status=0)
    with socket.create_connection(("127.0.0.1", proxy.port)) as client:
        body = json.dumps(BODY)
        client.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())
        time.sleep(0.1)
    time.sleep(0.3)
    assert proxy.post(json=BODY).status_code == 200
    rows = proxy.written()
    gone = [row for row in rows if row["request_id"] == "gone"]
    assert [row["status"] for row in gone] == [499, 499]
    assert all("closed the connection" in row["error"] for row in gone)
    assert len(rows) == 3


def test_requests_beyond_the_most_wait_and_those_whose_client_has_gone_are_not_passed_on(
    start, server
):
    proxy = start("--concurrent", "2")
    server.fail_next(2, path="predict", after=True, delay=0.5, status=0)
    seen, before = len(server.requests), asked(server, "POST", PREDICT)

    def post(name: str) -> int:
        return proxy.post(json=BODY, headers={"X-Request-Id": name}).status_code

    with ThreadPoolExecutor(3) as pool:
        slow = [pool.submit(post, "slow") for _ in range(2)]
        while asked(server, "POST", PREDICT) < before + 2:
            time.sleep(0.01)
        with raw(proxy) as (connection, _):
            head = f"POST {PREDICT} HTTP/1.1\r\nHost: x\r\nX-Request-Id: impatient\r\n"
            connection.sendall(f"{head}Content-Length: 2\r\n\r\n{{}}".encode())
            patient = pool.submit(post, "patient")
            time.sleep(0.1)
        assert [one.result() for one in (*slow, patient)] == [200, 200, 200]
    headers = [
        {name.lower(): value for name, value in one.headers.items()}
        for one in server.requests[seen:]
        if one.path == PREDICT
    ]
    assert [one["x-request-id"] for one in headers] == ["slow", "slow", "patient"]
    rows = {row["request_id"]: row["status"] for row in proxy.written()}
    assert rows == {"slow": 200, "patient": 200, "impatient": 499}


def test_a_sample_is_chosen_by_request_id_and_says_its_rate(start, tmp_path):
    proxy = start("--sample", "0.3", "--model-version", "1")
    with requests.Session() as session:
        for _ in range(2):
            for number in range(200):
                headers = {"X-Request-Id": f"request-{number}"}
                session.post(proxy.url + PREDICT, json=BODY, headers=headers, timeout=60)
    rows = proxy.written()
    assert {row["sample_rate"] for row in rows} == {0.3}
    ids = [row["request_id"] for row in rows]
    # The same each time, so that a retry is where its first attempt was.
    assert ids[: len(ids) // 2] == ids[len(ids) // 2 :]
    assert 35 <= len(ids) // 2 <= 85


def test_a_log_that_can_not_be_written_costs_no_answer(start, tmp_path):
    blocked = tmp_path / "blocked"
    blocked.write_text("a file, where a folder should be")
    proxy = start("--roll-seconds", "0.1", "--buffer-mib", "0.01", log=blocked / "log")
    for _ in range(50):
        # Few of them find room, however small they are compressed.
        body = os.urandom(4096)
        assert proxy.post("/echo/invocations", data=body).content == body
    while not proxy.metric("retrainer_log_write_failures_total"):
        time.sleep(0.05)
    assert proxy.metric('retrainer_log_rows_total{result="dropped"}') > 0
    blocked.unlink()
    rows = proxy.written()
    dropped = int(proxy.entries[-1]["message"].split(", ")[1].split()[0])
    assert len(rows) + dropped == 50
    assert dropped > 0
    warnings = [one for one in proxy.entries if "can't write the log" in one["message"]]
    assert len(warnings) == 1


def test_clients_that_send_slowly_keep_no_other_waiting(start):
    proxy = start("--concurrent", "1")
    head = f"POST {PREDICT} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n".encode()
    with raw(proxy) as (first, _), raw(proxy) as (second, _):
        for connection in (first, second):
            connection.sendall(head + b'{"instances"')
        time.sleep(0.1)
        assert proxy.post(json=BODY).status_code == 200


@pytest.mark.slow
def test_a_bucket_that_is_down_for_a_while_costs_neither_answers_nor_rows(server):
    with StorageServer() as storage:
        environment = {"STORAGE_EMULATOR_HOST": storage.url}
        options = ("--roll-seconds", "0.2")
        with Proxy(server.url, "gs://logs/flights", *options, **environment) as proxy:
            assert proxy.post(json=BODY).status_code == 200
            while not storage.objects:
                time.sleep(0.02)
            storage.down = True
            for _ in range(20):
                assert proxy.post(json=BODY).json() == {"predictions": [2, 4, 6]}
                time.sleep(0.05)
            assert len(storage.objects) == 1
            storage.down = False
            assert proxy.terminate() == 0
        lines = [gzip.decompress(one).splitlines() for one in storage.objects.values()]
    assert sum(map(len, lines)) == 21


def test_a_crash_loses_what_is_in_memory_and_leaves_whole_files(start):
    proxy = start("--roll-seconds", "0.05")
    for _ in range(20):
        assert proxy.post(json=BODY).status_code == 200
    while proxy.metric('retrainer_log_rows_total{result="written"}') < 20:
        time.sleep(0.02)
    last = [proxy.post(json=BODY).headers["X-Request-Id"] for _ in range(5)]
    proxy.kill()
    rows = read_rows(proxy.log)
    assert len(rows) >= 20
    assert {row["request_id"] for row in rows[20:]} <= set(last)


def test_a_request_in_progress_is_answered_and_logged_after_sigterm(start, server):
    proxy = start()
    server.fail_next(path="predict", after=True, delay=0.5, status=0)
    with ThreadPoolExecutor(1) as pool:
        late = pool.submit(proxy.post, json=BODY)
        time.sleep(0.2)
        rows = proxy.written()
        assert late.result().json() == {"predictions": [2, 4, 6]}
    assert [row["status"] for row in rows] == [200]


def test_everything_else_is_passed_on_as_it_is(shared):
    for method in ("GET", "PUT", "DELETE", "PATCH", "OPTIONS", "POST"):
        path = "/any/a%2Fb//c?x=%20y&x=1+2"
        answer = requests.request(
            method, shared.url + path, headers={"Authorization": "Bearer t"}, timeout=60
        )
        seen = answer.json()
        assert (seen["method"], seen["path"]) == (method, path)
        assert seen["headers"]["Authorization"] == "Bearer t"
        assert answer.headers["X-Own"] == "kept"
        assert answer.raw.headers.getlist("Set-Cookie") == ["a=1", "b=2"]
    head = requests.head(shared.url + "/any/x", timeout=60)
    assert head.status_code == 200
    assert int(head.headers["Content-Length"]) > 0


@contextmanager
def raw(proxy: Proxy):
    """A bare connection, and a function that reads the next answer."""

    def read() -> str:
        text = ""
        while "\r\n\r\n" not in text:
            piece = connection.recv(65536).decode()
            assert piece, text
            text += piece
        length = re.search(r"content-length: (\d+)", text, re.IGNORECASE)
        while length and len(text.partition("\r\n\r\n")[2]) < int(length[1]):
            text += connection.recv(65536).decode()
        return text

    with socket.create_connection(("127.0.0.1", proxy.port), timeout=30) as connection:
        yield connection, read


def asked(server: ModelServer, method: str, path: str) -> int:
    """Count requests of this kind: the proxy also asks for the model's status now and then."""
    return sum(one.method == method and one.path.endswith(path) for one in server.requests)


def test_headers_of_one_connection_are_not_passed_on(shared):
    with raw(shared) as (connection, read):
        connection.sendall(
            b"GET /any/x HTTP/1.1\r\nHost: elsewhere\r\nConnection: keep-alive, x-private\r\n"
            b"X-Private: 1\r\nX-Public: 2\r\nTE: trailers\r\n\r\n"
        )
        text = read()
    headers = json.loads(text.partition("\r\n\r\n")[2])["headers"]
    assert headers["X-Public"] == "2"
    assert not {"X-Private", "TE", "Connection"} & set(headers)
    assert headers["Host"] != "elsewhere"


@pytest.mark.parametrize("path", ["http://elsewhere.example/any/x", "//elsewhere.example/any/x"])
def test_no_request_leads_anywhere_but_to_the_target(shared, server, path):
    before = asked(server, "GET", "/any/x")
    with raw(shared) as (connection, read):
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: elsewhere.example\r\n\r\n".encode())
        read()
    assert asked(server, "GET", "/any/x") == before + 1


def test_a_client_may_ask_before_it_sends_its_body(shared):
    body = json.dumps(BODY).encode()
    with raw(shared) as (connection, read):
        connection.sendall(
            f"POST {PREDICT} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
            f"Content-Length: {len(body)}\r\n\r\n".encode()
        )
        assert read().startswith("HTTP/1.1 100 Continue")
        connection.sendall(body)
        assert read().startswith("HTTP/1.1 200 OK")


def test_two_lengths_of_one_body_are_refused(shared, server):
    before = asked(server, "POST", PREDICT)
    with raw(shared) as (connection, read):
        connection.sendall(
            f"POST {PREDICT} HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
            "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n".encode()
        )
        assert " 400 " in read()
        assert asked(server, "POST", PREDICT) == before


def test_a_tunnel_is_refused(shared):
    with raw(shared) as (connection, read):
        connection.sendall(
            b"CONNECT elsewhere.example:443 HTTP/1.1\r\nHost: elsewhere.example\r\n\r\n"
        )
        assert read().startswith("HTTP/1.1 501")


def test_many_connections_at_once(shared):
    connections = [socket.create_connection(("127.0.0.1", shared.port)) for _ in range(300)]
    body = json.dumps(BODY).encode()
    head = f"POST {PREDICT} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    for connection in connections:
        connection.sendall(head + body)
    for connection in connections:
        with connection:
            connection.settimeout(30)
            assert connection.recv(65536).startswith(b"HTTP/1.1 200 OK")


def test_the_status_may_have_a_port_of_its_own(start):
    proxy = start("--status-port", "0")
    while len(proxy.ports) < 2:
        time.sleep(0.01)
    status = f"http://127.0.0.1:{proxy.ports[1]}"
    assert requests.get(f"{status}/healthz", timeout=60).json() == {"alive": True}
    assert "retrainer_log_rows_total" in requests.get(f"{status}/metrics", timeout=60).text
    assert requests.get(f"{status}/other", timeout=60).status_code == 404
    # The target's own, then.
    assert proxy.get("/healthz").status_code == 404


def test_metrics_count_requests_by_status(start):
    proxy = start()
    proxy.post(json=BODY)
    proxy.post(data="no JSON")
    assert proxy.metric('retrainer_proxy_requests_total{status="200"}') == 1
    assert proxy.metric('retrainer_proxy_requests_total{status="400"}') == 1
    assert proxy.get("/healthz").json() == {"alive": True}


@pytest.mark.parametrize(
    "target",
    ["localhost:8501", "http://", "ftp://host", "http://host/v1", "http://host:x", "http://h?q=1"],
)
def test_a_target_that_is_no_address_is_an_error(target):
    with pytest.raises(RetrainerError, match="--target is '"):
        check_target(target)
