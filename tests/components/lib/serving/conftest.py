"""A store with pushed models, a service in memory, and whole rollouts on other services."""

from pathlib import Path

import pytest
from servers.deployments import in_child, memory, push, quick, registry, settings, store

__all__ = ["in_child", "memory", "push", "quick", "registry", "settings", "store"]


@pytest.fixture
def rollout_on(store, push, quick, tmp_path):
    """Prepare a rollout on services, which are given as `serving.deploy` has them."""
    from servers.answers import Answers
    from servers.rollout_lives import RolloutLife

    logs: Path = tmp_path / "logs"
    return lambda **services: RolloutLife(store, push, services, Answers(logs), quick)
