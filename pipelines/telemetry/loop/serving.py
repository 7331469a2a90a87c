"""Metrics of what serves: the rollout, and what was last asked of each service."""

from collections.abc import Iterator

from prometheus_client.metrics_core import Metric

from ....components.lib.serving.deployments import Deployments, DeploymentState
from ....components.lib.serving.rollout_records import RolloutRecords
from ....components.lib.serving.rollout_state import RolloutState
from ....components.lib.serving.services import SERVICES
from .families import gauge, one_of, timestamp


def serving_metrics(store: str) -> Iterator[Metric]:
    """Yield where the newest rollout stands, and each service that was deployed to.

    Args:
        store: URI of the store.
    """
    rollout = RolloutRecords(store).newest().rollout
    if rollout:
        states = one_of(map(str, RolloutState), str(rollout.state))
        yield gauge(
            "rollout_state",
            "1 for the state of the newest rollout.",
            ("state",),
            [((state,), value) for state, value in states.items()],
        )
        yield gauge(
            "rollout_percent",
            "Share of the requests that its new version answers while two versions serve, in percent.",
            (),
            [((), rollout.percent if rollout.in_stage else 0)],
        )
        since = timestamp(rollout.since)
        if since is not None:
            text = "When the newest rollout came to its stage."
            yield gauge("rollout_since_timestamp_seconds", text, (), [((), since)])
    asked = {name: Deployments(store, name).newest() for name in SERVICES}
    newest = {name: one for name, one in asked.items() if one}
    yield gauge(
        "deployment_state",
        "1 for how far the last deployment to a service came.",
        ("service", "state"),
        [
            ((name, state), value)
            for name, one in newest.items()
            for state, value in one_of(map(str, DeploymentState), str(one.state)).items()
        ],
    )
    yield gauge(
        "deployment_version",
        "Version that was last asked of a service; 0 for none.",
        ("service",),
        [((name,), one.plan.stable or 0) for name, one in newest.items()],
    )
