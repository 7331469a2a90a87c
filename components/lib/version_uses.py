"""What uses a version of the registry: aliases, the next rollback, rollouts and deployments."""

from collections.abc import Iterator

from .promotions import rollback_target
from .registry import Registry
from .serving.deployments import versions_in_use
from .serving.rollout_records import RolloutRecords
from .store import Store


def version_uses(store: str, version: int) -> list[str]:
    """List what uses a version, one clause each, such as `it is the champion`.

    Args:
        store: URI of the store.
        version: The version.
    """
    return [
        *_alias_uses(Registry(Store(store).models_uri), version),
        *_service_uses(store, version),
    ]


def _alias_uses(registry: Registry, version: int) -> Iterator[str]:
    for alias in registry.aliases():
        moves = alias.moves()
        if moves and moves[-1].version == version:
            yield f"it is the {alias.name}"
        elif version == rollback_target(registry, alias.name, moves):
            yield f"a rollback of the {alias.name} goes back to it"


def _service_uses(store: str, version: int) -> Iterator[str]:
    rollout = RolloutRecords(store).newest().rollout
    if rollout and not rollout.ended and version in (rollout.canary, rollout.stable):
        role = "rolled out" if version == rollout.canary else "in service beside it"
        yield f"the rollout of version {rollout.canary} is in state {rollout.state}, and it is {role}"
    for service in versions_in_use(store).get(version, ()):
        yield f"it was deployed to {service}"
