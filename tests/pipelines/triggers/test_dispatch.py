import random
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from servers.memory_target import MemoryTarget
from servers.trigger_messages import DATA, NOON, incident, message, written

from retrainer.components.lib.errors import RetrainerError
from retrainer.pipelines.project.sections.triggers import TriggerConfig
from retrainer.pipelines.targets.errors import RefusedError, UnavailableError
from retrainer.pipelines.triggers.claims.files import FileClaims
from retrainer.pipelines.triggers.claims.ledger import Ledger
from retrainer.pipelines.triggers.coalescing import LONGEST
from retrainer.pipelines.triggers.dispatch import Dispatcher
from retrainer.pipelines.triggers.types import Result


class Clock:
    def __init__(self, now: datetime = NOON) -> None:
        self.now = now.timestamp()

    def __call__(self) -> float:
        return self.now

    def go_to(self, moment: datetime) -> None:
        self.now = moment.timestamp()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def target(clock):
    return MemoryTarget(names_runs=True, clock=clock)


@pytest.fixture
def make(target, clock):
    """Make a replica with these triggers."""
    claims = FileClaims(f"memory://{uuid.uuid4().hex}")

    def make(data=DATA, **triggers):
        configs = {name: TriggerConfig(**section) for name, section in triggers.items()}
        return Dispatcher("orders", configs, data, target, Ledger(claims), clock)

    return make


def _ahead(make):
    """Make a replica whose clock is an hour ahead, so that nothing waits."""
    dispatcher = make(files={"kind": "storage"})
    dispatcher._clock = lambda: NOON.timestamp() + 3600
    return dispatcher


def _deliver(dispatcher, clock, files):
    """Deliver each file's message when it was written; returns the outcomes."""
    outcomes = []
    for file in files:
        clock.go_to(file.published)
        outcomes.append(dispatcher.handle(file))
    return outcomes


@pytest.mark.parametrize("first", [NOON, NOON - timedelta(seconds=1), NOON + timedelta(seconds=7)])
def test_ten_files_of_a_span_are_one_run_wherever_the_clock_is(make, target, clock, first):
    dispatcher = make(files={"kind": "storage", "parameters": {"span": "{span}"}})
    files = [written(f"day=7/{n}.csv", first + timedelta(seconds=n)) for n in range(10)]
    outcomes = _deliver(dispatcher, clock, files)
    assert {outcome.result for outcome in outcomes} == {Result.DEFERRED}
    assert all(300 <= outcome.retry_seconds <= 330 for outcome in outcomes)
    assert "or later if more files of its span come" in outcomes[0].reason
    # The first file has waited, and the last one has not.
    clock.go_to(first + timedelta(seconds=300))
    assert dispatcher.handle(files[0]).result == Result.DEFERRED
    clock.go_to(first + timedelta(seconds=9 + 330))
    results = [dispatcher.handle(file).result for file in files]
    assert results == [Result.STARTED] + [Result.DUPLICATE] * 9
    ((request, created),) = target.runs
    assert created >= files[-1].published
    assert request.run_id.startswith("orders-7-")
    assert request.parameters == {"span": "7"}
    assert request.labels == {"retrainer-trigger": "files"}


def test_a_run_waits_for_files_that_another_replica_received(make, target, clock):
    one, other = (make(files={"kind": "storage"}) for _ in range(2))
    first, second = written("day=7/1.csv"), written("day=7/2.csv", NOON + timedelta(seconds=250))
    _deliver(one, clock, [first])
    _deliver(other, clock, [second])
    clock.go_to(NOON + timedelta(seconds=400))
    assert one.handle(first).result == Result.DEFERRED
    clock.go_to(NOON + timedelta(seconds=580))
    assert make(files={"kind": "storage"}).handle(first).result == Result.STARTED
    assert one.handle(first).result == other.handle(second).result == Result.DUPLICATE
    assert len(target.runs) == 1


def test_messages_that_come_out_of_order_wait_for_the_newest_file(make, target, clock):
    dispatcher = make(files={"kind": "storage"})
    late = written("day=7/2.csv", NOON + timedelta(seconds=200))
    early = written("day=7/1.csv")
    clock.go_to(NOON + timedelta(seconds=310))
    assert dispatcher.handle(late).result == Result.DEFERRED
    assert dispatcher.handle(early).result == Result.DEFERRED
    clock.go_to(NOON + timedelta(seconds=530))
    assert dispatcher.handle(early).result == Result.STARTED
    assert dispatcher.handle(late).result == Result.DUPLICATE


