"""Several replicas, with clocks of their own, that die and come back, over one service."""

import random
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise

import pytest
from servers.kube_apiserver import ON_A_KUBE_APISERVER
from servers.memory_target import Killed, MemoryTarget
from servers.trigger_messages import DATA, NOON, message, written
from servers.trigger_namespace import TriggerNamespace

from retrainer.pipelines.project.sections.triggers import TriggerConfig
from retrainer.pipelines.targets.errors import UnavailableError
from retrainer.pipelines.triggers.claims.files import FileClaims
from retrainer.pipelines.triggers.claims.ledger import CLAIM_SECONDS, Ledger
from retrainer.pipelines.triggers.claims.store import Claims
from retrainer.pipelines.triggers.dispatch import Dispatcher
from retrainer.pipelines.triggers.types import Message, Result


class World:
    """The time as it is, one service, one place for claims, and replicas whose clocks are wrong."""

    def __init__(
        self, names_runs: bool, claims: Callable[[], Claims], skews=(0, 0, 0), **triggers
    ) -> None:
        self.now = NOON.timestamp()
        self.target = MemoryTarget(names_runs, lambda: self.now)
        self.triggers = {name: TriggerConfig(**section) for name, section in triggers.items()}
        self.skews, self._open_claims = skews, claims
        self.replicas = [self.make(skew) for skew in skews]

    def make(self, skew: float = 0) -> Dispatcher:
        ledger = Ledger(self._open_claims(), lambda: self.now)
        clock = lambda: self.now + skew  # noqa: E731
        return Dispatcher("orders", self.triggers, DATA, self.target, ledger, clock)

    def moment(self, seconds: float = 0) -> datetime:
        return datetime.fromtimestamp(self.now + seconds, UTC)


@pytest.fixture(
    params=["files", pytest.param("leases on a kube-apiserver", marks=ON_A_KUBE_APISERVER)]
)
def claims(request):
    """Return what opens the place of claims, a new one for each replica."""
    if request.param == "files":
        return partial(FileClaims, f"memory://{uuid.uuid4().hex}")
    server, folder = map(request.getfixturevalue, ("kube_apiserver", "tmp_path"))
    return TriggerNamespace(server, folder).open_claims


@pytest.fixture(params=[True, False], ids=["named", "claimed"])
def world(request, claims):
    return World(request.param, claims, ask={"kind": "request"}, data={"kind": "storage"})


def test_a_message_that_two_replicas_get_is_one_run(world):
    ask = message({"id": "q1"})
    results = [replica.handle(ask).result for replica in world.replicas]
    assert results == [Result.STARTED, Result.DUPLICATE, Result.DUPLICATE]
    assert len(world.target.runs) == 1


def test_a_replica_that_dies_before_it_acknowledges_leaves_one_run(world):
    ask = message({"id": "q1"})
    assert world.replicas[0].handle(ask).result == Result.STARTED
    assert world.make().handle(ask).result == Result.DUPLICATE
    assert len(world.target.runs) == 1


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_replica_that_dies_while_it_submits_leaves_one_run(claims, when):
    world = World(False, claims, ask={"kind": "request"})
    ask = message({"id": "q1"})
    getattr(world.target, when).append(Killed())
    with pytest.raises(Killed):
        world.replicas[0].handle(ask)
    outcome = world.replicas[1].handle(ask)
    assert outcome.result == Result.DEFERRED
    assert outcome.retry_seconds == CLAIM_SECONDS
    world.now += CLAIM_SECONDS
    result = world.replicas[1].handle(ask).result
    assert result == (Result.STARTED if when == "before" else Result.DUPLICATE)
    assert [world.make().handle(ask).result for _ in range(2)] == [Result.DUPLICATE] * 2
    assert len(world.target.runs) == 1
    assert world.target.looked_up[world.target.ids[0]] == 1


def test_a_replica_that_dies_and_comes_back_alone_goes_on(claims):
    world = World(False, claims, ask={"kind": "request"})
    ask = message({"id": "q1"})
    world.target.before.append(Killed())
    with pytest.raises(Killed):
        world.replicas[0].handle(ask)
    again = world.make()
    assert again.handle(ask).result == Result.DEFERRED
    world.now += CLAIM_SECONDS
    assert again.handle(ask).result == Result.STARTED


def test_clocks_five_minutes_apart_take_no_claim_from_one_who_is_at_it(claims):
    world = World(False, claims, skews=(-300, 0, 300), ask={"kind": "request"})
    ask = message({"id": "q1"})
    others: list[Result] = []

    def ask_the_others():
        world.now += 15
        others.extend(replica.handle(ask).result for replica in world.replicas[1:])

    world.target.slow = ask_the_others
    assert world.replicas[0].handle(ask).result == Result.STARTED
    assert others == [Result.DEFERRED] * 2
    assert len(world.target.runs) == 1


