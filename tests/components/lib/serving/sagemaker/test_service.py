"""SageMaker on moto's server: what serves after each plan, with which traffic in between."""

import io
import tarfile
from collections.abc import Callable
from typing import Any

from servers.sagemaker import BUCKET, SageMakerServer

from retrainer.components.lib.serving.interface import Plan, ServedModel

Open = Callable[..., Any]


def _splits(server: SageMakerServer) -> list[dict[str, float]]:
    return [one["split"] for one in server.splits]


def test_a_version_serves_with_its_archive_where_the_container_looks_for_it(
    server: SageMakerServer, models: dict[int, ServedModel], opened: Open, aws: Open
) -> None:
    served = opened().apply(Plan(models[1]))
    assert served.traffic == {1: 100}
    assert served.loaded == (1,)
    assert served.address == f"{server.url}/endpoints/flights/invocations"
    assert served.notes == ()
    assert opened().status() == served
    (model,) = aws("sagemaker").list_models()["Models"]
    described = aws("sagemaker").describe_model(ModelName=model["ModelName"])
    key = described["PrimaryContainer"]["ModelDataUrl"].removeprefix(f"s3://{BUCKET}/")
    assert key == f"models/flights/v1-{models[1].digest[:12]}/model.tar.gz"
    content = aws("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        assert sorted(tar.getnames()) == [
            "model/1/saved_model.pb",
            "model/1/variables/variables.index",
        ]
    tags = aws("sagemaker").list_tags(ResourceArn=model["ModelArn"])["Tags"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == {
        "retrainer:endpoint": "flights",
        "retrainer:pipeline": "flights",
        "retrainer:version": "1",
        "retrainer:digest": models[1].digest,
        "retrainer:run": "run-1",
        "retrainer:span": "2013-11",
    }


def test_the_same_plan_again_changes_nothing(
    server: SageMakerServer, models: dict[int, ServedModel], opened: Open
) -> None:
    opened().apply(Plan(models[1]))
    server.set(calls=[])
    assert opened().apply(Plan(models[1])).traffic == {1: 100}
    assert {call for call in server.calls if not call.startswith(("Describe", "List"))} == set()


def test_a_rollout_moves_traffic_from_split_to_planned_split_and_removes_what_is_unused(
    server: SageMakerServer, models: dict[int, ServedModel], opened: Open, aws: Open
) -> None:
    service = opened()
    for plan in (
        Plan(models[1]),
        Plan(models[1], models[2], shadow=True),
        Plan(models[1], models[2], 10),
        Plan(models[1], models[2], 50),
        Plan(models[1], models[2], 100),
        Plan(models[2]),
    ):
        served = service.apply(plan)
        assert served.traffic == plan.traffic
    assert _splits(server) == [
        {"v1": 100},
        {"v1": 100},
        {"v1": 90, "v2": 10},
        {"v1": 50, "v2": 50},
        {"v1": 0, "v2": 100},
        {"v2": 100},
    ]
    assert [one["shadows"] for one in server.splits][:3] == [[], ["v2"], []]
    # Between variants that run, weights alone move.
    assert server.calls.count("UpdateEndpoint") == 3
    assert server.calls.count("UpdateEndpointWeightsAndCapacities") == 2
    sagemaker = aws("sagemaker")
    assert [one["ModelName"][:10] for one in sagemaker.list_models()["Models"]] == ["flights-v2"]
    assert len(sagemaker.list_endpoint_configs()["EndpointConfigs"]) == 1
    keys = [one["Key"] for one in aws("s3").list_objects_v2(Bucket=BUCKET)["Contents"]]
    assert keys == [f"models/flights/v2-{models[2].digest[:12]}/model.tar.gz"]


def test_a_rollback_in_the_middle_of_a_canary_moves_traffic_before_anything_else(
    server: SageMakerServer, models: dict[int, ServedModel], opened: Open
) -> None:
    service = opened()
    service.apply(Plan(models[1]))
    service.apply(Plan(models[1], models[2], 25))
    server.set(calls=[])
    assert service.apply(Plan(models[1])).traffic == {1: 100}
    changes = [call for call in server.calls if call.startswith("Update")]
    assert changes == ["UpdateEndpointWeightsAndCapacities", "UpdateEndpoint"]
    assert _splits(server)[-3:] == [{"v1": 75, "v2": 25}, {"v1": 100, "v2": 0}, {"v1": 100}]


def test_a_variant_keeps_its_machines_when_another_comes(
    server: SageMakerServer, models: dict[int, ServedModel], opened: Open, aws: Open
) -> None:
    service = opened()
    service.apply(Plan(models[1]))
    aws("sagemaker").update_endpoint_weights_and_capacities(
        EndpointName="flights",
        DesiredWeightsAndCapacities=[{"VariantName": "v1", "DesiredInstanceCount": 5}],
    )
    service.apply(Plan(models[1], models[2], 10))
    variants = aws("sagemaker").describe_endpoint(EndpointName="flights")["ProductionVariants"]
    assert {one["VariantName"]: one["CurrentInstanceCount"] for one in variants} == {
        "v1": 5,
        "v2": 1,
    }


def test_settings_that_change_reach_the_endpoint(
    server: SageMakerServer, models: dict[int, ServedModel], opened: Open, aws: Open
) -> None:
    opened().apply(Plan(models[1]))
    capture = {"uri": f"s3://{BUCKET}/requests", "percent": 20}
    opened(
        data_capture=capture,
        instance_type="ml.c5.xlarge",
        instance_count=2,
        environment={"SAGEMAKER_TFS_ENABLE_BATCHING": "true"},
        startup_timeout_seconds=600,
        network_isolation=True,
        vpc={"subnets": ["subnet-1"], "security_groups": ["sg-1"]},
        kms_key="alias/models",
        tags={"team": "data"},
    ).apply(Plan(models[1]))
    sagemaker = aws("sagemaker")
    name = sagemaker.describe_endpoint(EndpointName="flights")["EndpointConfigName"]
    config = sagemaker.describe_endpoint_config(EndpointConfigName=name)
    (variant,) = config["ProductionVariants"]
    assert (variant["InstanceType"], variant["InitialInstanceCount"]) == ("ml.c5.xlarge", 2)
    assert variant["ContainerStartupHealthCheckTimeoutInSeconds"] == 600
    assert config["DataCaptureConfig"]["InitialSamplingPercentage"] == 20
    assert config["KmsKeyId"] == "alias/models"
    model = sagemaker.describe_model(ModelName=variant["ModelName"])
    assert model["VpcConfig"] == {"Subnets": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}
    assert model["EnableNetworkIsolation"]
    assert model["PrimaryContainer"]["Environment"] == {"SAGEMAKER_TFS_ENABLE_BATCHING": "true"}
    tags = sagemaker.list_tags(ResourceArn=model["ModelArn"])["Tags"]
    assert {"Key": "team", "Value": "data"} in tags


def test_without_a_champion_the_endpoint_goes_and_comes_again(
    server: SageMakerServer, models: dict[int, ServedModel], opened: Open, aws: Open
) -> None:
    service = opened()
    service.apply(Plan(models[1]))
    assert service.apply(Plan(None)).traffic == {}
    sagemaker = aws("sagemaker")
    assert not sagemaker.list_endpoints()["Endpoints"]
    assert not sagemaker.list_models()["Models"]
    assert service.status().traffic == {}
    assert service.apply(Plan(models[1])).traffic == {1: 100}