def test_files_that_never_stop_coming_put_a_run_off_for_an_hour_at_most(make, target, clock):
    dispatcher = make(files={"kind": "storage"})
    files = [written(f"day=7/{n}.csv", NOON + timedelta(seconds=100 * n)) for n in range(80)]
    for number, file in enumerate(files):
        clock.go_to(file.published)
        for each in files[: number + 1]:
            dispatcher.handle(each)
    (_, first), (_, second) = target.runs
    assert first == NOON + timedelta(seconds=300 * LONGEST)
    # The next hour begins with the first file that the run has not seen.
    assert second == first + timedelta(seconds=100 + 300 * LONGEST)


def test_a_file_that_landed_after_the_run_began_starts_a_second_one(make, target, clock):
    dispatcher = make(files={"kind": "storage"})
    first = written("day=7/1.csv", NOON)
    _deliver(dispatcher, clock, [first])
    clock.go_to(NOON + timedelta(seconds=300))
    assert dispatcher.handle(first).result == Result.STARTED
    late = written("day=7/11.csv", NOON + timedelta(seconds=310))
    assert _deliver(dispatcher, clock, [late])[0].result == Result.DEFERRED
    clock.go_to(NOON + timedelta(seconds=640))
    outcome = dispatcher.handle(late)
    assert outcome.result == Result.STARTED
    assert len(set(target.ids)) == 2
    assert outcome.run_ids == (target.ids[1],)
    for again in (first, late):
        assert dispatcher.handle(again).result == Result.DUPLICATE
        assert make(files={"kind": "storage"}).handle(again).result == Result.DUPLICATE
    assert len(target.runs) == 2


def test_a_new_replica_goes_on_with_a_span_that_has_had_many_runs(make, target, clock):
    asked = []
    for number in range(30):
        file = written(f"day=7/{number}.csv", NOON + timedelta(hours=number))
        clock.go_to(file.published + timedelta(seconds=330))
        asked.clear()
        target.slow = lambda: asked.append(1)
        assert make(files={"kind": "storage"}).handle(file).result == Result.STARTED
        assert len(asked) <= 2
    assert len(set(target.ids)) == 30


def test_each_folders_marker_of_a_span_can_wait_for_the_others(make, target, clock):
    dispatcher = make(
        files={
            "kind": "storage",
            "pattern": "gs://acme/day={span}/*/*.csv",
            "marker": "_SUCCESS",
            "coalesce_seconds": 60,
        }
    )
    markers = [written(f"day=7/{n}/_SUCCESS", NOON + timedelta(seconds=20 * n)) for n in range(3)]
    assert {each.result for each in _deliver(dispatcher, clock, markers)} == {Result.DEFERRED}
    clock.go_to(NOON + timedelta(seconds=110))
    results = [dispatcher.handle(each).result for each in markers]
    assert results == [Result.STARTED, Result.DUPLICATE, Result.DUPLICATE]


def test_the_datas_marker_starts_the_run_and_the_files_before_it_do_not(make, target):
    data = DATA.model_copy(update={"marker": "_SUCCESS"})
    dispatcher = make(data, files={"kind": "storage"})
    assert dispatcher.handle(written("day=7/1.csv")).result == Result.IGNORED
    assert dispatcher.handle(written("day=7/_SUCCESS")).result == Result.STARTED


def test_a_run_that_a_target_takes_for_its_own_after_a_lost_reply_covers_nothing_later(
    make, target, clock
):
    clock.now += 60
    assert _ahead(make).handle(written("day=7/1.csv", NOON)).result == Result.STARTED
    clock.now += 60
    target.unsure = True
    late = written("day=7/2.csv", NOON + timedelta(seconds=90))
    assert _ahead(make).handle(late).result == Result.STARTED
    (_, first), (_, second) = target.runs
    assert first < NOON + timedelta(seconds=90) <= second


def test_a_service_whose_clock_is_behind_starts_no_run_for_each_delivery(make, target, clock):
    dispatcher = make(files={"kind": "storage"})
    clock.now += 301
    target._clock = lambda: clock.now - 3600
    file = written("day=7/1.csv", NOON)
    results = [dispatcher.handle(file).result for _ in range(5)]
    assert results == [Result.STARTED] + [Result.DUPLICATE] * 4
    assert len(target.runs) == 2


