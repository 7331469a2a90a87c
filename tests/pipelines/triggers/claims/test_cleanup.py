"""Old claims are deleted beside the service's work."""

import threading
import uuid

from retrainer.components.lib.errors import RetrainerError
from retrainer.pipelines.triggers.claims import cleanup
from retrainer.pipelines.triggers.claims.cleanup import Sweeper
from retrainer.pipelines.triggers.claims.files import FileClaims


class Counted(FileClaims):
    """Claims that count how often they are swept; the first time the store does not answer."""

    def __init__(self):
        super().__init__(f"memory://{uuid.uuid4().hex}")
        self.swept, self.twice = 0, threading.Event()

    def sweep(self, now):
        self.swept += 1
        if self.swept == 1:
            raise RetrainerError("no answer.")
        self.twice.set()
        return super().sweep(now)


def test_claims_are_swept_again_and_again_until_the_service_stops(monkeypatch):
    monkeypatch.setattr(cleanup, "FIRST_SECONDS", 0.0)
    monkeypatch.setattr(cleanup, "EVERY_SECONDS", 0.01)
    claims = Counted()
    before = set(threading.enumerate())
    sweeper = Sweeper(claims)
    sweeper.start()
    (thread,) = set(threading.enumerate()) - before
    assert claims.twice.wait(60)
    sweeper.stop()
    thread.join(60)
    assert not thread.is_alive()


def test_a_service_that_stops_early_has_swept_nothing():
    claims = Counted()
    sweeper = Sweeper(claims)
    sweeper.stop()
    sweeper._run()
    assert claims.swept == 0
