"""Whole rollouts on SageMaker, on moto's server."""

from collections.abc import Callable
from typing import Any

import pytest
from servers.rollout_lives import BAD, GOOD, RolloutLife, go_back, serve_in_steps
from servers.sagemaker import ACCOUNT, BUCKET, SageMakerServer

from retrainer.pipelines.project.sections.deploy.sagemaker import SageMakerDeployment

pytestmark = pytest.mark.slow


@pytest.fixture
def life(server: SageMakerServer, rollout_on: Callable[..., RolloutLife]) -> RolloutLife:
    section = SageMakerDeployment(
        endpoint="flights",
        role=f"arn:aws:iam::{ACCOUNT}:role/serving",
        image=f"{ACCOUNT}.dkr.ecr.eu-central-1.amazonaws.com/tensorflow-inference:2.16.1-cpu",
        model_data=f"s3://{BUCKET}/models",
    )
    return rollout_on(sagemaker=section.model_dump(mode="json", exclude_none=True))


def _check(
    server: SageMakerServer, aws: Callable[..., Any], version: int, splits: list[dict[int, int]]
) -> None:
    found: list[dict[int, float]] = []
    for one in server.splits:
        split = {
            int(name.removeprefix("v")): percent
            for name, percent in one["split"].items()
            if percent
        }
        if not found or split != found[-1]:
            found.append(split)
    assert found == splits
    sagemaker = aws("sagemaker")
    (model,) = sagemaker.list_models()["Models"]
    assert model["ModelName"].startswith(f"flights-v{version}-")
    assert len(sagemaker.list_endpoint_configs()["EndpointConfigs"]) == 1
    (archive,) = aws("s3").list_objects_v2(Bucket=BUCKET)["Contents"]
    assert f"/v{version}-" in archive["Key"]


def test_a_good_version_goes_step_by_step_to_all_requests(
    server: SageMakerServer, aws: Callable[..., Any], life: RolloutLife
) -> None:
    serve_in_steps(life)
    _check(server, aws, 2, GOOD)


def test_a_bad_version_goes_back(
    server: SageMakerServer, aws: Callable[..., Any], life: RolloutLife
) -> None:
    go_back(life)
    _check(server, aws, 1, BAD)
