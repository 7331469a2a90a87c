from datetime import UTC, datetime

import pytest

from retrainer.components.lib.errors import RetrainerError
from retrainer.pipelines.targets.interface import SUBMIT_SECONDS
from retrainer.pipelines.targets.types import Submission
from retrainer.pipelines.triggers.claims.files import FileClaims
from retrainer.pipelines.triggers.claims.ledger import (
    CLAIM_SECONDS,
    USE_SECONDS,
    Busy,
    Claim,
    Ledger,
    Submitted,
)

CREATED = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class Steady:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def steady():
    return Steady()


@pytest.fixture
def replicas(tmp_path, steady):
    return [Ledger(FileClaims(str(tmp_path)), steady) for _ in range(3)]


def _submitted(run_id="a"):
    return Submitted(Submission(run_id, f"ref/{run_id}", "https://run", CREATED), CREATED)


def test_the_first_to_claim_submits_and_the_others_wait(replicas):
    claim = replicas[0].claim("a")
    assert isinstance(claim, Claim)
    assert claim.first
    assert replicas[0].holds(claim)
    assert replicas[1].claim("a") == Busy(CLAIM_SECONDS)


def test_a_run_that_was_submitted_is_returned_to_all(replicas):
    claim = replicas[0].claim("a")
    assert replicas[1].find("a") is None
    replicas[0].confirm(claim, _submitted())
    for ledger in replicas:
        run = ledger.claim("a")
        assert run == ledger.find("a")
        assert run.submission == Submission("a", "ref/a", "https://run", CREATED, existed=True)


def test_the_wait_is_what_is_left_of_the_claim(replicas, steady):
    replicas[0].claim("a")
    replicas[1].claim("a")
    steady.now = CLAIM_SECONDS - 1
    assert replicas[1].claim("a") == Busy(1)


def test_a_claim_whose_owner_is_silent_is_taken_over_once(replicas, steady):
    replicas[0].claim("a")
    for ledger in replicas[1:]:
        ledger.claim("a")
    steady.now = CLAIM_SECONDS
    taken = replicas[1].claim("a")
    assert isinstance(taken, Claim)
    assert not taken.first
    assert replicas[2].claim("a") == Busy(CLAIM_SECONDS)


def test_silence_counts_from_when_a_replica_first_looked(replicas, steady):
    replicas[0].claim("a")
    steady.now = 10 * CLAIM_SECONDS
    assert replicas[1].claim("a") == Busy(CLAIM_SECONDS)


def test_an_owner_that_tries_again_is_not_silent(replicas, steady):
    replicas[0].claim("a")
    replicas[1].claim("a")
    steady.now = CLAIM_SECONDS - 1
    again = replicas[0].claim("a")
    assert not again.first
    steady.now = CLAIM_SECONDS
    assert replicas[1].claim("a") == Busy(CLAIM_SECONDS)


def test_a_claim_is_not_used_when_another_may_take_it_over_before_the_run_is_there(
    replicas, steady
):
    claim = replicas[0].claim("a")
    # A look-up and a submission, each as long as a target may take.
    assert SUBMIT_SECONDS < USE_SECONDS
    assert USE_SECONDS + SUBMIT_SECONDS < CLAIM_SECONDS
    steady.now = USE_SECONDS - 0.1
    assert replicas[0].holds(claim)
    steady.now = USE_SECONDS
    assert not replicas[0].holds(claim)


def test_who_was_overtaken_records_nothing(replicas, steady):
    slow = replicas[0].claim("a")
    replicas[1].claim("a")
    steady.now = CLAIM_SECONDS
    claim = replicas[1].claim("a")
    replicas[0].confirm(slow, _submitted())
    assert replicas[2].find("a") is None
    replicas[1].confirm(claim, _submitted())
    assert replicas[2].find("a")


def test_a_claim_that_somebody_spoilt_is_named(replicas, tmp_path):
    replicas[0].claim("a")
    (tmp_path / "runs" / "a" / "00000001.json").write_text('{"state": "submitted"}')
    with pytest.raises(RetrainerError, match="the claim of run 'a' is not as retrainer wrote it"):
        replicas[1].claim("a")