def test_one_who_was_halted_too_long_with_a_claim_does_not_submit(claims):
    world = World(False, claims, ask={"kind": "request"})
    ask = message({"id": "q1"})
    slow, quick = world.replicas[:2]
    world.target.before.append(UnavailableError("the service is away."))
    assert slow.handle(ask).result == Result.FAILED
    quick.handle(ask)
    world.now += CLAIM_SECONDS
    # `slow` has claimed again and looks the run up, which takes it so long that another one is at it.
    find = world.target.find

    def slow_find(run_id):
        world.target.find = find
        world.now += CLAIM_SECONDS
        quick.handle(ask)
        world.now += CLAIM_SECONDS
        assert quick.handle(ask).result == Result.STARTED

    world.target.find = slow_find
    assert slow.handle(ask).result == Result.DEFERRED
    assert slow.handle(ask).result == Result.DUPLICATE
    assert len(world.target.runs) == 1


def test_a_run_that_could_not_be_recorded_is_found_by_the_next(claims, monkeypatch, caplog):
    world = World(False, claims, ask={"kind": "request"})
    ask = message({"id": "q1"})

    def away(*_):
        raise UnavailableError("the claims are away.")

    with monkeypatch.context() as broken:
        broken.setattr(Ledger, "confirm", away)
        assert world.replicas[0].handle(ask).result == Result.STARTED
    assert "was submitted, and not recorded as such: the claims are away." in caplog.text
    other = world.make()
    assert other.handle(ask).result == Result.DEFERRED
    world.now += CLAIM_SECONDS
    assert other.handle(ask).result == Result.DUPLICATE
    assert len(world.target.runs) == 1


def test_a_claimed_run_covers_what_was_known_when_it_began_whatever_the_services_clock(claims):
    world = World(False, claims, data={"kind": "storage"})
    world.target._clock = lambda: world.now - 3600
    world.now += 301
    file = written("day=7/1.csv", NOON)
    results = [world.make().handle(file).result for _ in range(3)]
    assert results == [Result.STARTED, Result.DUPLICATE, Result.DUPLICATE]
    assert len(world.target.runs) == 1


def test_claims_that_are_away_fail_the_message_and_start_nothing(tmp_path):
    (tmp_path / "claims").write_text("no folder")
    world = World(False, partial(FileClaims, str(tmp_path / "claims")), ask={"kind": "request"})
    outcome = world.replicas[0].handle(message({}))
    assert outcome.result == Result.FAILED
    assert "can't be read or written" in outcome.reason
    assert world.target.runs == []


@pytest.mark.parametrize("names_runs", [True, False], ids=["named", "claimed"])
def test_limits_hold_over_replicas_and_what_waits_starts_later(claims, names_runs):
    limits = {"cool_down_seconds": 600, "daily_limit": 3}
    world = World(names_runs, claims, ask={"kind": "request", **limits})
    world.now = datetime(2026, 3, 1, 22, 0, tzinfo=UTC).timestamp()
    waiting = [message({"id": f"q{number}"}, world.moment()) for number in range(8)]
    chance = random.Random(1)
    while waiting:
        least = 86_400.0
        for ask in list(waiting):
            outcome = chance.choice(world.replicas).handle(ask)
            if outcome.result.acknowledged:
                waiting.remove(ask)
            else:
                assert outcome.result == Result.DEFERRED
                least = min(least, outcome.retry_seconds)
        world.now += least
    times = [created for _, created in world.target.runs]
    assert len(times) == 8
    assert min(later - sooner for sooner, later in pairwise(times)) == timedelta(seconds=600)
    assert [sum(time.day == day for time in times) for day in (1, 2, 3)] == [3, 3, 2]


@pytest.mark.parametrize("names_runs", [True, False], ids=["named", "claimed"])
def test_a_run_that_is_there_waits_for_no_limit(claims, names_runs, monkeypatch):
    monkeypatch.setattr("retrainer.pipelines.triggers.claims.limits._MAX_RECENT", 1)
    world = World(names_runs, claims, ask={"kind": "request", "daily_limit": 2})
    asked = [message({"id": f"q{number}"}) for number in range(3)]
    results = [world.replicas[0].handle(ask).result for ask in asked]
    assert results == [Result.STARTED, Result.STARTED, Result.DEFERRED]
    results = [world.replicas[1].handle(ask).result for ask in asked]
    assert results == [Result.DUPLICATE, Result.DUPLICATE, Result.DEFERRED]


