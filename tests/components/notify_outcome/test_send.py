"""Sending a message: each channel once, whatever the server does."""

import hashlib
import hmac
import json
import logging
import os
import socket
import ssl
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from servers.receiver import Receiver
from servers.smtp import make_certificate

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.notify_outcome import send as send_module
from retrainer.components.notify_outcome.channels import parse_channel
from retrainer.components.notify_outcome.notification import Notification
from retrainer.components.notify_outcome.send import send_all

NOTICE = Notification(
    "flights", "run-1", "refused", "refused, no model serves yet: auc 0.6 is below 0.7"
)
SECRET_PATH = "T0001-B0002-a-secret"


@pytest.fixture(scope="module")
def server():
    with Receiver() as server:
        yield server


@pytest.fixture
def receiver(server):
    server.requests.clear()
    server._faults.clear()
    server.status, server.text, server.down = 200, "ok", False
    return server


@pytest.fixture
def claims(tmp_path):
    return str(tmp_path / "store" / "runs" / "run-1" / "notified")


@pytest.fixture
def send(claims, monkeypatch):
    monkeypatch.setattr(send_module, "ATTEMPT_SECONDS", 0.5)

    def send_(*channels, notice=NOTICE, claims_uri=claims, seconds=20.0):
        parsed = [parse_channel({"on": ["refused"], **channel}) for channel in channels]
        return send_all(parsed, notice, claims_uri, seconds, pauses=(0.01, 0.01))

    return send_


def webhook(receiver, **more):
    return {"kind": "webhook", "name": "webhook", "url": f"{receiver.url}/hook", **more}


def test_a_webhook_gets_the_json_and_a_signature_that_its_receiver_can_check(
    send, receiver, monkeypatch
):
    monkeypatch.setenv("HOOK_SECRET", "shared\n")
    (sent,) = send(webhook(receiver, secret_env="HOOK_SECRET"))
    assert (sent.ok, sent.words) == (True, "sent")
    (request,) = receiver.requests
    content = json.loads(request.body)
    assert content["outcome"] == "refused"
    assert content["id"] == request.headers["X-Retrainer-Id"]
    assert request.headers["Content-Type"].startswith("application/json")
    expected = hmac.new(b"shared", request.body, hashlib.sha256).hexdigest()
    assert request.headers["X-Retrainer-Signature-256"] == f"sha256={expected}"


def test_what_was_sent_is_not_sent_again(send, receiver):
    assert [send(webhook(receiver))[0].words for _ in range(3)] == [
        "sent",
        "sent before",
        "sent before",
    ]
    assert len(receiver.requests) == 1


def test_another_reason_is_another_message(send, receiver):
    send(webhook(receiver))
    send(webhook(receiver), notice=Notification("flights", "run-1", "refused", "another reason"))
    assert len(receiver.requests) == 2


