"""The ends of a rollout: every service serves the new version, or the registry goes back."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime

from ..registry.aliases import AliasMovedError
from ..registry.promotions import roll_back
from ..registry.registry import CHAMPION, Registry
from ..store import Store
from .deployments import PlannedVersions
from .reconcile import Reconciled
from .rollout_records import RolloutRecords, read_promotion
from .rollout_state import Rollout, RolloutState


def complete_rollout(store: str, results: Sequence[Reconciled], actor: str) -> None:
    """Record that the services serve the new version alone; only where its rollout is `promoting`.

    Args:
        store: URI of the store.
        results: The result of every service.
        actor: Who deployed.
    """

    def make(rollout: Rollout | None) -> Rollout | None:
        if rollout is None or rollout.state != RolloutState.PROMOTING:
            return None
        alone = PlannedVersions(rollout.canary)
        if any(result.error or result.plan != alone for result in results):
            return None
        reason = "every service serves it"
        return rollout.changed(RolloutState.SERVING, 100, reason, actor, datetime.now(UTC))

    RolloutRecords(store).change(make)


def roll_back_registry(store: str, rollout: Rollout) -> None:
    """Take the registry back from a version whose rollout was aborted, and hold the version.

    Does nothing if that is done, or if somebody moved the champion since.

    Args:
        store: URI of the store.
        rollout: The newest rollout.
    """
    aborted = rollout.state == RolloutState.ROLLED_BACK
    if not aborted or rollout.stable is None:
        return
    promotion = read_promotion(store)
    if (promotion.version, promotion.number) != (rollout.canary, rollout.promotion):
        return
    last = rollout.changes[-1]
    registry = Registry(Store(store).models_uri)
    # If somebody is faster, what they decided counts.
    with suppress(AliasMovedError):
        roll_back(
            registry,
            {"by": last.actor, "why": last.reason},
            to=rollout.stable,
            expected=rollout.canary,
            alias=CHAMPION,
        )
