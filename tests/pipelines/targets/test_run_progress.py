from datetime import UTC, datetime, timedelta

import pytest

from retrainer.pipelines.targets.errors import RefusedError, UnauthenticatedError, UnavailableError
from retrainer.pipelines.targets.run_progress import LostSightError, follow
from retrainer.pipelines.targets.types import RemoteState, RunStatus, Submission, TaskStatus

BEGAN = datetime(2026, 4, 1, tzinfo=UTC)
RUN = Submission("orders-1", "orders-1", "https://console", BEGAN)


class Answers:
    """A target that answers one thing after another; an error is raised."""

    def __init__(self, *answers):
        self.answers = list(answers)

    def status(self, submission):
        assert submission is RUN
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def task(name, state, seconds=None, **more):
    ended = BEGAN + timedelta(seconds=seconds) if seconds is not None else None
    return TaskStatus(name, state, BEGAN, ended, **more)


def lines(*answers, **options):
    said = []
    status = follow(Answers(*answers), RUN, said.append, poll_seconds=0, **options)
    return status, said


def test_each_change_is_reported_once():
    running = RunStatus(RemoteState.RUNNING, [task("train-model", RemoteState.RUNNING)])
    done = RunStatus(
        RemoteState.SUCCEEDED,
        [
            task("train-model", RemoteState.SUCCEEDED, 42),
            task("evaluate-model", RemoteState.CACHED, 1),
            task("push-model", RemoteState.PENDING),
        ],
    )
    status, said = lines(running, running, done)
    assert status is done
    assert said == [
        "  train_model ...",
        "✓ train_model  42 s",
        "= evaluate_model  reused from an earlier run",
    ]


def test_a_failed_task_says_why_and_where_its_logs_are():
    failed = task("train-model", RemoteState.FAILED, 3, error="exit 1", url="https://logs")
    _, said = lines(RunStatus(RemoteState.FAILED, [failed]))
    assert said == ["✗ train_model  3 s", "    exit 1", "    https://logs"]


def test_a_service_out_of_reach_is_asked_again():
    done = RunStatus(RemoteState.SUCCEEDED)
    status, said = lines(UnavailableError("the API is down."), done)
    assert status is done
    assert "the API is down." in said[0]


def test_credentials_that_are_renewed_in_time_are_waited_for():
    done = RunStatus(RemoteState.SUCCEEDED)
    status, said = lines(UnauthenticatedError("answered 401."), done)
    assert status is done
    assert "answered 401." in said[0]


@pytest.mark.parametrize(
    "errors",
    [
        [UnavailableError("down.")],
        [UnauthenticatedError("answered 401.")],
        [UnauthenticatedError("answered 401.", renewable=False)],
        [RefusedError("answered 403.")],
        [OSError("the key file is gone")],
    ],
)
def test_losing_sight_of_a_run_is_an_error_of_its_own(errors):
    patience = {"max_silence_seconds": 0.0, "max_token_gap_seconds": 0.0}
    with pytest.raises(LostSightError) as lost:
        lines(*errors, **patience)
    assert lost.value.exit_code == 3


@pytest.mark.parametrize(
    "error", [UnauthenticatedError("401.", renewable=False), RefusedError("403.")]
)
def test_what_can_not_pass_is_not_waited_for(error):
    with pytest.raises(LostSightError):
        lines(error, RunStatus(RemoteState.SUCCEEDED))
