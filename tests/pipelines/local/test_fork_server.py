"""The process that forks tasks, from the inside."""

import os
import socket
import time

import pytest

from retrainer.pipelines.local import fork_server as server_module
from retrainer.pipelines.local.fork_server import Server
from retrainer.pipelines.local.socket_messages import DisconnectedError, receive, send


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    yield ours, theirs
    ours.close()
    theirs.close()


def test_messages_and_descriptors_arrive_whole(pair, tmp_path):
    ours, theirs = pair
    with open(tmp_path / "file", "w+") as file:
        for number in range(3):
            send(theirs, {"number": number, "text": "x" * 10_000}, [file.fileno()])
    for number in range(3):
        message, descriptors = receive(ours)
        assert message == {"number": number, "text": "x" * 10_000}
        assert len(descriptors) == 1
        os.close(descriptors[0])
    theirs.close()
    with pytest.raises(DisconnectedError):
        receive(ours)


def test_a_task_that_ends_while_something_is_sent_is_reported_afterwards(pair, monkeypatch):
    ours, theirs = pair
    server = Server(theirs, alive=-1)
    pid = os.fork()
    if pid == 0:
        os._exit(3)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    server._tasks[pid] = "quick"

    def interrupted_send(connection, message, descriptors=()):
        if message["event"] == "loading":
            # As Python runs the handler of a signal, in the middle of whatever is being done.
            connection.sendall(b"\0")
            server.note_child_end()
            connection.sendall(b"\0\0\2{}")
        else:
            send(connection, message, descriptors)

    monkeypatch.setattr(server_module, "send", interrupted_send)
    server._send({"event": "loading"})
    assert receive(ours)[0] == {}
    message, _ = receive(ours)
    assert (message["event"], message["id"], message["status"]) == ("ended", "quick", 3)
    assert message["peak_memory"] > 0
    assert server._tasks == {}


def test_ends_that_come_while_ends_are_sent_are_not_lost(pair, monkeypatch):
    ours, theirs = pair
    server = Server(theirs, alive=-1)
    for name in ("one", "two"):
        pid = os.fork()
        if pid == 0:
            time.sleep(0.2 if name == "two" else 0)
            os._exit(0)
        server._tasks[pid] = name
    first, second = server._tasks
    os.waitid(os.P_PID, first, os.WEXITED | os.WNOWAIT)

    def slow_send(connection, message, descriptors=()):
        send(connection, message, descriptors)
        if message["id"] == "one":
            os.waitid(os.P_PID, second, os.WEXITED | os.WNOWAIT)
            server.note_child_end()

    monkeypatch.setattr(server_module, "send", slow_send)
    server.note_child_end()
    assert [receive(ours)[0]["id"] for _ in range(2)] == ["one", "two"]
    assert server._tasks == {}
