"""A join is repeated where it failed, and not longer than asked for."""

import pytest

from retrainer.components.join_labels.attempts import attempt, describe
from retrainer.components.lib.errors import RetrainerError


class Work:
    """Fails some times, then answers."""

    def __init__(self, failures: int) -> None:
        self.left = failures

    def __call__(self) -> str:
        if self.left:
            self.left -= 1
            raise OSError("no route to host")
        return "joined"


def test_it_waits_twice_as_long_each_time_and_an_hour_at_most() -> None:
    waited: list[float] = []
    assert attempt(Work(3), 3, 1500, waited.append) == "joined"
    assert waited == [1500, 3000, 3600]


@pytest.mark.parametrize("retries", [0, 1])
def test_the_last_failure_is_raised(retries: int) -> None:
    waited: list[float] = []
    with pytest.raises(OSError, match="no route to host"):
        attempt(Work(2), retries, 5, waited.append)
    assert waited == [5] * retries


def test_only_an_unknown_error_is_named_by_its_class() -> None:
    assert describe(OSError("no route to host")) == "OSError: no route to host"
    assert describe(RetrainerError("set data.label.")) == "set data.label."
