"""Signals: what they keep as JSON, and when they are quiet."""

import math

import numpy as np
import pytest

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.monitoring.signals import Kind, Outcome, Signal


def test_a_signal_comes_back_from_json_as_it_was():
    signal = Signal(
        Kind.DRIFT,
        "dép_delay",
        Outcome.BREACHED,
        "0.31 of 0.2",
        0.31,
        0.2,
        0.16,
        "2026-11-02",
        {"rows": 10, "interval": [0.1, 0.4]},
    )
    assert Signal.of(signal.content()) == signal
    assert signal.name == "drift/dép_delay"


def test_values_that_json_lacks_are_left_out():
    evidence = {"rows": np.int64(3), "p": np.float32("nan"), "all": (1, np.inf)}
    content = Signal(Kind.DATA, "x", Outcome.SILENT, "none", math.nan, evidence=evidence).content()
    assert "value" not in content
    assert content["evidence"] == {"rows": 3, "p": None, "all": [1, None]}


@pytest.mark.parametrize(
    ("value", "bound", "clears_at", "outcome", "quiet"),
    [
        (0.1, 0.2, 0.16, Outcome.OK, True),
        (0.17, 0.2, 0.16, Outcome.OK, False),
        (0.17, 0.2, None, Outcome.OK, True),
        (0.80, 0.7, 0.75, Outcome.OK, True),
        (0.72, 0.7, 0.75, Outcome.OK, False),
        (0.1, 0.2, 0.16, Outcome.SILENT, False),
        (0.3, 0.2, 0.16, Outcome.BREACHED, False),
    ],
)
def test_a_signal_is_quiet_beyond_its_clearing_value(value, bound, clears_at, outcome, quiet):
    assert Signal(Kind.DRIFT, "x", outcome, "m", value, bound, clears_at).is_quiet is quiet


@pytest.mark.parametrize("content", [{}, {"kind": "weather"}, {"kind": "drift", "subject": ""}])
def test_what_is_no_signal_is_an_error(content):
    with pytest.raises(RetrainerError, match="no signal"):
        Signal.of({"outcome": "ok", "meaning": "m", "subject": "x", **content})
