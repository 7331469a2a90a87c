import os
import signal
import time
from dataclasses import replace

import pytest
from servers.memory_service import die

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.serving.lock import LockLostError, hold_lock
from retrainer.components.lib.uris import filesystem


def test_a_lock_that_was_released_is_free_and_leaves_few_records(tmp_path, quick):
    uri = str(tmp_path / "lock")
    for _ in range(20):
        with hold_lock(uri, "memory", quick) as lock:
            lock.check()
    names = [name.rpartition("/")[2] for name in filesystem(uri)[0].ls(uri, detail=False)]
    assert len(names) < 8
    assert not [name for name in names if name.startswith("alive")]
    newest = lock.records.newest().content
    assert (newest["released"], newest["id"]) == (True, lock.own.content["id"])
    # Whoever has it next need not wait until the owner seems dead.
    with hold_lock(uri, "memory", replace(quick, stale=60, wait=5)) as lock:
        lock.check()


def test_a_waiter_names_the_owner_and_gives_up_after_a_time(tmp_path, quick):
    uri = str(tmp_path / "lock")
    said = []
    with (
        hold_lock(uri, "memory", quick),
        pytest.raises(RetrainerError, match=f"memory is being changed by process {os.getpid()} on"),
        hold_lock(uri, "memory", replace(quick, wait=0.8), said.append),
    ):
        pass
    assert len(said) == 1
    assert said[0].startswith(f"waiting for process {os.getpid()}")


def test_the_lock_of_a_killed_owner_is_taken_over(tmp_path, quick, in_child):
    uri = str(tmp_path / "lock")

    def hold_and_die():
        with hold_lock(uri, "memory", quick):
            time.sleep(0.1)
            die()

    assert in_child(hold_and_die) == -signal.SIGKILL
    with hold_lock(uri, "memory", quick) as lock:
        lock.check()


def test_an_owner_that_lives_keeps_its_lock_however_long_others_wait(tmp_path, quick, in_child):
    uri, done = str(tmp_path / "lock"), tmp_path / "done"

    def hold():
        with hold_lock(uri, "memory", quick) as lock:
            time.sleep(4 * quick.stale)
            lock.check()
            done.touch()

    holder = in_child.start(hold)
    while not (tmp_path / "lock" / "000001.json").exists():
        time.sleep(0.01)
    with hold_lock(uri, "memory", quick):
        assert done.exists()
    assert in_child.wait(holder) == 0


def test_an_owner_that_was_stopped_for_too_long_finds_out(tmp_path, quick, in_child):
    uri = str(tmp_path / "lock")
    silent = replace(quick, heartbeat=60)
    with hold_lock(uri, "memory", silent) as lock:
        with (
            hold_lock(uri, "memory", quick),
            pytest.raises(LockLostError, match=r"took it over. Run 'retrainer deploy' again"),
        ):
            lock.check()
        with pytest.raises(LockLostError):
            lock.check()
    # What it releases is not the other's.
    with hold_lock(uri, "memory", quick) as lock:
        lock.check()


def test_of_many_processes_one_at_a_time_holds_it(tmp_path, quick, in_child):
    uri, count = str(tmp_path / "lock"), tmp_path / "count"
    count.write_text("0")

    def add():
        with hold_lock(uri, "memory", quick):
            value = int(count.read_text())
            time.sleep(0.02)
            count.write_text(str(value + 1))

    processes = [in_child.start(add) for _ in range(5)]
    assert [in_child.wait(one) for one in processes] == [0] * 5
    assert count.read_text() == "5"