def test_two_tasks_at_once_send_one_message(send, receiver):
    threads = [threading.Thread(target=send, args=(webhook(receiver),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(receiver.requests) == 1


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_server_that_refuses_for_now_is_asked_again(send, receiver, status):
    receiver.fail_next(2, status=status)
    (sent,) = send(webhook(receiver))
    assert sent.ok
    assert len(receiver.requests) == 3


def test_a_server_that_refuses_for_good_is_asked_once_and_a_later_run_of_the_task_may_try_again(
    send, receiver
):
    receiver.status, receiver.text = 404, "no_team"
    (sent,) = send(webhook(receiver))
    assert not sent.ok
    assert sent.words == "not sent: 127.0.0.1 answered 404 (no_team)"
    assert len(receiver.requests) == 1
    receiver.status = 200
    assert send(webhook(receiver))[0].words == "sent"


@pytest.mark.parametrize(
    "fault",
    [{"status": 0, "after": True}, {"status": 502, "after": True}, {"status": 0, "delay": 2.0}],
    ids=["hangs up", "gateway", "late"],
)
def test_a_lost_reply_is_never_followed_by_a_second_message(send, receiver, fault):
    receiver.fail_next(1, **fault)
    (sent,) = send(webhook(receiver))
    assert not sent.ok
    assert sent.words.startswith("it is not known whether it was taken: ")
    assert send(webhook(receiver))[0].words == "sent before"
    assert len(receiver.requests) == 1


def test_a_redirect_is_not_followed(send, receiver):
    receiver.status = 302
    (sent,) = send(webhook(receiver))
    assert "redirects (302)" in sent.words
    assert len(receiver.requests) == 1


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://no-such-host.invalid/hook", "the host 'no-such-host.invalid' is unknown"),
        ("http://127.0.0.1:{port}/hook", "127.0.0.1 can't be reached"),
    ],
)
def test_what_was_never_reached_is_reported_and_can_be_sent_later(send, url, says, claims):
    url = url.format(port=free_port())
    (sent,) = send({"kind": "webhook", "name": "webhook", "url": url})
    assert (sent.ok, sent.words) == (False, f"not sent: {says}")
    assert os.listdir(claims) == []


def test_a_proxy_that_the_environment_names_is_used(send, receiver, monkeypatch):
    proxy = f"http://127.0.0.1:{free_port()}"
    monkeypatch.setenv("http_proxy", proxy)
    (sent,) = send({"kind": "webhook", "name": "webhook", "url": "http://chat.example.com/hook"})
    assert f"chat.example.com can't be reached through the proxy {proxy} (HTTP_PROXY)" in sent.words


def test_a_companys_certificate_is_asked_for_and_used(send, tmp_path, monkeypatch):
    certificate = make_certificate(tmp_path)
    with secure_server(certificate) as port:
        channel = {"kind": "webhook", "name": "webhook", "url": f"https://127.0.0.1:{port}/hook"}
        (sent,) = send(channel)
        assert sent.words == (
            "not sent: the certificate of 127.0.0.1 is not trusted. Name a file with the certificates that sign it in "
            "REQUESTS_CA_BUNDLE."
        )
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        (sent,) = send(channel)
        assert sent.words == "sent"


@contextmanager
def secure_server(certificate):
    class Taker(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            """Print nothing."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_):
            """A client that does not trust the certificate hangs up."""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with Server(("127.0.0.1", 0), Taker) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server.server_port
        server.shutdown()


def test_a_server_that_hangs_for_ever_keeps_nobody(send, receiver, monkeypatch):
    monkeypatch.setattr(send_module, "ATTEMPT_SECONDS", 30.0)
    receiver.fail_next(1, status=0, delay=3.0)
    slow, fast = send(
        webhook(receiver), webhook(receiver, name="webhook[1]", secret_file=""), seconds=1.0
    )
    words = {slow.words, fast.words}
    assert "no answer within 1 s; it is not known whether it was taken" in words


def test_no_secret_is_in_the_result_or_in_a_log(send, receiver, monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    for url in (
        f"http://127.0.0.1:{free_port()}/hook/{SECRET_PATH}",
        f"{receiver.url}/hook/{SECRET_PATH}",
        f"http://[{SECRET_PATH}/hook",
        f"no scheme {SECRET_PATH}",
    ):
        monkeypatch.setenv("RETRAINER_SLACK_URL", url)
        receiver.status, receiver.text = 500, ""
        (sent,) = send({"kind": "slack", "name": "slack"}, claims_uri=None)
        assert not sent.ok
        assert SECRET_PATH not in repr(sent)
    assert SECRET_PATH not in caplog.text


def test_a_missing_secret_names_the_variable(send, monkeypatch):
    monkeypatch.delenv("RETRAINER_SLACK_URL", raising=False)
    (sent,) = send({"kind": "slack", "name": "slack"})
    assert sent.words == (
        "not sent: the address is missing: the environment variable RETRAINER_SLACK_URL is empty or not set where "
        "this runs"
    )


def test_a_secret_may_be_in_a_file(send, receiver, tmp_path):
    file = tmp_path / "url"
    file.write_text(f"{receiver.url}/hook/x\n")
    assert send({"kind": "slack", "name": "slack", "url_file": str(file)})[0].ok
    (sent,) = send({"kind": "slack", "name": "slack", "url_file": str(tmp_path / "gone")})
    assert "can't be read from" in sent.words


def test_a_store_that_can_not_be_written_keeps_no_message_back(send, receiver, tmp_path):
    (tmp_path / "file").touch()
    (sent,) = send(webhook(receiver), claims_uri=str(tmp_path / "file" / "notified"))
    assert (sent.ok, sent.words) == (True, "sent")
    assert sent.warning.startswith("the claim file could not be created")
    assert len(receiver.requests) == 1


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"kind": "carrier-pigeon"}, "channel kind 'carrier-pigeon' is unknown; use webhook"),
        ({"kind": "webhook"}, "needs one of url, url_env and url_file, and has none"),
        ({"kind": "webhook", "url": "http://a", "url_env": "B"}, "has url and url_env"),
        ({"kind": "webhook", "url": "file:///etc"}, "must begin with https:// or http://"),
        ({"kind": "slack", "url_env": "A", "url_file": "b"}, "both url_env and url_file"),
        ({"kind": "pubsub", "topic": "projects/a/topics/"}, "must be projects/<project>/topics/"),
        ({"kind": "email", "host": "smtp://a", "sender": "a@b.c", "to": ["a@b.c"]}, "host is"),
        ({"kind": "email", "host": "a", "sender": "a@b\nBcc: x@y", "to": ["a@b.c"]}, "sender has"),
        ({"kind": "email", "host": "a", "sender": "a@b.c", "to": ["nobody"]}, "to has 'nobody'"),
        (
            {
                "kind": "email",
                "host": "a",
                "sender": "a@b.c",
                "to": ["a@b.c"],
                "user": "u",
                "security": "none",
            },
            "would send the password of 'u' unencrypted",
        ),
    ],
)
def test_wrong_settings_of_a_channel_are_refused(settings, says):
    with pytest.raises(RetrainerError, match=says):
        parse_channel(settings)


def test_a_webhook_gets_the_login_of_its_address_and_none_of_netrc(
    send, receiver, tmp_path, monkeypatch
):
    netrc = tmp_path / "netrc"
    netrc.write_text("default login me password other\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    (sent,) = send(webhook(receiver))
    assert sent.ok
    with_login = receiver.url.replace("://", "://bot:pass@")
    (sent,) = send({"kind": "webhook", "name": "webhook", "url": f"{with_login}/hook"})
    assert sent.ok
    without, given = (request.headers.get("Authorization") for request in receiver.requests)
    assert without is None
    assert given == "Basic Ym90OnBhc3M="
