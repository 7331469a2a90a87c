import pytest
from pydantic import ValidationError

from retrainer.components.lib.serving.kserve.settings import KServeSettings
from retrainer.pipelines.project.sections.deploy.kserve import KServeDeployment


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"service": "Taxi"}, "should match pattern"),
        ({"service": "a" * 37}, "at most 36"),
        ({"mode": "serverless"}, "'standard' or 'knative'"),
        ({"store_uri": "/mnt/store"}, "should match pattern"),
        ({"requests": {"cpu": "two"}}, "requests.cpu is 'two' and must be a quantity"),
        ({"min_replicas": 3, "max_replicas": 2}, "min_replicas is 3, more than max_replicas"),
        ({"min_replicas": 0, "mode": "standard"}, "min_replicas is 0"),
        ({"request_log": {"url": "broker"}}, "should match pattern"),
        ({"node_selector": {"pool": "a b"}}, "must be at most 63 letters"),
    ],
)
def test_a_wrong_setting_is_an_error(settings, said):
    with pytest.raises(ValidationError, match=said):
        KServeDeployment(**{"service": "taxi", **settings})


def test_a_store_that_pods_cannot_read_is_a_misfit():
    section = KServeDeployment(service="taxi")
    assert [key for key, _ in section.misfits("/srv/store")] == ["store"]
    assert not list(section.misfits("gs://bucket/store"))
    on_a_volume = KServeDeployment(service="taxi", store_uri="pvc://models/store")
    assert not list(on_a_volume.misfits("/srv/store"))


def test_every_setting_is_one_that_the_service_reads():
    assert set(KServeDeployment.model_fields) == set(KServeSettings.__dataclass_fields__)
    section = KServeDeployment(service="taxi", max_replicas=3)
    settings = KServeSettings.parse(section.model_dump(mode="json"))
    assert (settings.service, settings.max_replicas, settings.timeout_seconds) == ("taxi", 3, 900)


def test_a_canary_is_supported_and_a_shadow_is_not():
    section = KServeDeployment(service="taxi")
    assert (section.splits, section.shadows) == (True, False)