def test_with_a_marker_the_files_do_nothing_and_the_span_written_again_is_run_again(
    make, target, clock
):
    dispatcher = make(files={"kind": "storage", "marker": "_SUCCESS"})
    assert dispatcher.handle(written("day=7/1.csv")).result == Result.IGNORED
    one = written("day=7/_SUCCESS", generation=1)
    again = written("day=7/_SUCCESS", NOON + timedelta(seconds=1), generation=2)
    results = []
    for each in (one, one, again, again):
        clock.go_to(each.published)
        results.append(dispatcher.handle(each).result)
    assert results == [Result.STARTED, Result.DUPLICATE] * 2
    assert len(set(target.ids)) == 2


@pytest.mark.parametrize(("parameters", "runs"), [({}, 1), ({"span": "{span}"}, 20)])
def test_markers_of_many_spans_at_once_are_one_run_unless_each_is_asked_for_its_span(
    make, target, clock, parameters, runs
):
    """A run that is not given a span takes the newest ones, so that it does for all that were whole when it began."""
    dispatcher = make(files={"kind": "storage", "marker": "_SUCCESS", "parameters": parameters})
    markers = [written(f"day={day}/_SUCCESS", NOON + timedelta(seconds=day)) for day in range(20)]
    clock.now += 60
    assert {dispatcher.handle(marker).result for marker in markers} <= {"started", "duplicate"}
    assert len(target.runs) == runs
    later = written("day=20/_SUCCESS", NOON + timedelta(seconds=120))
    clock.go_to(later.published)
    assert dispatcher.handle(later).result == Result.STARTED


def test_a_service_whose_clock_is_ahead_swallows_no_marker(make, target, clock):
    dispatcher = make(files={"kind": "storage", "marker": "_SUCCESS"})
    target._clock = lambda: clock.now + 3600
    for seconds in (0, 60, 120):
        marker = written(f"day={seconds}/_SUCCESS", NOON + timedelta(seconds=seconds))
        assert [each.result for each in _deliver(dispatcher, clock, [marker])] == [Result.STARTED]


def test_markers_that_waited_for_a_limit_are_one_run(make, target, clock):
    limits = {"daily_limit": 1}
    dispatcher = make(files={"kind": "storage", "marker": "_SUCCESS", **limits})
    markers = [written(f"day={day}/_SUCCESS", NOON + timedelta(hours=day)) for day in range(6)]
    results = [outcome.result for outcome in _deliver(dispatcher, clock, markers)]
    assert results == [Result.STARTED] + [Result.DEFERRED] * 5
    clock.go_to(NOON + timedelta(hours=12, seconds=1))
    results = [dispatcher.handle(marker).result for marker in markers]
    assert results == [Result.DUPLICATE, Result.STARTED] + [Result.DUPLICATE] * 4


def test_each_kind_starts_a_run_and_says_which(make, target):
    dispatcher = make(
        files={"kind": "storage", "marker": "_SUCCESS"},
        ask={"kind": "request", "allow": ["span"]},
        nightly={"kind": "schedule"},
        watch={"kind": "alert"},
    )
    messages = [
        written("day=7/_SUCCESS"),
        message({"id": "q1"}),
        message(b"", trigger="nightly"),
        message(incident()),
    ]
    outcomes = [dispatcher.handle(each) for each in messages]
    assert {outcome.result for outcome in outcomes} == {Result.STARTED}
    assert [outcome.trigger for outcome in outcomes] == ["files", "ask", "nightly", "watch"]
    assert [outcome.run_ids[0] for outcome in outcomes] == target.ids
    assert [outcome.urls for outcome in outcomes] == [("https://run",)] * 4
    starts = ["orders-7-", "orders-q1-", "orders-nightly-20260301-1200-", "orders-drift-"]
    assert all(run.startswith(start) for run, start in zip(target.ids, starts, strict=True))


