"""What should serve, by the registry and the newest rollout; services are never asked."""

from collections.abc import Mapping
from typing import Any

from ..registry.registry import CHAMPION, Registry
from ..store import Store
from ..whole_numbers import whole_numbers
from .deployments import Deployments, DeploymentState
from .interface import Plan, ServedModel
from .rollout_records import RolloutRecords, follow_registry
from .rollout_settings import RolloutSettings
from .rollout_state import Rollout, Split, split_of
from .services import SERVICES


def read_plan(store: str, rollout: Mapping[str, Any] | None = None) -> Plan:
    """Read what should serve now, and change nothing.

    Args:
        store: URI of the store.
        rollout: The section `serving.rollout`; empty: the champion gets all requests at once.

    Returns:
        The plan.

    Raises:
        RetrainerError: If a version that should serve is not complete.
    """
    return _plan(store, RolloutRecords(store).newest().rollout if rollout else None)


def follow_plan(store: str, rollout: Mapping[str, Any] | None = None, by: str = "") -> Plan:
    """Begin, replace or end a rollout as the registry's champion asks for it, and return what should serve then.

    Args:
        store: URI of the store.
        rollout: The section `serving.rollout`; empty: the champion gets all requests at once.
        by: Who or what deploys, for the rollout's record.

    Returns:
        The plan.

    Raises:
        RetrainerError: If a version that should serve is not complete.
    """
    if not rollout:
        return read_plan(store)
    settings = RolloutSettings.of(whole_numbers(rollout))
    return _plan(store, follow_registry(store, settings, by or "deploy_model", _deployed(store)))


def _plan(store: str, rollout: Rollout | None) -> Plan:
    registry = Registry(Store(store).models_uri)
    champion = registry.version_of(CHAMPION)
    split: Split = split_of(rollout, champion)
    return Plan(
        served_model(registry, split.stable),
        served_model(registry, split.canary),
        split.percent,
        split.shadow,
    )


def served_model(registry: Registry, number: int | None) -> ServedModel | None:
    """Describe a version of the registry to services; None for no version.

    Raises:
        RetrainerError: If it is not complete.
    """
    if number is None:
        return None
    version = registry.get_complete(number)
    return ServedModel(
        number, version.uri, version.digest, version.info, registry.evaluation(number)
    )


def _deployed(store: str) -> int | None:
    """Return the version that served before there were rollouts, the last deployed one where services differ."""
    newest = (Deployments(store, service).newest() for service in SERVICES)
    served = [
        deployment
        for deployment in newest
        if deployment and deployment.state == DeploymentState.SERVING
    ]
    last = max(served, key=lambda deployment: deployment.at, default=None)
    return last.plan.stable if last else None
