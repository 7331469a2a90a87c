"""E-mail through a real SMTP conversation."""

import pytest
from servers.smtp import SmtpServer, make_certificate

from retrainer.components.lib.messages.send_errors import MaybeSentError, NotSentError
from retrainer.components.notify_outcome.channels import parse_channel
from retrainer.components.notify_outcome.notification import Notification

NOTICE = Notification(
    "flights",
    "run-1",
    "stopped",
    "2 columns drift: <dep_delay>, «Gepäck» & more",
    task="validate_examples",
    span="2013-12",
    champion_version=2,
    run_link="https://console.example.com/run?a=1&b=2",
    report_link="/store/runs/run-1/reports/validate-examples.html",
)
PASSWORD = "correct horse"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def trusted(certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    monkeypatch.setenv("RETRAINER_SMTP_PASSWORD", PASSWORD)


def mail_to(server, **settings):
    channel = {
        "kind": "email",
        "host": "127.0.0.1",
        # KFP hands numbers over as floating point.
        "port": float(server.port),
        "sender": "Retrainer <bot@example.com>",
        "to": ["team@example.com", "on-call@example.com"],
        **settings,
    }
    return parse_channel(channel).sender


def send(server, seconds=5.0, **settings):
    mail_to(server, **settings).send(NOTICE, seconds)


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_mail_arrives_encrypted_with_text_and_html(certificate, trusted, security):
    with SmtpServer(certificate, tls=security == "tls", password=PASSWORD) as server:
        send(server, security=security, user="bot")
    ((message, recipients),) = server.messages
    assert server.encrypted == [True]
    assert recipients == ["team@example.com", "on-call@example.com"]
    assert message["Subject"] == "flights: the run was stopped"
    assert message["From"] == "Retrainer <bot@example.com>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Message-ID"].endswith("@example.com>")
    plain, page = (part.get_content() for part in message.iter_parts())
    assert "2 columns drift: <dep_delay>, «Gepäck» & more" in plain
    assert "champion     version 2" in plain
    assert "report: /store/runs/run-1/reports/validate-examples.html" in plain
    assert "2 columns drift: &lt;dep_delay&gt;, «Gepäck» &amp; more" in page
    assert '<a href="https://console.example.com/run?a=1&amp;b=2">run</a>' in page
    assert "<code>/store/runs/run-1/reports/validate-examples.html</code>" in page


def test_a_relay_in_a_private_network_may_take_it_unencrypted():
    with SmtpServer() as server:
        send(server, security="none")
    assert server.encrypted == [False]


def test_nothing_goes_out_unencrypted_where_it_must_not(trusted):
    with SmtpServer() as server, pytest.raises(NotSentError, match="STARTTLS"):
        send(server)
    assert server.messages == []


def test_a_certificate_that_is_not_trusted_is_refused(certificate):
    refused = pytest.raises(NotSentError, match="no encrypted connection")
    with SmtpServer(certificate) as server, refused as caught:
        send(server)
    assert not caught.value.transient
    assert "Name a file with the certificates that sign it in REQUESTS_CA_BUNDLE" in str(
        caught.value
    )


def test_a_wrong_password_is_reported_without_the_password(certificate, trusted, monkeypatch):
    monkeypatch.setenv("RETRAINER_SMTP_PASSWORD", "battery staple")
    refused = pytest.raises(NotSentError, match=r"refuses the password of 'bot' \(535\)")
    with SmtpServer(certificate, password=PASSWORD) as server, refused as caught:
        send(server, user="bot")
    assert "battery" not in str(caught.value)
    assert not caught.value.transient


@pytest.mark.parametrize(
    ("answers", "kind", "transient", "says"),
    [
        ({"RCPT": ["550 no such user"] * 2}, NotSentError, False, "refuses the recipients team@"),
        ({"RCPT": ["451 later"] * 2}, NotSentError, True, "refuses the recipients"),
        ({"MAIL": ["553 not you"]}, NotSentError, False, "refuses the sender Retrainer"),
        ({"END": ["554 spam"]}, NotSentError, False, "refuses the message: 554 spam"),
        ({"END": ["452 full"]}, NotSentError, True, "refuses the message: 452 full"),
        ({"END": [None]}, MaybeSentError, None, "the connection to 127.0.0.1 broke"),
        ({"RCPT": ["550 no such user"]}, MaybeSentError, None, "team@.*, and took the others"),
    ],
)
def test_what_the_server_refuses_is_distinguished_from_what_is_not_known(
    answers, kind, transient, says
):
    with SmtpServer() as server:
        server.answers = {command: list(lines) for command, lines in answers.items()}
        with pytest.raises(kind, match=says) as caught:
            send(server, security="none")
    if transient is not None:
        assert caught.value.transient is transient


@pytest.mark.parametrize(("command", "kind"), [("EHLO", NotSentError), ("END", MaybeSentError)])
def test_a_server_that_hangs_is_left(command, kind):
    with SmtpServer() as server:
        server.hangs = {command}
        with pytest.raises(kind):
            send(server, seconds=0.3, security="none")


def test_a_server_that_is_not_there_is_worth_another_try():
    with SmtpServer() as server:
        sender = mail_to(server, security="none")
    with pytest.raises(NotSentError, match="can't be reached") as caught:
        sender.send(NOTICE, 5.0)
    assert caught.value.transient
