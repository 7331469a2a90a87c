"""A class of the label that training never saw is named before anything is trained."""

import json

import numpy as np
import pandas as pd

from retrainer.components.lib.examples import SpanPart
from retrainer.components.validate_examples import label_classes
from retrainer.components.validate_examples.label_classes import count_classes


def tickets(number: int, new: int = 0, share: float = 1 / 3, kind=int) -> pd.DataFrame:
    rng = np.random.default_rng(number)
    rows = 600
    queue = rng.choice(3, rows, p=[share, (1 - share) / 2, (1 - share) / 2])
    queue[:new] = 3
    return pd.DataFrame({"a": rng.normal(0, 1, rows), "queue": queue.astype(kind)})


def spans(*frames: pd.DataFrame) -> dict[str, pd.DataFrame]:
    return {str(i): frame for i, frame in enumerate(frames, 1)}


def test_a_class_that_evaluation_alone_has_is_named(judge):
    outcome = judge(spans(tickets(1), tickets(2), tickets(3, new=60)), label="queue")
    finding = outcome.one("queue", "new_class")
    assert finding["severity"] == "warning"
    assert finding["seen"] == "3 in 60 rows"
    assert finding["expected"] == "the classes that training has (0, 1, 2)"
    assert any("new label class" in line for line in outcome.warnings)


def test_a_class_that_training_has_is_not_new(judge):
    outcome = judge(spans(tickets(1), tickets(2, new=60), tickets(3, new=60)), label="queue")
    assert "new_class" not in {f["kind"] for f in outcome.findings}


def test_the_rate_of_one_of_several_classes_is_watched(judge):
    moved = spans(tickets(1), tickets(2), tickets(3, share=0.8))
    finding = judge(moved, label="queue").one("queue", "label_rate")
    assert finding["seen"].startswith("class 0 in 8")
    assert finding["seen"].endswith("in the earlier spans")


def test_labels_that_are_whole_floats_are_classes_and_counts_are_numbers(judge):
    floats = [tickets(i, new=60 * (i == 3), kind=float) for i in (1, 2, 3)]
    assert judge(spans(*floats), label="queue").one("queue", "new_class")["seen"] == "3 in 60 rows"


def test_a_label_of_many_values_is_a_number(judge):
    frames = [tickets(i).assign(queue=np.arange(600) // (20 - i)) for i in (1, 2, 3)]
    kinds = {f["kind"] for f in judge(spans(*frames), label="queue").findings}
    assert not kinds & {"new_class", "label_rate"}


def test_a_span_is_counted_once_ever(tmp_path, monkeypatch):
    tickets(1).to_parquet(tmp_path / "all.parquet")
    part = SpanPart("1", str(tmp_path), "all", 600, ("all.parquet",))
    first = count_classes([part], "queue")
    assert sum(first.counts.values()) == first.rows == 600
    monkeypatch.setattr(label_classes, "_count", None)
    assert count_classes([part], "queue") == first
    monkeypatch.undo()
    (tmp_path / "labels-all.json").write_text(json.dumps({"format": 0}))
    assert count_classes([part], "queue") == first
