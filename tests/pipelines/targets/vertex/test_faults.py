import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from google.auth.exceptions import RefreshError, TransportError
from servers.vertex import VertexServer
from servers.vertex_cases import Token, compiled, open_target, settings

from retrainer.components.lib.errors import RetrainerError
from retrainer.pipelines.targets.errors import RefusedError, UnavailableError
from retrainer.pipelines.targets.run_progress import LostSightError, follow
from retrainer.pipelines.targets.types import RunRequest
from retrainer.pipelines.targets.vertex.target import VertexTarget

REQUEST = RunRequest("orders-1")


@pytest.fixture
def server():
    with VertexServer() as running:
        yield running


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_a_service_that_is_overloaded_or_broken_is_asked_again(server, status):
    server.fail_next(2, status=status)
    done = open_target(server).submit(REQUEST)
    assert not done.existed
    assert len(server.requests) == 3
    assert server.stats["created"] == 1


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 0, "after": True},
        {"status": 0, "after": True, "delay": 0.1},
        {"status": 503, "after": True},
    ],
    ids=["hung up", "hung up late", "said to be unavailable"],
)
def test_a_run_whose_reply_got_lost_is_found_and_not_started_again(server, fault):
    server.fail_next(1, method="POST", **fault)
    done = open_target(server).submit(REQUEST)
    # It is our own, as far as can be known.
    assert not done.existed
    assert server.stats["created"] == 1
    assert list(server.jobs) == ["orders-1"]


def test_a_run_that_is_created_while_the_request_times_out_is_found(server):
    server.fail_next(1, method="POST", status=0, after=True, delay=1.5)
    done = open_target(server, deadline_seconds=2).submit(REQUEST)
    assert not done.existed
    assert server.stats == {"created": 1, "requests": 3, "duplicates": 1}


def test_a_run_that_was_there_before_is_reported_even_if_the_service_was_busy_first(server):
    target = open_target(server)
    target.submit(REQUEST)
    server.fail_next(2, status=429)
    assert target.submit(REQUEST).existed


def test_a_conflict_without_a_run_is_asked_again(server):
    server.fail_next(1, method="POST", status=409)
    assert not open_target(server).submit(REQUEST).existed
    assert server.stats["created"] == 1


def test_a_service_that_hangs_up_for_a_while_is_waited_for(server):
    server.down = True
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(open_target(server).submit, REQUEST)
        while len(server.requests) < 2:
            time.sleep(0.01)
        server.down = False
        assert not waiting.result().existed
    assert server.stats["created"] == 1


def test_a_service_that_restarts_is_waited_for(server):
    target = open_target(server)
    target.find("orders-0")
    server.stop()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(target.submit, REQUEST)
        server.start()
        assert not waiting.result().existed
    assert server.stats["created"] == 1


def test_a_service_that_stays_down_is_reported_as_unavailable(server):
    server.down = True
    target = open_target(server, deadline_seconds=0.5)
    calls = (
        lambda: target.submit(REQUEST),
        lambda: target.find("orders-1"),
        target.list_schedules,
    )
    for call in calls:
        with pytest.raises(UnavailableError, match=r"did not answer within 0\.5 s"):
            call()


def test_a_service_that_never_answers_is_given_up(server):
    server.fail_next(20, status=0, delay=30)
    with pytest.raises(UnavailableError, match="Try again later"):
        open_target(server, deadline_seconds=0.4).submit(REQUEST)


def test_an_answer_that_makes_no_sense_is_asked_for_again(server):
    server.fail_next(1, method="POST", status=200, after=True)
    assert open_target(server).find("orders-1") is None


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (400, "fails on demand with 400"),
        (401, "gcloud auth application-default login"),
        (403, "roles/aiplatform.user on project 'acme-ml', and roles/iam.serviceAccountUser"),
        (404, "Is project 'acme-ml' right, and region 'europe-west1'"),
    ],
)
def test_a_refusal_is_named_with_the_services_words_and_the_fix(server, status, says):
    # After a 401 the credentials are refreshed, and the request is sent again, twice.
    server.fail_next(3, status=status)
    target = VertexTarget(settings(server.url), compiled(), Token())
    with pytest.raises(
        RefusedError, match=rf"run orders-1: .*fails on demand with {status}"
    ) as got:
        target.submit(REQUEST)
    assert says in str(got.value)
    assert "http" not in str(got.value)
    assert not server.jobs


