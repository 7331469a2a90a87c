"""What uses a version of the registry: a person's decision, aliases, the next rollback, rollouts and deployments."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from .registry.approvals import ApprovalState, approval_of, standing
from .registry.promotions import rollback_target
from .registry.registry import CHAMPION, Registry
from .serving.deployments import versions_in_use
from .serving.rollout_records import RolloutRecords
from .store import Store


class VersionUse(NamedTuple):
    """What uses a version.

    Attributes:
        what: One clause, such as `it is the champion`.
        fix: The command after which it does not use it, one clause.
    """

    what: str
    fix: str


def version_uses(store: str, version: int) -> list[VersionUse]:
    """List what uses a version.

    Args:
        store: URI of the store.
        version: The version.
    """
    return [
        *_alias_uses(Registry(Store(store).models_uri), version),
        *_service_uses(store, version),
    ]


def describe_uses(version: int, uses: Sequence[VersionUse]) -> str:
    """Describe why a version can't be deleted, and what to do."""
    what = "; ".join(use.what for use in uses)
    fixes = "; ".join(dict.fromkeys(use.fix for use in uses))
    return f"version {version} can't be deleted: {what}. First {fixes}."


def _alias_uses(registry: Registry, version: int) -> Iterator[VersionUse]:
    approval = standing(approval_of(registry, version), registry.version_of(CHAMPION))
    if approval and approval.state == ApprovalState.PENDING:
        yield VersionUse(
            "it waits for approval",
            f"decide with 'retrainer models approve {version}' or 'retrainer models refuse {version}'",
        )
    for alias in registry.aliases():
        moves = alias.moves()
        if moves and moves[-1].version == version:
            yield VersionUse(
                f"it is the {alias.name}",
                "put another version into service with 'retrainer models promote', or none with 'retrainer models "
                "retire'",
            )
        elif version == rollback_target(registry, alias.name, moves):
            yield VersionUse(
                f"a rollback of the {alias.name} goes back to it",
                "put another version into service with 'retrainer models promote'",
            )


def _service_uses(store: str, version: int) -> Iterator[VersionUse]:
    rollout = RolloutRecords(store).newest().rollout
    if rollout and not rollout.ended and version in (rollout.canary, rollout.stable):
        role = "rolled out" if version == rollout.canary else "in service beside it"
        yield VersionUse(
            f"the rollout of version {rollout.canary} is in state {rollout.state}, and it is {role}",
            "end the rollout with 'retrainer rollout abort' or 'retrainer rollout promote --all'",
        )
    for service in versions_in_use(store).get(version, ()):
        yield VersionUse(
            f"it was deployed to {service}",
            f"run 'retrainer deploy', which brings {service} to the champion",
        )
