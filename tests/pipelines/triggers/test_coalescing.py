"""When a span has settled: two replicas, two files, and times at a step and beside it."""

import uuid
from datetime import timedelta

import pytest
from servers.trigger_messages import NOON

from retrainer.components.lib.errors import RetrainerError
from retrainer.pipelines.project.sections.triggers import TriggerConfig
from retrainer.pipelines.targets.errors import UnavailableError
from retrainer.pipelines.triggers.claims.files import FileClaims
from retrainer.pipelines.triggers.coalescing import LONGEST, Coalescer, Progress, ready_at
from retrainer.pipelines.triggers.types import Cause

WAIT = 300


def seconds(number):
    return NOON + timedelta(seconds=number)


def cause(written=0.0, span="7"):
    """The cause of a file that was written so many seconds after noon."""
    at = seconds(written)
    return Cause("files", span, span, {}, at + timedelta(seconds=WAIT), at, coalesce_seconds=WAIT)


@pytest.fixture
def replicas():
    claims = f"memory://{uuid.uuid4().hex}"
    return [Coalescer(FileClaims(claims), "orders") for _ in range(2)]


@pytest.mark.parametrize(
    ("written", "recorded"), [(0, 0), (0.001, 30), (29.9, 30), (30, 30), (30.001, 60)]
)
def test_a_files_time_is_rounded_up_to_a_tenth_of_the_wait(replicas, written, recorded):
    assert replicas[0].record(cause(written)).newest == seconds(recorded)


def test_a_short_wait_is_rounded_to_whole_seconds(replicas):
    short = Cause("files", "7", "7", {}, seconds(2.5), seconds(0.5), coalesce_seconds=2)
    assert replicas[0].record(short).newest == seconds(1)


def test_the_newest_file_counts_whichever_replica_received_it_and_in_whatever_order(replicas):
    one, other = replicas
    assert one.record(cause(60)).newest == seconds(60)
    assert other.record(cause(30)).newest == seconds(60)
    assert other.record(cause(90)).newest == seconds(90)
    assert one.record(cause(60)).newest == seconds(90)
    assert one.record(cause(0, span="8")).newest == seconds(0)


def test_a_recorded_run_stays_whoever_records_a_file_or_an_earlier_run_after_it(replicas):
    one, other = replicas
    one.record_run(cause(0), 2)
    assert other.record(cause(30)) == Progress(seconds(30), 2)
    other.record_run(cause(0), 1)
    assert one.record(cause(0)) == Progress(seconds(30), 2)


def test_a_process_knows_a_span_once_it_has_recorded_a_file_as_late(replicas):
    one, other = replicas
    assert one.get_known(cause(30)) is None
    one.record(cause(30))
    assert one.get_known(cause(30)) == one.get_known(cause(0)) == Progress(seconds(30))
    assert one.get_known(cause(31)) is None
    assert one.get_known(cause(30, span="8")) is None
    assert other.get_known(cause(30)) is None


def test_what_is_recorded_is_not_written_again(replicas):
    one, other = replicas
    one.record(cause(60))
    for coalescer, written in ((other, 60), (other, 31), (one, 0)):
        coalescer.record(cause(written))
    assert one._claims.read(one._key(cause())).number == 1


@pytest.mark.parametrize(
    ("newest", "ready"),
    [
        (0, 100 + WAIT),
        (100, 100 + WAIT),
        (130, 130 + WAIT),
        (100 + (LONGEST - 1) * WAIT, 100 + LONGEST * WAIT),
        (101 + (LONGEST - 1) * WAIT, 100 + LONGEST * WAIT),
    ],
)
def test_a_run_waits_for_the_newest_file_and_never_longer_than_the_longest_wait(newest, ready):
    assert ready_at(cause(100), Progress(seconds(newest))) == seconds(ready)


def test_a_record_that_is_always_overtaken_is_given_up(replicas):
    class Overtaken(FileClaims):
        def write(self, key, content, after):
            return None

    coalescer = Coalescer(Overtaken(f"memory://{uuid.uuid4().hex}"), "orders")
    with pytest.raises(UnavailableError, match="is written by too many at once"):
        coalescer.record(cause())
    assert coalescer.get_known(cause()) is None


def test_a_damaged_record_is_named(replicas):
    one, _ = replicas
    one._claims.write(one._key(cause()), {"newest": "noon", "generation": 1}, None)
    with pytest.raises(RetrainerError, match=r"record 1 of 'spans/orders-7-.* is damaged"):
        one.record(cause())


def test_by_default_a_file_waits_for_an_hour_at_most():
    assert LONGEST * TriggerConfig(kind="storage").coalesce_seconds == 3600
