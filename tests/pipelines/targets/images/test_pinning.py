"""Pinning images: a registry on loopback, and the real Docker client against an engine's API on loopback."""

import base64
import json
import os

import pytest
from aiohttp import web
from servers.image_registry import ImageRegistry
from servers.local_http import LocalServer

from retrainer.components.lib.errors import RetrainerError
from retrainer.pipelines.project.formats.image_names import parse_image
from retrainer.pipelines.targets.images import registry_api
from retrainer.pipelines.targets.images.pinning import pin_image
from retrainer.pipelines.targets.images.registry_logins import is_google

REPOSITORY = "acme-ml/images/retrainer"
DIGEST = "sha256:" + "a" * 64


class Engine(LocalServer):
    """The part of Docker's API that knows images.

    Attributes:
        here: Digests of images by name, as after a pull or a push.
        there: Digests of images in registries by name.
    """

    def __init__(self):
        super().__init__()
        self.here, self.there = {}, {}

    def routes(self):
        return [
            web.get("/version", self._version),
            web.get("/v1.44/images/{name:.+}/json", self._image),
            web.get("/v1.44/distribution/{name:.+}/json", self._distribution),
        ]

    async def _version(self, request):
        return web.json_response({"ApiVersion": "1.44", "MinAPIVersion": "1.24"})

    async def _image(self, request):
        name = request.match_info["name"]
        if name not in self.here:
            return web.json_response({"message": f"No such image: {name}"}, status=404)
        return web.json_response(
            {"Id": "sha256:1", "RepoTags": [name], "RepoDigests": self.here[name]}
        )

    async def _distribution(self, request):
        name = request.match_info["name"]
        if name not in self.there:
            return web.json_response({"message": "denied"}, status=403)
        return web.json_response({"Descriptor": {"digest": self.there[name]}, "Platforms": []})


@pytest.fixture(autouse=True)
def machine(monkeypatch, tmp_path):
    """A machine without an engine and without logins."""
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:9")
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    return tmp_path


@pytest.fixture
def engine(monkeypatch):
    with Engine() as server:
        monkeypatch.setenv("DOCKER_HOST", server.url.replace("http", "tcp"))
        yield server


@pytest.fixture
def registry():
    with ImageRegistry() as server:
        yield server


@pytest.fixture
def image(registry):
    """An image that a registry has."""
    registry.push(REPOSITORY, "1", "first")
    return f"{registry.host}/{REPOSITORY}:1"


def log_in(folder, registry, **entry):
    (folder / "config.json").write_text(json.dumps({"auths": {registry.host: entry}}))


def basic(user, password):
    return base64.b64encode(f"{user}:{password}".encode()).decode()


def test_a_tag_that_moved_is_what_the_registry_says_now(registry, engine, image):
    # What this machine has pulled is of last month.
    engine.here[image] = [f"{registry.host}/{REPOSITORY}@{DIGEST}"]
    digest = registry.push(REPOSITORY, "1", "second")
    assert pin_image(image).image == f"{registry.host}/{REPOSITORY}@{digest}"
    assert engine.requests == []


def test_a_tag_that_is_left_out_is_latest(registry):
    digest = registry.push(REPOSITORY, "latest", "newest")
    pinned = pin_image(f"{registry.host}/{REPOSITORY}")
    assert pinned.image == f"{registry.host}/{REPOSITORY}@{digest}"


def test_a_registry_that_says_no_digest_is_read(registry, image):
    registry.says_digest = False
    digest = registry.push(REPOSITORY, "1", "second")
    assert pin_image(image).image.endswith(digest)


def test_a_public_image_needs_a_token_and_no_login(registry, image):
    registry.wants = "bearer"
    assert pin_image(image).image.endswith(registry.push(REPOSITORY, "1", "first"))


@pytest.mark.parametrize("wants", ["bearer", "basic"])
def test_a_login_of_docker_is_used(registry, image, machine, wants):
    registry.wants, registry.login = wants, ("ci", "secret")
    assert "grants no access" in pin_image(image).reason
    log_in(machine, registry, auth=basic("ci", "secret"))
    assert pin_image(image).reason == ""
    log_in(machine, registry, auth=basic("ci", "wrong"))
    assert "secret" not in pin_image(image).reason
    assert "answer 401" in pin_image(image).reason


def test_a_login_by_token_is_used(registry, image, machine):
    registry.wants, registry.refresh_token = "bearer", "long-lived"
    log_in(machine, registry, identitytoken="long-lived")
    assert pin_image(image).reason == ""