def test_after_an_outage_one_run_makes_up_for_all_slots_that_were_missed(make, target, clock):
    dispatcher = make(nightly={"kind": "schedule"})
    slots = [message(b"", NOON + timedelta(hours=n), trigger="nightly") for n in range(24)]
    target.before.extend(UnavailableError("the service is away.") for _ in slots)
    for slot in slots:
        clock.go_to(slot.published)
        assert dispatcher.handle(slot).result == Result.FAILED
    clock.now += 60
    results = [dispatcher.handle(slot).result for slot in slots]
    assert results == [Result.STARTED] + [Result.DUPLICATE] * 23
    # The next slot is one of its own, though the run before it is still going.
    clock.now += 3600
    after = message(b"", NOON + timedelta(hours=24), trigger="nightly")
    assert dispatcher.handle(after).result == Result.STARTED
    assert len(target.runs) == 2


def test_what_nobody_listens_to_is_ignored_and_what_is_malformed_is_permanently_invalid(
    make, target
):
    dispatcher = make(files={"kind": "storage"}, ask={"kind": "request"})
    assert dispatcher.handle(written("other/1.csv")).result == Result.IGNORED
    outcome = dispatcher.handle(message(b"{", trigger="ask"))
    assert (outcome.result, outcome.trigger) == (Result.INVALID, "ask")
    assert outcome.reason.startswith("the body is not JSON")
    assert target.runs == []


def test_a_service_that_is_away_fails_the_message_and_the_next_delivery_starts_one_run(
    make, target
):
    dispatcher = make(ask={"kind": "request"})
    ask = message({"id": "q1"})
    target.before.append(UnavailableError("the service is away."))
    outcome = dispatcher.handle(ask)
    assert (outcome.result, outcome.reason) == (Result.FAILED, "the service is away.")
    assert outcome.retry_seconds > 0
    target.after.append(UnavailableError("the reply was lost."))
    assert dispatcher.handle(ask).result == Result.FAILED
    assert dispatcher.handle(ask).result == Result.DUPLICATE
    assert len(target.runs) == 1


def test_a_refusal_keeps_the_message_and_says_so(make, target):
    dispatcher = make(ask={"kind": "request"})
    target.before.append(RefusedError("the role aiplatform.user is missing."))
    outcome = dispatcher.handle(message({}))
    assert outcome.result == Result.FAILED
    assert outcome.reason == "the role aiplatform.user is missing. The message is kept."


