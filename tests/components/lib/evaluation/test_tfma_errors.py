"""A failure of TFMA's is passed on unless its message holds rows."""

import pytest

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.evaluation.array_metrics.array_path import NotCoveredError
from retrainer.components.lib.evaluation.tfma_errors import MOST_LETTERS, without_rows


@pytest.mark.parametrize(
    "error",
    [
        ValueError("x" * MOST_LETTERS),
        NotCoveredError("x" * (MOST_LETTERS + 1)),
        RetrainerError("x" * (MOST_LETTERS + 1)),
    ],
)
def test_a_short_message_and_those_of_retrainer_are_passed_on(error: Exception) -> None:
    with pytest.raises(type(error)) as raised, without_rows():
        raise error
    assert raised.value is error


def test_a_long_message_is_cut_short_and_what_caused_it_is_not_printed() -> None:
    with (
        pytest.raises(RetrainerError, match="TFMA fails on these labels") as raised,
        without_rows(),
    ):
        raise ValueError("rows " * MOST_LETTERS)
    assert len(str(raised.value)) < MOST_LETTERS
    assert raised.value.__suppress_context__


def test_a_metric_of_keras_is_named_with_its_own_reason() -> None:
    with pytest.raises(RetrainerError) as raised, without_rows():
        raise ValueError("TF Metric mean_io_u fails to update: [1]") from IndexError("out of bound")
    first, second = str(raised.value).splitlines()
    assert first.startswith("Keras's metric 'mean_io_u' fails on these labels")
    assert "out of bound" in first
    assert second.startswith("Choose another metric")
