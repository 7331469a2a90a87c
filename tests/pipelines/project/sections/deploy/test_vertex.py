import pytest
from pydantic import ValidationError
from servers.vertex_serving_cases import VPC, section

from retrainer.components.lib.serving.vertex.settings import VertexSettings
from retrainer.pipelines.project.sections.deploy.vertex import VertexDeployment
from retrainer.pipelines.project.sections.quality import ServingConfig

KEY = "projects/acme-ml/locations/us-central1/keyRings/r/cryptoKeys/k"


def read(**changes):
    return VertexDeployment.model_validate(section(**changes))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"project": "Acme"}, "a project's id such as acme-ml"),
        ({"region": "europe"}, "a region such as europe-west1"),
        ({"endpoint": "x" * 129}, "128"),
        ({"endpoint": 'live"'}, "128"),
        ({"model": "7up"}, "no digit or '-' first"),
        ({"machine_type": "big"}, "n1-standard-2"),
        ({"accelerator_type": "t4"}, "NVIDIA_TESLA_T4"),
        ({"network": "projects/acme/global/networks/ml"}, "the project's number"),
        ({"network": VPC, "psc_projects": ["a"]}, "network and psc_projects are both set"),
        ({"network": VPC, "dedicated_dns": True}, "network and dedicated_dns are both set"),
        ({"min_replicas": 3, "max_replicas": 2}, "max_replicas is 2, below min_replicas, 3"),
        ({"min_replicas": 0}, "greater than or equal to 1"),
        ({"encryption_key": KEY}, "encryption_key is in 'us-central1'"),
        ({"labels": {"Team": "x"}}, "the label 'Team' would be refused"),
        ({"request_log": {"sampling_rate": 1.5}}, "less than or equal to 1"),
        ({"request_log": {"table": "logs.t"}}, "bq://"),
        ({"traffic": 10}, "Extra inputs"),
    ],
)
def test_what_vertex_ai_would_refuse_is_refused_when_the_file_is_read(changes, words):
    with pytest.raises(ValidationError) as caught:
        read(**changes)
    assert words in str(caught.value)


def test_what_an_endpoint_can_do_depends_on_its_kind():
    assert (read().splits, read().shadows) == (True, False)
    assert not read(network=VPC).splits
    assert read(psc_projects=["acme-apps"]).splits


@pytest.mark.parametrize(
    ("changes", "rollout", "words"),
    [
        ({"network": VPC}, {}, "vertex does not as it is set up"),
        ({}, {"shadow": {}}, "copy requests to a second version, and vertex does not"),
    ],
)
def test_a_rollout_that_the_endpoint_can_not_do_is_refused_when_the_file_is_read(
    changes, rollout, words
):
    serving = {
        "deploy": {"vertex": section(**changes)},
        "rollout": {"observations": "gs://acme-ml/predictions/*.parquet", **rollout},
    }
    with pytest.raises(ValidationError) as caught:
        ServingConfig.model_validate(serving)
    assert words in str(caught.value)


def test_a_store_elsewhere_is_named():
    assert not list(read().misfits("gs://acme-ml/store"))
    ((key, text),) = read().misfits("/data/store")
    assert key == "store"
    assert "'/data/store'" in text


def test_the_service_takes_every_setting_of_the_section():
    dumped = read(request_log={"sampling_rate": 0.5}).model_dump(mode="json")
    settings = VertexSettings.of(dumped, "orders")
    assert settings.log_sampling_rate == 0.5
    assert settings.model == "orders"
    assert settings.image.startswith("europe-docker.pkg.dev/")
    known = set(vars(settings)) | {"request_log"}
    assert set(dumped) <= known


@pytest.mark.parametrize(
    ("region", "gpu", "image"),
    [
        ("us-central1", {}, "us-docker.pkg.dev/vertex-ai/prediction/tf2-cpu.2-15:latest"),
        ("southamerica-east1", {}, "us-docker.pkg.dev/vertex-ai/prediction/tf2-cpu.2-15:latest"),
        (
            "asia-east1",
            {"accelerator_type": "NVIDIA_TESLA_T4"},
            "asia-docker.pkg.dev/vertex-ai/prediction/tf2-gpu.2-15:latest",
        ),
    ],
)
def test_the_default_image_is_one_that_the_client_library_lists(region, gpu, image):
    from google.cloud.aiplatform.constants import prediction

    assert image in prediction.TF_CONTAINER_URIS
    settings = VertexSettings.of({**section(region=region), **gpu}, "orders")
    assert settings.image == image