def test_a_bug_is_an_outcome_without_its_text(make, target):
    target.before.append(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        make(ask={"kind": "request"}).handle(message({}))


def test_a_message_of_several_triggers_gets_the_result_that_keeps_it_alive(make, target, clock):
    triggers = {
        "waits": {"kind": "storage", "pattern": "gs://acme/day={span}/*"},
        "marked": {"kind": "storage", "marker": "_SUCCESS"},
        "other": {"kind": "storage", "marker": "_SUCCESS"},
    }
    dispatcher = make(**triggers)
    marker = written("day=7/_SUCCESS")
    target.before.append(UnavailableError("the service is away."))
    outcome = dispatcher.handle(marker)
    assert outcome.result == Result.FAILED
    assert outcome.reason == (
        "its run starts at 2026-03-01 12:05:00 UTC, or later if more files of its span come. the service is away."
    )
    assert (len(outcome.run_ids), outcome.retry_seconds) == (1, 10)
    assert dispatcher.handle(marker).result == Result.DEFERRED
    clock.now += 300
    assert dispatcher.handle(marker).result == Result.STARTED
    outcome = dispatcher.handle(marker)
    assert outcome.result == Result.DUPLICATE
    assert sorted(outcome.run_ids) == sorted(set(target.ids))
    assert len(target.runs) == 3


def test_an_invalid_part_is_reported_once_the_others_are_done(make, target):
    dispatcher = make(
        marked={"kind": "storage", "marker": "_SUCCESS"},
        all={"kind": "storage", "pattern": "gs://acme/day={span}/*", "coalesce_seconds": 0},
    )
    marker = written("day=7/_SUCCESS", objectGeneration="")
    target.before.append(UnavailableError("the service is away."))
    assert dispatcher.handle(marker).result == Result.FAILED
    outcome = dispatcher.handle(marker)
    assert (outcome.result, outcome.trigger) == (Result.INVALID, "marked")
    assert len(outcome.run_ids) == len(target.runs) == 1


def test_a_glance_finds_what_needs_no_network_and_starts_nothing(make, target, clock):
    dispatcher = make(files={"kind": "storage"}, ask={"kind": "request"})
    file, ask = written("day=7/1.csv"), message({"id": "q1"})
    # What waits for its span to settle is recorded first, for the other replicas.
    assert dispatcher.glance(file) is None
    assert dispatcher.handle(file) == dispatcher.glance(file)
    assert dispatcher.glance(file).result == Result.DEFERRED
    assert dispatcher.glance(written("other")).result == Result.IGNORED
    assert dispatcher.glance(message(b"{")).result == Result.INVALID
    assert dispatcher.glance(ask) is None
    assert target.runs == []
    dispatcher.handle(ask)
    assert dispatcher.glance(ask) == dispatcher.handle(ask)
    clock.now += 300
    assert dispatcher.glance(file) is None


def test_memory_is_bounded_and_what_was_forgotten_is_still_no_second_run(make, target, monkeypatch):
    monkeypatch.setattr("retrainer.pipelines.triggers.known_runs.MAX_KNOWN", 10)
    dispatcher = make(ask={"kind": "request"})
    messages = [message({"id": f"q{number}"}) for number in range(50)]
    for each in messages + messages:
        dispatcher.handle(each)
    assert len(target.runs) == 50
    assert len(dispatcher._known) == 10
    assert not dispatcher._key_locks._locks


@pytest.mark.parametrize("seed", range(5))
def test_nothing_that_arrives_makes_it_raise(make, seed):
    dispatcher = make(
        files={"kind": "storage", "marker": "_SUCCESS"},
        all={"kind": "storage", "coalesce_seconds": 0},
        ask={"kind": "request", "allow": ["span", "store"]},
        nightly={"kind": "schedule"},
        watch={"kind": "alert"},
    )
    chance = random.Random(seed)
    bodies = [b"", b"{}", b'{"id": "a"}', b'{"parameters": {"span": "7"}}', b"[[1]]", b"\xff\x00"]
    bodies += [message(incident()).data, b'{"alerts": [{"status": "firing"}]}', b'{"id": 1e999}']
    values = ["", "a", "OBJECT_FINALIZE", "day=7/1.csv", "day=7/_SUCCESS", "\ud800", "\x00", "1"]
    values += ["acme", "nightly", "ask", "files", "watch", "2026-03-01T12:00:00Z", "9" * 30]
    names = ["eventType", "bucketId", "objectId", "objectGeneration", "eventTime"]
    names += ["retrainer-trigger", "payloadFormat"]
    for _ in range(2000):
        attributes = {name: chance.choice(values) for name in names if chance.random() < 0.6}
        body = bytearray(chance.choice(bodies))
        if body and chance.random() < 0.3:
            body[chance.randrange(len(body))] = chance.randrange(256)
        published = datetime(chance.choice([1, 1970, 2026, 9998]), 1, 1, tzinfo=UTC)
        text = chance.choice(values)
        assert dispatcher.handle(message(bytes(body), published, text, **attributes)).result


def test_a_dispatcher_without_a_place_for_claims_that_it_needs_says_so(clock):
    configs = {"ask": TriggerConfig(kind="request")}
    with pytest.raises(RetrainerError, match=r"set trigger_service\.claims"):
        Dispatcher("orders", configs, DATA, MemoryTarget(names_runs=False))


@pytest.mark.parametrize(
    ("kind", "second"), [("request", Result.STARTED), ("schedule", Result.DEFERRED)]
)
def test_runs_of_a_trigger_start_at_once_unless_one_may_do_for_the_other(
    make, target, monkeypatch, kind, second
):
    monkeypatch.setattr("retrainer.pipelines.triggers.dispatch._IN_HAND_SECONDS", 0.05)
    dispatcher = make(both={"kind": kind})
    if kind == "request":
        messages = [message({"id": name}, trigger="both") for name in ("a", "b")]
    else:
        times = (NOON, NOON + timedelta(hours=1))
        messages = [message(b"", when, trigger="both") for when in times]
    submitting, go_on = threading.Event(), threading.Event()

    def wait_once():
        target.slow = lambda: None
        submitting.set()
        assert go_on.wait(60)

    target.slow = wait_once
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(dispatcher.handle, messages[0])
        try:
            assert submitting.wait(60)
            assert dispatcher.handle(messages[1]).result == second
        finally:
            go_on.set()
        assert first.result().result == Result.STARTED
