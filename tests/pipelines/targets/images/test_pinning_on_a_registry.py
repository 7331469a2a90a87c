"""Pinning images of the CNCF's own registry."""

import base64
import json

import pytest
from servers.reference_registry import PASSWORD, USER, ReferenceRegistry

from retrainer.pipelines.targets.images.pinning import pin_image

pytestmark = pytest.mark.integration("go")
NAME = "acme-ml/images/retrainer"


@pytest.fixture(autouse=True)
def machine(monkeypatch, tmp_path):
    """A machine without an engine and without logins."""
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:9")
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))


def test_a_tag_is_pinned_to_what_the_registry_has_now(tmp_path):
    with ReferenceRegistry(tmp_path) as registry:
        image = f"{registry.host}/{NAME}"
        for push in (registry.push, registry.push_index):
            for content in ("first", "second"):
                digest = push(NAME, "1", content)
                assert pin_image(f"{image}:1").image == f"{image}@{digest}"
        assert pin_image(f"{image}:2").reason == f"{registry.host} has no '{NAME}:2'"
        assert "has no 'other/image:1'" in pin_image(f"{registry.host}/other/image:1").reason


def test_a_login_is_what_a_locked_registry_wants(tmp_path):
    with ReferenceRegistry(tmp_path, locked=True) as registry:
        digest = registry.push(NAME, "1", "first")
        image = f"{registry.host}/{NAME}:1"
        assert "grants no access" in pin_image(image).reason
        login = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        config = {"auths": {registry.host: {"auth": login}}}
        (tmp_path / "config.json").write_text(json.dumps(config))
        assert pin_image(image).image.endswith(digest)
