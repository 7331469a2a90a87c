import dataclasses

import pytest
from servers.vertex_serving_cases import model, section

from retrainer.components.lib.serving.vertex.settings import (
    VertexSettings,
    label_value,
    model_id,
)


def settings(**changes):
    return VertexSettings.of(section(**changes), "orders")


def test_a_model_is_named_as_its_pipeline_within_63_characters():
    assert model_id("o" * 63) == "o" * 63
    first, second = model_id("o" * 64 + "a"), model_id("o" * 64 + "b")
    assert first != second
    assert len(first) == 63


def test_labels_keep_the_end_of_what_is_too_long():
    assert label_value("Orders/2026.01") == "orders-2026-01"
    assert label_value("x" * 70 + "-tail") == "x" * 58 + "-tail"


@pytest.mark.parametrize(
    "changes",
    [
        {"machine_type": "n1-standard-4"},
        {"accelerator_type": "NVIDIA_TESLA_T4"},
        {"accelerator_type": "NVIDIA_TESLA_T4", "accelerator_count": 2},
        {"service_account": "s@acme-ml.iam.gserviceaccount.com"},
        {"shared_resources": "projects/p/locations/europe-west1/deploymentResourcePools/a"},
        {"image": "europe-docker.pkg.dev/acme-ml/serve/tf:3"},
        {"env": {"A": "1"}},
        {"port": 8501},
    ],
)
def test_what_serves_otherwise_is_another_deployment(changes):
    plain = settings(
        **({"accelerator_type": "NVIDIA_TESLA_T4"} if "accelerator_count" in changes else {})
    )
    other = settings(**changes)
    assert plain.deployment(model(7)) != other.deployment(model(7))
    assert other.version_of(other.deployment(model(7))) == 7


def test_what_changes_in_place_is_the_same_deployment():
    same = settings(
        min_replicas=2, max_replicas=4, accelerator_count=3, labels={"a": "b"}, take_over=True
    )
    assert settings().deployment(model(7)) == same.deployment(model(7))


def test_another_content_of_a_version_is_another_deployment():
    other = dataclasses.replace(model(7), digest="sha256:other")
    assert settings().deployment(model(7)) != settings().deployment(other)


@pytest.mark.parametrize(
    "name", ["orders-v7", "orders-v7-12345678x", "other-v7-12345678", "orders-vx-12345678", ""]
)
def test_other_names_are_not_ours(name):
    assert settings().version_of(name) is None