def test_a_token_that_can_not_be_fetched_for_the_moment_is_fetched_again(server):
    failures = [TransportError("no route"), RefreshError("busy", retryable=True)]

    class Flaky(Token):
        def refresh(self, request):
            if failures:
                raise failures.pop()
            super().refresh(request)

    VertexTarget(settings(server.url), compiled(), Flaky()).submit(REQUEST)
    assert server.stats["created"] == 1


def test_a_token_that_is_refused_is_named_with_the_fix(server):
    class Expired(Token):
        def refresh(self, request):
            raise RefreshError("Reauthentication is needed")

    target = VertexTarget(settings(server.url), compiled(), Expired())
    with pytest.raises(
        RefusedError, match=r"Reauthentication is needed\. Log in with 'gcloud auth"
    ):
        target.submit(REQUEST)


def test_a_wrong_project_or_region_is_named(server):
    with pytest.raises(RefusedError, match="Permission denied on resource project other-ml"):
        open_target(server, project="other-ml").submit(REQUEST)
    with pytest.raises(RefusedError, match="Location us-east1 is not found"):
        open_target(server, region="us-east1").submit(REQUEST)


def test_twins_from_many_threads_start_one_run(server):
    target = open_target(server)
    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(target.submit, [REQUEST] * 8))
    assert server.stats["created"] == 1
    assert sorted(one.existed for one in done) == [False] + [True] * 7
    assert len({one.created_at for one in done}) == 1


def test_many_runs_from_many_threads_are_each_their_own(server):
    target = open_target(server)
    requests = [RunRequest(f"orders-{number}", {"span": str(number)}) for number in range(40)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(target.submit, requests))
    spans = {
        name: job.runtime_config.parameter_values["span"].string_value
        for name, job in server.jobs.items()
    }
    assert spans == {f"orders-{number}": str(number) for number in range(40)}


class Ended(Token):
    """Credentials of a person who must log in again, from some time on."""

    over = False

    def refresh(self, request):
        if self.over:
            raise RefreshError("Reauthentication is needed.", {}, retryable=False)
        super().refresh(request)


def test_credentials_that_end_lose_sight_of_the_run_and_say_how_to_log_in(server):
    credentials = Ended()
    target = VertexTarget(settings(server.url), compiled(), credentials)
    submission = target.submit(REQUEST)
    credentials.over = True
    credentials.token = None
    with pytest.raises(LostSightError, match=r"Reauthentication is needed.* Log in with 'gcloud"):
        follow(target, submission, lambda line: None, 0.01, max_token_gap_seconds=0.1)


def test_a_right_that_is_removed_loses_sight_of_the_run_at_once(server):
    target = open_target(server)
    submission = target.submit(REQUEST)
    server.fail_next(1, status=403)
    with pytest.raises(LostSightError, match=r"roles/aiplatform\.user"):
        follow(target, submission, lambda line: None, 0.01)


def test_certificates_that_are_missing_are_named_before_anything_is_sent(monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere.pem")
    with pytest.raises(RetrainerError, match=r"REQUESTS_CA_BUNDLE is '/nowhere\.pem'"):
        VertexTarget(settings(), compiled(), Token())


def test_the_token_is_sent_whatever_logins_a_netrc_file_has(server, tmp_path, monkeypatch):
    file = tmp_path / "netrc"
    file.write_text("default login me password other\n")
    monkeypatch.setenv("NETRC", str(file))
    target = VertexTarget(settings(server.url), compiled(), Token())
    target.status(target.submit(REQUEST))
    target.list_schedules()
    sent = {seen.headers["Authorization"] for seen in server.requests}
    assert sent == {"Bearer secret"}
