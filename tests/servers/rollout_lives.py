"""A whole rollout of version 2 after version 1 on one service, as the watcher's schedule and pushes drive it."""

from collections.abc import Callable, Mapping
from typing import Any

from servers.answers import Answers

from retrainer.components.deploy_model.deploy import deploy
from retrainer.components.lib.registry.registry import CHAMPION, Registry
from retrainer.components.lib.serving.lock import LockTiming
from retrainer.components.lib.serving.rollout_records import RolloutRecords
from retrainer.components.lib.store import Store
from retrainer.components.watch_rollout.watch import watch

HOLD = 60
GOOD = [{1: 100}, {1: 90, 2: 10}, {1: 50, 2: 50}, {2: 100}]
"""Every split of a rollout with the steps 10, 50 and 100 that ends well."""
BAD = [{1: 100}, {1: 90, 2: 10}, {1: 100}]
"""Every split of one that goes back at its first step."""


class RolloutLife:
    """A store, a service and what its versions answer.

    Attributes:
        push: Pushes a champion.
        services: As under `serving.deploy`.
        answers: Writes observations, and is the clock.
    """

    def __init__(
        self,
        store: str,
        push: Callable[[], int],
        services: Mapping[str, Mapping[str, Any]],
        answers: Answers,
        timing: LockTiming,
    ) -> None:
        self.push, self.services, self.answers = push, services, answers
        self._store, self._timing = store, timing
        self._section = {
            "observations": str(answers.folder / "*"),
            "steps": [
                {"percent": percent, "hold_seconds": HOLD, "min_requests": 100}
                for percent in (10, 50, 100)
            ],
            "guards": {"error_rate": {"max_increase": 0.0}},
        }

    def begin(self) -> None:
        """Serve version 1, and begin the rollout of version 2."""
        for run in ("run-1", "run-2"):
            self.push()
            deploy(self._store, self.services, "flights", self._section, run, timing=self._timing)

    def look(self, later: float = HOLD + 5) -> str:
        """Look some seconds later."""
        self.answers.seconds += later
        return watch(
            self._store,
            self.services,
            "flights",
            self._section,
            "watcher",
            timing=self._timing,
            clock=self.answers.now,
        )

    def observe(self, name: str, before: int, new: int, errors: float = 0.0) -> None:
        """Log what both versions answered; the new one fails in a share of the requests."""
        rows = self.answers.rows
        self.answers.write(name, rows(1, before, errors / 50), rows(2, new, errors))

    @property
    def states(self) -> list[str]:
        """Every state of the newest rollout."""
        rollout = RolloutRecords(self._store).newest().rollout
        assert rollout is not None
        return [str(one.state) for one in rollout.changes]

    @property
    def champion(self) -> int | None:
        """The registry's champion."""
        return Registry(Store(self._store).models_uri).version_of(CHAMPION)


def serve_in_steps(life: RolloutLife) -> None:
    """Take a good version through every step until it serves, and look once more."""
    life.begin()
    life.observe("1.parquet", 900, 100)
    assert "50 %" in life.look()
    life.observe("2.jsonl", 150, 150)
    assert "has 100 % of the requests" in life.look()
    life.observe("3.jsonl", 0, 150)
    done = "version 2 serves all requests: every service serves it"
    assert life.look() == done
    assert life.look() == done
    assert life.states == ["canary", "canary", "canary", "promoting", "serving"]
    assert life.champion == 2


def go_back(life: RolloutLife) -> None:
    """Begin the rollout of a version that fails in half of the requests; it goes back at the first look."""
    life.begin()
    life.observe("1.parquet", 900, 100, errors=0.5)
    assert "version 2 was rolled back: a guard is violated: error_rate" in life.look(later=0)
    life.look()
    assert life.states == ["canary", "rolled_back"]
    assert life.champion == 1
