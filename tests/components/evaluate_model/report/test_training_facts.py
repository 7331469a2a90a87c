"""What the report says of the training."""

import pytest

from retrainer.components.evaluate_model.report.training_facts import training_facts
from retrainer.components.lib.examples import Examples, SpanPart


def examples(*spans):
    parts = tuple(SpanPart(span, f"store/{span}", "all", 1_500, ("a",)) for span in spans)
    return Examples("late", {"train": parts, "eval": ()}, spans)


def test_spans_rows_time_and_libraries_are_named():
    noted = {
        "seconds": 12.34,
        "made_with": {"keras": "3.9", "tensorflow": "2.19", "python": "3.11"},
    }
    assert training_facts(examples("2013-01", "2013-02"), noted) == {
        "Trained on": "3,000 rows, spans 2013-01, 2013-02",
        "Training took": "12.3 s; tensorflow 2.19, keras 3.9",
    }


@pytest.mark.parametrize("noted", [None, {}, {"code_digest": "x"}])
def test_what_is_unknown_is_left_out(noted):
    assert list(training_facts(examples("1"), noted)) == ["Trained on"]
    assert training_facts(examples(), noted) == {}


@pytest.mark.parametrize(("seconds", "words"), [(59.94, "59.9 s"), (60, "1 min"), (7_300, "2.0 h")])
def test_a_time_is_in_its_unit(seconds, words):
    assert training_facts(examples("1"), {"seconds": seconds})["Training took"] == words
