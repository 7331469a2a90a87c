"""Pinning images, with the real Docker client against an engine's API on loopback."""

import pytest
from aiohttp import web
from servers.local_http import LocalServer

from retrainer.components.lib.errors import RetrainerError
from retrainer.pipelines.targets.images import check_image, pin_image

NAME = "europe-west1-docker.pkg.dev/acme-ml/images/retrainer"
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


@pytest.fixture
def engine(monkeypatch):
    with Engine() as server:
        monkeypatch.setenv("DOCKER_HOST", server.url.replace("http", "tcp"))
        yield server


def test_an_image_that_was_pushed_from_here_is_pinned(engine):
    engine.here[f"{NAME}:1"] = [f"elsewhere/retrainer@{DIGEST}", f"{NAME}@{DIGEST}"]
    assert pin_image(f"{NAME}:1") == f"{NAME}@{DIGEST}"


def test_an_image_that_only_its_registry_knows_is_pinned(engine):
    engine.there[f"{NAME}:1"] = DIGEST
    assert pin_image(f"{NAME}:1") == f"{NAME}@{DIGEST}"


def test_a_registrys_port_is_no_tag(engine):
    engine.there["registry.example:5000/retrainer:1"] = DIGEST
    assert (
        pin_image("registry.example:5000/retrainer:1")
        == f"registry.example:5000/retrainer@{DIGEST}"
    )


def test_an_image_that_nobody_knows_stays_as_it_is(engine):
    assert pin_image(f"{NAME}:1") == f"{NAME}:1"


@pytest.mark.parametrize("image", [f"{NAME}@{DIGEST}", "retrainer:0.1.0"])
def test_nobody_is_asked_about_a_digest_or_a_local_build(engine, image):
    assert pin_image(image) == image
    assert engine.requests == []


def test_without_an_engine_the_image_stays_as_it_is(monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:9")
    assert pin_image(f"{NAME}:1") == f"{NAME}:1"


@pytest.mark.parametrize("image", ["", "a b", ":1", "/x", "x/", f"{NAME}@md5:1"])
def test_what_is_no_image_is_refused(image):
    with pytest.raises(RetrainerError, match="is no image"):
        check_image(image)
