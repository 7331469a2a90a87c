import hashlib

import pytest
from servers.registry import RegistryServer
from servers.vertex_cases import compiled

from retrainer.components.lib.errors import RetrainerError
from retrainer.pipelines.targets.errors import RefusedError, UnavailableError
from retrainer.pipelines.targets.templates import push_template, resolve_template

REAL = "https://europe-west1-kfp.pkg.dev/acme-ml/templates"
DIGEST = f"sha256:{'0' * 64}"


@pytest.fixture
def server():
    with RegistryServer() as running:
        yield running


def test_a_template_is_pushed_as_it_was_compiled_and_named_by_its_digest(server):
    pipeline = compiled()
    uri = push_template(server.repository, pipeline.text, pipeline.name, ("latest", "v1"))
    digest = f"sha256:{hashlib.sha256(pipeline.text.encode()).hexdigest()}"
    assert uri == f"{server.repository}/{pipeline.name}/{digest}"
    assert server.versions == {(pipeline.name, digest): pipeline.text}
    assert set(server.tags) == {(pipeline.name, "latest"), (pipeline.name, "v1")}


def test_a_tag_is_resolved_to_the_digest_it_has_now(server):
    pipeline = compiled()
    first = push_template(server.repository, pipeline.text, pipeline.name, ("latest",))
    by_tag = f"{server.repository}/{pipeline.name}/latest"
    assert resolve_template(by_tag) == first
    second = push_template(server.repository, pipeline.text + "\n", pipeline.name, ["latest"])
    assert first != second
    assert resolve_template(by_tag) == second


def test_a_digest_is_taken_as_it_is_without_asking(server):
    for uri in (f"{server.repository}/orders/{DIGEST}", f"{REAL}/orders/{DIGEST}"):
        assert resolve_template(uri) == uri
    assert server.requests == []


def test_given_credentials_go_over_the_wire(server):
    from kfp.registry import ApiAuth

    pipeline, token = compiled(), ApiAuth("secret")
    push_template(server.repository, pipeline.text, pipeline.name, ("latest",), token)
    resolve_template(f"{server.repository}/{pipeline.name}/latest", token)
    assert server.authorizations == ["Bearer secret"] * 2


@pytest.mark.parametrize(
    ("repository", "package", "tags", "says"),
    [
        ("", "orders", (), "targets.vertex.template_repository"),
        ("https://europe-west1-docker.pkg.dev/a/b", "orders", (), "must be https://<region>-kfp"),
        ("http://europe-west1-kfp.pkg.dev/a/b", "orders", (), "must be https://<region>-kfp"),
        (f"{REAL}/orders", "orders", (), "must be https://<region>-kfp"),
        (REAL, "abc", (), r"'abc' would be refused: 4 to 128 .* \(3 here\)"),
        (REAL, "Orders", (), "'Orders' would be refused"),
        (REAL, "orders", ("a b",), "the tag 'a b' would be refused"),
        (REAL, "orders", (DIGEST,), "the tag 'sha256:0"),
        (REAL, "orders", ("a,b",), "the tag 'a,b'"),
        (REAL, "orders", tuple("abcdefghi"), "9 tags; a template has at most 8"),
    ],
)
def test_what_the_registry_would_refuse_is_refused_here(repository, package, tags, says):
    with pytest.raises(RetrainerError, match=says):
        push_template(repository, "x", package, tags)


@pytest.mark.parametrize(
    ("uri", "says"),
    [
        (f"{REAL}/orders", "must be https://.*<tag or digest>"),
        ("gs://bucket/pipeline.yaml", "must be https://"),
        (f"{REAL}/orders/sha256:12", "ends in no digest"),
        (f"{REAL}/or ders/latest", "'or ders' would be refused"),
    ],
)
def test_what_is_no_template_is_refused_without_asking(uri, says):
    with pytest.raises(RetrainerError, match=says):
        resolve_template(uri)


def test_a_missing_tag_is_named(server):
    with pytest.raises(RefusedError, match=r"Tag v9 not found\.* Do the repository"):
        resolve_template(f"{server.repository}/orders/v9")


@pytest.mark.parametrize(
    ("status", "kind", "says"),
    [
        (401, RefusedError, "gcloud auth application-default login"),
        (403, RefusedError, "roles/artifactregistry.writer"),
        (503, UnavailableError, "Try again later"),
        (0, UnavailableError, "can't be reached"),
    ],
)
def test_a_registry_that_fails_is_named_with_the_fix(server, status, kind, says):
    server.fail_next(1, status=status)
    with pytest.raises(kind, match=says):
        push_template(server.repository, compiled().text, compiled().name, ("latest",))


def test_what_is_no_registry_is_named(server):
    server.fail_next(1, status=200)
    with pytest.raises(RefusedError, match="does not answer as a registry of templates"):
        push_template(server.repository, compiled().text, compiled().name, ("latest",))


def test_missing_credentials_are_named_with_the_fix(monkeypatch, tmp_path):
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))
    with pytest.raises(RefusedError, match="gcloud auth application-default login"):
        resolve_template(f"{REAL}/orders/latest")
