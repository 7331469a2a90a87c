import pytest
import yaml
from servers.kubeflow import SMALL_PIPELINE, KubeflowServer

from retrainer.components.lib.errors import RetrainerError
from retrainer.pipelines.definitions.compiled import Pipeline
from retrainer.pipelines.project.sections.targets import KubeflowConfig
from retrainer.pipelines.targets.errors import RefusedError, UnauthenticatedError
from retrainer.pipelines.targets.kubeflow.target import KubeflowTarget
from retrainer.pipelines.targets.types import RunRequest

PIPELINE = Pipeline("orders", SMALL_PIPELINE, next(iter(yaml.safe_load_all(SMALL_PIPELINE))))
REQUEST = RunRequest("orders-1")


@pytest.fixture
def server():
    with KubeflowServer(token="s3cret-token") as server:
        yield server


@pytest.fixture
def token_file(tmp_path):
    return tmp_path / "token"


def make(server, token_file=""):
    return KubeflowTarget(KubeflowConfig(host=server.url, token_file=str(token_file)), PIPELINE)


def test_the_token_of_the_variable_is_sent(server, monkeypatch):
    monkeypatch.setenv("RETRAINER_KUBEFLOW_TOKEN", "s3cret-token")
    assert make(server).submit(REQUEST)


def test_the_token_of_the_file_is_sent_without_its_end_of_line(server, token_file):
    token_file.write_text("s3cret-token\n")
    assert make(server, token_file).submit(REQUEST)


def test_the_variable_goes_over_the_file(server, token_file, monkeypatch):
    token_file.write_text("stale")
    monkeypatch.setenv("RETRAINER_KUBEFLOW_TOKEN", "s3cret-token")
    assert make(server, token_file).submit(REQUEST)


def test_a_token_that_was_replaced_on_disk_is_the_next_one_sent(server, token_file):
    token_file.write_text("s3cret-token")
    target = make(server, token_file)
    submission = target.submit(REQUEST)
    server.token = "next-token"
    with pytest.raises(RefusedError, match="answered 401"):
        target.status(submission)
    # Kubernetes puts a new file in the place of the old one.
    replacement = token_file.with_suffix(".new")
    replacement.write_text("next-token")
    replacement.rename(token_file)
    assert target.status(submission)


def test_without_a_token_none_is_sent(server):
    server.token = ""
    make(server).submit(REQUEST)
    assert all("Authorization" not in its.headers for its in server.requests)


def test_a_missing_token_file_is_named(server, token_file):
    with pytest.raises(RetrainerError, match=r"token' \(targets.kubeflow.token_file\) can't be re"):
        make(server, token_file).submit(REQUEST)
    assert server.requests == []


@pytest.mark.parametrize("content", [b"", b" \n", b"s3cret two", b"s3cret\nX: y", b"s3cret\xff"])
def test_what_is_no_token_is_reported_and_not_sent(server, token_file, content):
    token_file.write_bytes(content)
    with pytest.raises(RetrainerError, match="does not hold a bearer token: one word") as raised:
        make(server, token_file).submit(REQUEST)
    assert "s3cret" not in show(raised.value)
    assert server.requests == []


def test_a_token_is_never_shown(server, token_file, monkeypatch):
    server.token = "another"
    token_file.write_text("s3cret-token")
    targets = [make(server, token_file)]
    monkeypatch.setenv("RETRAINER_KUBEFLOW_TOKEN", "s3cret-token")
    targets.append(make(server))
    for target in targets:
        with pytest.raises(RefusedError) as raised:
            target.submit(REQUEST)
        shown = [show(raised.value), repr(target), str(vars(target)), str(target.describe(REQUEST))]
        assert not any("s3cret" in text for text in shown)
    assert server.requests[0].headers["Authorization"] == "Bearer s3cret-token"


def test_a_session_cookie_opens_what_has_a_login_page(server, monkeypatch):
    server.token, server.cookie = "", "authservice_session=s3cret"
    with pytest.raises(UnauthenticatedError, match="RETRAINER_KUBEFLOW_COOKIE"):
        make(server).submit(REQUEST)
    monkeypatch.setenv("RETRAINER_KUBEFLOW_COOKIE", "authservice_session=s3cret")
    assert make(server).submit(REQUEST)


@pytest.mark.parametrize("cookie", ["s3cret", "a=s3cret\nX: y"])
def test_what_is_no_cookie_is_refused_and_not_shown(server, monkeypatch, cookie):
    monkeypatch.setenv("RETRAINER_KUBEFLOW_COOKIE", cookie)
    with pytest.raises(UnauthenticatedError, match="does not hold a cookie") as raised:
        make(server)
    assert "s3cret" not in show(raised.value)


def show(error):
    """Return all that a traceback would say of an error and its causes."""
    texts = []
    while error:
        texts.append(f"{error} {error!r} {vars(error)}")
        error = error.__cause__ or error.__context__
    return " ".join(texts)