@pytest.mark.parametrize("names_runs", [True, False], ids=["named", "claimed"])
def test_threads_of_three_replicas_start_each_run_once(claims, tmp_path, names_runs):
    if isinstance(claims, partial):
        claims = partial(FileClaims, str(tmp_path / "claims"))
    world = World(names_runs, claims, ask={"kind": "request"})
    world.target.slow = lambda: time.sleep(0.001)
    asked = [message({"id": f"q{number}"}) for number in range(40)]
    deliveries = asked * 4
    random.Random(2).shuffle(deliveries)
    start = threading.Barrier(24)

    def work(number: int) -> None:
        start.wait()
        for position, ask in enumerate(deliveries):
            if position % 8 == number % 8:
                while not world.replicas[number % 3].handle(ask).result.acknowledged:
                    time.sleep(0.001)

    with ThreadPoolExecutor(24) as pool:
        list(pool.map(work, range(24)))
    assert len(world.target.ids) == len(set(world.target.ids)) == len(asked)


@dataclass(order=True)
class Delivery:
    at: float
    order: float
    message: Message = field(compare=False)


def deliver_all(world: World, chance: random.Random, deliveries: list[Delivery]) -> None:
    """Deliver as Pub/Sub does, until everything is acknowledged; services fail, replicas die, acks get lost."""
    while deliveries:
        deliveries.sort(reverse=True)
        delivery = deliveries.pop()
        world.now = max(world.now, delivery.at)
        number = chance.randrange(len(world.replicas))
        fault = chance.choice([Killed(), UnavailableError("the service is away.")])
        if chance.random() < 0.2:
            getattr(world.target, chance.choice(["before", "after"])).append(fault)
        again = 0.0
        try:
            outcome = world.replicas[number].handle(delivery.message)
            if not outcome.result.acknowledged:
                again = max(1.0, outcome.retry_seconds) + chance.random()
        except Killed:
            world.replicas[number] = world.make(world.skews[number])
            again = 10.0
        world.target.before.clear()
        world.target.after.clear()
        if again or chance.random() < 0.1:
            at = world.now + (again or 5.0)
            deliveries.append(Delivery(at, chance.random(), delivery.message))


@pytest.mark.parametrize("names_runs", [True, False], ids=["named", "claimed"])
@pytest.mark.parametrize("skews", [(0, 0, 0), (-300, 0, 300)], ids=["right", "wrong"])
@pytest.mark.parametrize("seed", range(4))
def test_no_file_is_lost_and_no_run_is_started_twice(claims, names_runs, skews, seed):
    world = World(
        names_runs, claims, skews, data={"kind": "storage", "parameters": {"span": "{span}"}}
    )
    chance = random.Random(seed)
    files, deliveries = [], []
    for number in range(120):
        # Two uploads, with a pause that is longer than the wait and the clocks' differences.
        at = NOON + timedelta(seconds=chance.uniform(0, 700) + chance.choice([0, 2000]))
        span = str(chance.randrange(3))
        files.append((span, at))
        notification = written(f"day={span}/{number}.csv", at)
        for _ in range(chance.choice([1, 1, 2])):
            delivered = at.timestamp() + chance.expovariate(0.1)
            deliveries.append(Delivery(delivered, chance.random(), notification))
    deliver_all(world, chance, deliveries)

    assert len(set(world.target.ids)) == len(world.target.ids)
    for span, at in files:
        created = [
            created for request, created in world.target.runs if request.parameters["span"] == span
        ]
        assert max(created) >= at
    if skews == (0, 0, 0):
        # One run for each upload of a span, and none on a part of it.
        assert len(world.target.runs) == 3 * 2
    else:
        assert 3 * 2 <= len(world.target.runs) < len(files) / 2


@pytest.mark.parametrize("names_runs", [True, False], ids=["named", "claimed"])
@pytest.mark.parametrize("seed", range(3))
def test_limits_hold_and_every_request_runs_whatever_fails(claims, names_runs, seed):
    limits = {"cool_down_seconds": 900, "daily_limit": 5}
    world = World(names_runs, claims, ask={"kind": "request", **limits})
    chance = random.Random(seed)
    asked = [message({"id": f"q{number}"}) for number in range(12)]
    deliver_all(
        world,
        chance,
        [Delivery(world.now + chance.uniform(0, 60), chance.random(), ask) for ask in asked * 2],
    )
    assert len(set(world.target.ids)) == len(world.target.ids) == len(asked)
    days = [created.date() for _, created in world.target.runs]
    # A run that was admitted just before midnight may be created after it.
    assert max(days.count(day) for day in days) <= 6
