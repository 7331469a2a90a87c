from datetime import UTC, datetime

import pytest

from retrainer.components.lib.registry.promotions import promote, roll_back
from retrainer.components.lib.registry.registry import CHAMPION
from retrainer.components.lib.serving.deployments import PlannedVersions
from retrainer.components.lib.serving.reconcile import Reconciled
from retrainer.components.lib.serving.rollout_ends import complete_rollout, roll_back_registry
from retrainer.components.lib.serving.rollout_records import RolloutRecords
from retrainer.components.lib.serving.rollout_state import Change, Rollout, RolloutState

NOW = datetime(2026, 11, 26, 8, tzinfo=UTC)


@pytest.fixture
def rollout(store, push):
    """Versions 1 and 2 were pushed, and 2 is rolled out."""
    push(), push()
    begun = Change(RolloutState.CANARY, 5, NOW.isoformat(), "begun", "me")
    return Rollout(2, 1, 2, (begun,))


@pytest.fixture
def state_after(store):
    def state_after(rollout, *results):
        records = RolloutRecords(store)
        records.write(rollout, records.newest())
        complete_rollout(store, results, "me")
        newest = records.newest().rollout
        assert newest.percent == (5 if newest.in_stage else 100)
        return newest.state

    return state_after


def test_a_rollout_ends_when_every_service_serves_the_new_version_alone(rollout, state_after):
    promoting = rollout.changed(RolloutState.PROMOTING, 100, "passed", "me", NOW)
    new, old = PlannedVersions(2), PlannedVersions(1, 2, 50)
    one, other = Reconciled("kserve", new), Reconciled("vertex", new)
    for behind in (Reconciled("vertex", old), Reconciled("vertex", new, error="it is down")):
        assert state_after(promoting, one, behind) == RolloutState.PROMOTING
    assert state_after(promoting, one, other) == RolloutState.SERVING
    # In a stage it is the watcher that decides.
    assert state_after(rollout, one, other) == RolloutState.CANARY


def test_the_registry_goes_back_once_and_not_from_a_later_promotion(rollout, store, registry):
    roll_back_registry(store, rollout)
    alone = Rollout(2, None, 2, rollout.changes)
    roll_back_registry(store, alone.aborted("there is nothing to go back to", "watch", NOW))
    assert registry.version_of(CHAMPION) == 2
    aborted = rollout.aborted("too many errors", "watch", NOW)
    roll_back_registry(store, aborted)
    newest = registry.alias(CHAMPION).newest()
    assert (newest.version, newest.by, newest.why) == (1, "watch", "too many errors")
    assert [one.version for one in newest.held] == [2]
    promote(registry, 2, {"by": "ann"})
    # That is another rollout's promotion.
    roll_back_registry(store, aborted)
    assert registry.version_of(CHAMPION) == 2


def test_a_rollback_by_hand_counts_over_the_rollouts(rollout, store, registry):
    roll_back(registry, {"by": "ann", "why": "complaints"})
    roll_back_registry(store, rollout.aborted("too many errors", "watch", NOW))
    newest = registry.alias(CHAMPION).newest()
    assert (newest.version, newest.by, newest.number) == (1, "ann", 3)
