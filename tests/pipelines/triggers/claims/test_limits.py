import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from retrainer.components.lib.errors import RetrainerError
from retrainer.pipelines.project.sections.triggers import TriggerConfig
from retrainer.pipelines.triggers.claims.files import FileClaims
from retrainer.pipelines.triggers.claims.limits import Admission

EVENING = datetime(2026, 3, 1, 23, 50, tzinfo=UTC).timestamp()


class Clock:
    def __init__(self, now=EVENING):
        self.now = now

    def __call__(self):
        return self.now


@pytest.fixture
def admit(tmp_path):
    """Make a replica's admission of one trigger."""

    def make(clock, **limits):
        config = TriggerConfig(kind="request", **limits)
        return Admission(FileClaims(str(tmp_path)), "orders", "ask", config, clock).admit

    return make


def test_a_cool_down_holds_over_replicas(admit):
    clock = Clock()
    one, other = (admit(clock, cool_down_seconds=600) for _ in range(2))
    assert one("a") is None
    clock.now += 599
    assert other("b").seconds == 1
    assert "cools down until 2026-03-02 00:00:00 UTC" in other("b").reason
    clock.now += 1
    assert other("b") is None
    assert one("c").seconds == 600


def test_a_daily_limit_holds_over_replicas_and_ends_at_midnight(admit):
    clock = Clock()
    one, other = (admit(clock, daily_limit=2) for _ in range(2))
    assert one("a") is None
    assert other("b") is None
    refusal = one("c")
    assert refusal.seconds == 600
    assert "has started 2 of 2 runs of 2026-03-01 (UTC)" in refusal.reason
    clock.now += 600
    assert one("c") is None
    assert other("d") is None
    assert one("e").seconds == 24 * 3600


def test_a_run_that_was_admitted_is_admitted_again(admit):
    clock = Clock()
    one, other = (admit(clock, daily_limit=1, cool_down_seconds=60) for _ in range(2))
    assert one("a") is None
    assert other("a") is None
    clock.now += 3600
    assert one("b") is None


def test_a_limit_that_was_changed_counts_what_was_admitted_before(admit):
    clock = Clock()
    before, after = admit(clock, cool_down_seconds=1), admit(clock, daily_limit=3)
    for run in "abc":
        assert before(run) is None
        clock.now += 1
    assert after("d") is not None


@pytest.mark.parametrize("skew", [-300, 300])
def test_no_day_begins_twice_where_clocks_differ(admit, skew):
    right, wrong = Clock(), Clock(EVENING + skew)
    one, other = admit(right, daily_limit=3), admit(wrong, daily_limit=3)
    days: dict[str, int] = {}
    for step in range(200):
        for name, ask, clock in (("one", one, right), ("other", other, wrong)):
            if ask(f"{name}-{step}") is None:
                moment = datetime.fromtimestamp(max(right.now, wrong.now), UTC)
                days[moment.date().isoformat()] = days.get(moment.date().isoformat(), 0) + 1
            clock.now += 20
    assert days == {"2026-03-01": 3, "2026-03-02": 3}


def test_of_many_runs_at_once_as_many_are_admitted_as_may(admit):
    clock = Clock()
    replicas = [admit(clock, daily_limit=3) for _ in range(8)]
    start = threading.Barrier(8)

    def ask(number):
        start.wait()
        refusal = replicas[number](f"run-{number}")
        while refusal and refusal.seconds < 600:
            refusal = replicas[number](f"run-{number}")
        return refusal is None

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(ask, range(8))) == 3


def test_the_time_of_an_admission_never_goes_back(admit, tmp_path):
    clock = Clock()
    ask = admit(clock, cool_down_seconds=1)
    ask("a")
    clock.now += 2
    ask("b")
    clock.now -= 3600
    assert ask("c").seconds == 3599 + 2
    clock.now += timedelta(days=2).total_seconds()
    assert ask("c") is None


def test_a_record_that_somebody_spoilt_is_named(admit, tmp_path):
    ask = admit(Clock(), daily_limit=1)
    ask("a")
    (tmp_path / "triggers" / "orders.ask" / "00000001.json").write_text('{"at": "now"}')
    with pytest.raises(RetrainerError, match=r"record 1 of 'triggers/orders\.ask'"):
        ask("b")
