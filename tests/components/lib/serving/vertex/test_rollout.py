"""Whole rollouts on Vertex AI, and a watcher that is killed after each of its requests."""

import os
import signal

import pytest
import requests
from servers.rollout_lives import BAD, GOOD, go_back, serve_in_steps
from servers.vertex_serving_cases import ENDPOINT, section

from retrainer.components.lib import vertex_api
from retrainer.components.lib.serving.vertex import models


def _splits(server):
    """Every split that the endpoint had, by version; a split that stays counts once."""
    found = []
    for one in server.splits:
        split = {
            int(name.split("-v")[1].split("-")[0]): percent
            for name, percent in one.items()
            if percent
        }
        if split and split != (found or [None])[-1]:
            found.append(split)
    return found


def _check(server, version, splits):
    assert _splits(server) == splits
    (left,) = server.named(ENDPOINT).deployed_models
    assert f"-v{version}-" in left.display_name
    assert server.most == 1
    assert "challenger" not in server.registry.aliases("flights")


@pytest.fixture
def life(server, rollout_on, tmp_path, monkeypatch):
    # The tests' store is as a bucket that is mounted.
    monkeypatch.setattr(models, "_MOUNT", f"{tmp_path}/")
    return rollout_on(vertex=section(server))


def test_a_good_version_goes_step_by_step_to_all_requests(server, life):
    serve_in_steps(life)
    _check(server, 2, GOOD)


def test_a_bad_version_goes_back(server, life):
    go_back(life)
    _check(server, 1, BAD)


def test_a_watcher_that_is_killed_after_any_request_goes_on(server, life, in_child, monkeypatch):
    monkeypatch.setattr(vertex_api, "_FIRST_WAIT_SECONDS", 0.005)
    send = requests.Session.send

    def send_and_die(self, request, **options):
        answer = send(self, request, **options)
        if request.method != "GET":
            os.kill(os.getpid(), signal.SIGKILL)
        return answer

    def look():
        monkeypatch.setattr(requests.Session, "send", send_and_die)
        life.look(later=0)

    life.begin()
    kills = 0
    for name, before, new in (("1.parquet", 900, 100), ("2.jsonl", 150, 150), ("3.jsonl", 0, 150)):
        life.answers.seconds += 100
        life.observe(name, before, new)
        while ended := in_child(look):
            assert ended == -signal.SIGKILL
            kills += 1
    assert kills >= 4
    assert life.states == ["canary", "canary", "canary", "promoting", "serving"]
    _check(server, 2, GOOD)
