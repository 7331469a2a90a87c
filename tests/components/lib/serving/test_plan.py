import json

import pytest

from retrainer.components.lib.serving.deployments import (
    Deployment,
    Deployments,
    DeploymentState,
    PlannedVersions,
)
from retrainer.components.lib.serving.plan import follow_plan, read_plan

STEPS = [{"percent": 5, "hold_seconds": 60, "min_requests": 10}]
SECTION = {"observations": "x", "steps": STEPS}


@pytest.fixture
def deploy(store, tmp_path):
    """Record that a version was deployed."""

    def deploy(service, version, day, state=DeploymentState.SERVING):
        records = Deployments(store, service)
        records.add(Deployment(PlannedVersions(version), state))
        file = max((tmp_path / "store" / "models" / "deployments" / service).glob("*.json"))
        content = json.loads(file.read_text())
        file.write_text(json.dumps({**content, "at": f"2026-11-{day}T08:00:00+00:00"}))

    return deploy


@pytest.mark.parametrize(("kserve", "vertex"), [((1, 25), (2, 26)), ((2, 26), (1, 25))])
def test_the_first_rollout_compares_with_what_was_deployed_last(
    store, push, deploy, kserve, vertex
):
    push(), push(), push()
    deploy("kserve", *kserve)
    deploy("vertex", *vertex)
    # It was asked for and does not serve.
    deploy("sagemaker", 3, 27, DeploymentState.FAILED)
    plan = follow_plan(store, SECTION)
    assert (plan.stable.version, plan.canary.version, plan.percent) == (2, 3, 5)


def test_what_should_serve_is_read_without_beginning_a_rollout(store, push, deploy):
    push(), push()
    deploy("kserve", 1, 25)
    assert read_plan(store, SECTION).stable.version == 2
    assert read_plan(store, SECTION).canary is None
    follow_plan(store, SECTION)
    assert read_plan(store, SECTION).canary.version == 2
    # Without the section, the champion gets all requests.
    assert read_plan(store).stable.version == 2