@pytest.mark.parametrize("helpers", [{"credsStore": "test"}, "credHelpers"])
def test_a_credential_helper_is_asked(registry, image, machine, monkeypatch, helpers):
    registry.wants, registry.login = "bearer", ("ci", "secret")
    program = machine / "docker-credential-test"
    program.write_text(
        f"#!/bin/sh\nread address; [ $1 = get ] && [ $address = {registry.host} ] || exit 1\n"
        'echo \'{"ServerURL": "", "Username": "ci", "Secret": "secret"}\'\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{machine}{os.pathsep}{os.environ['PATH']}")
    content = helpers if isinstance(helpers, dict) else {helpers: {registry.host: "test"}}
    (machine / "config.json").write_text(json.dumps(content))
    assert pin_image(image).reason == ""


def test_google_s_registries_take_the_account_s_token(registry, image, monkeypatch):
    from servers.image_registry import TOKEN

    registry.wants, registry.login = "bearer", ("nobody", "")
    monkeypatch.setattr(registry_api, "is_google", lambda host: True)
    monkeypatch.setattr(registry_api, "google_token", lambda: TOKEN)
    assert pin_image(image).reason == ""
    assert [seen.path for seen in registry.requests if "token" in seen.path] == []


def test_without_a_google_account_the_reason_says_so(registry, image, monkeypatch):
    from google.auth.exceptions import DefaultCredentialsError

    def none():
        raise DefaultCredentialsError("no credentials")

    registry.wants = "bearer"
    monkeypatch.setattr(registry_api, "is_google", lambda host: True)
    monkeypatch.setattr(registry_api, "google_token", none)
    assert "gcloud auth application-default login" in pin_image(image).reason


@pytest.mark.parametrize(
    ("host", "google"),
    [
        ("europe-west1-docker.pkg.dev", True),
        ("gcr.io", True),
        ("eu.gcr.io", True),
        ("ghcr.io", False),
        ("docker.io", False),
        ("pkg.dev.example.com", False),
        ("notgcr.io", False),
    ],
)
def test_a_token_of_google_goes_to_google_alone(host, google):
    assert is_google(host) is google


def test_a_tag_that_is_not_there_stays_with_its_reason(registry, image):
    pinned = pin_image(image.replace(":1", ":1").rpartition(":")[0] + ":2")
    assert pinned.image.endswith(":2")
    assert pinned.reason == f"{registry.host} has no '{REPOSITORY}:2'"


def test_a_registry_that_can_t_be_reached_is_the_reason(registry, image):
    registry.stop()
    pinned = pin_image(image)
    assert pinned.image == image
    assert f"{registry.host} can't be reached: " in pinned.reason
    assert "refused" in pinned.reason


def test_a_registry_s_short_outage_is_waited_for(registry, image):
    registry.fail_next(1, status=503)
    assert pin_image(image).reason == ""


def test_an_engine_that_reaches_the_registry_is_asked(registry, engine, image):
    registry.stop()
    engine.here[image] = [f"{registry.host}/{REPOSITORY}@sha256:{'b' * 64}"]
    assert "can't be reached" in pin_image(image).reason
    engine.there[image] = DIGEST
    assert pin_image(image).image == f"{registry.host}/{REPOSITORY}@{DIGEST}"


def test_nobody_is_asked_about_a_digest_or_a_local_build(engine):
    whole = f"registry.example/retrainer@{DIGEST}"
    assert (pin_image(whole).image, pin_image(whole).reason) == (whole, "")
    assert pin_image("retrainer:0.1.0").reason == "its name has no registry"
    assert engine.requests == []


@pytest.mark.parametrize(
    ("image", "registry", "path", "reference"),
    [
        ("acme/retrainer", "docker.io", "acme/retrainer", "latest"),
        ("ghcr.io/acme/retrainer:1", "ghcr.io", "acme/retrainer", "1"),
        ("localhost/retrainer:1", "localhost", "retrainer", "1"),
        ("kind-registry:5000/retrainer", "kind-registry:5000", "retrainer", "latest"),
        ("registry.example:5000/a/b:1", "registry.example:5000", "a/b", "1"),
        (f"ghcr.io/acme/retrainer:1@{DIGEST}", "ghcr.io", "acme/retrainer", DIGEST),
    ],
)
def test_a_name_is_taken_apart_as_docker_does(image, registry, path, reference):
    name = parse_image(image)
    assert (name.registry, name.path, name.reference) == (registry, path, reference)


@pytest.mark.parametrize("image", ["", "a b", ":1", "/x", "x/", "registry.example/@sha256:1"])
def test_what_is_no_image_is_refused(image):
    with pytest.raises(RetrainerError, match="is not an image's name"):
        parse_image(image)


def test_a_digest_of_another_kind_is_refused():
    with pytest.raises(RetrainerError, match="is not an image's name"):
        parse_image("registry.example/retrainer@md5:1")
