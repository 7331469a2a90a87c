"""A class of the label that training never saw is named before anything is trained."""

import json

import numpy as np
import pandas as pd
import pytest
import tensorflow_data_validation as tfdv

from retrainer.components.lib.examples import SpanPart
from retrainer.components.lib.statistics.dataset import Dataset
from retrainer.components.validate_examples import label_classes
from retrainer.components.validate_examples.label_classes import (
    LabelCounts,
    count_classes,
    count_rate,
    may_be_classes,
)


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


def write(tmp_path, *labels, name="all"):
    files = []
    for i, values in enumerate(labels):
        files.append(f"{name}-{i}.parquet")
        pd.DataFrame({"queue": values}).to_parquet(tmp_path / files[-1])
    return SpanPart("1", str(tmp_path), name, sum(map(len, labels)), tuple(files))


def test_two_files_and_two_parts_of_a_span_are_counted_together(tmp_path):
    parts = [write(tmp_path, [0, 1, 1], [2, 0]), write(tmp_path, [1, 3], name="eval")]
    assert count_classes(parts, "queue") == LabelCounts(7, {0: 2, 1: 3, 2: 1, 3: 1})
    # Kept beside each part, by label.
    assert count_classes(parts, "queue").counts == {0: 2, 1: 3, 2: 1, 3: 1}
    assert count_classes(parts, "other") == LabelCounts(0, {})


@pytest.mark.parametrize(("classes", "are_counted"), [(30, True), (31, False)])
@pytest.mark.parametrize("in_two_parts", [False, True])
def test_thirty_values_are_classes_and_more_are_a_number(
    tmp_path, classes, are_counted, in_two_parts
):
    values = list(range(classes))
    halves = [values[: classes // 2], values[classes // 2 :]] if in_two_parts else [values]
    parts = [write(tmp_path, half, name=f"part{i}") for i, half in enumerate(halves)]
    assert (count_classes(parts, "queue") is not None) is are_counted


@pytest.mark.parametrize("values", [[0, 1, 0.5], ["0", "1", "1"]])
def test_fractions_and_text_are_no_classes_and_stay_none(tmp_path, values):
    part = write(tmp_path, values)
    assert count_classes([part], "queue") is None
    assert count_classes([part], "queue") is None


def column(values):
    statistics = tfdv.generate_statistics_from_dataframe(pd.DataFrame({"x": values}))
    return Dataset(statistics).columns["x"]


@pytest.mark.parametrize(
    ("values", "counts"),
    [
        ([0, 1, 1, 1], LabelCounts(4, {0: 1, 1: 3})),
        ([0.0, 1.0, None], LabelCounts(2, {0: 1, 1: 1})),
        ([1, 1], LabelCounts(2, {0: 0, 1: 2})),
        ([0, 2], None),
        ([-1, 1], None),
        ([0.0, 0.5], None),
        (["0", "1"], None),
    ],
)
def test_a_label_of_0_and_1_is_counted_by_its_mean(values, counts):
    assert count_rate(column(values)) == counts


@pytest.mark.parametrize(
    ("one", "other", "may_be"),
    [
        ([0, 29], [5, 7], True),
        ([0, 30], [5, 7], False),
        ([5, 7], [-1, 7], False),
        (["a", "b"], [5, 7], False),
        ([0, 29], [None, None], True),
    ],
)
def test_classes_are_integers_from_0_to_29_in_every_span(one, other, may_be):
    assert may_be_classes([column(one), column(other)]) is may_be


def test_the_rate_of_a_class_is_its_share():
    counts = LabelCounts(4, {0: 1, 2: 3})
    assert [counts.rate(value) for value in (0, 1, 2)] == [0.25, 0, 0.75]
    assert LabelCounts(0, {}).rate(0) == 0


def test_what_an_earlier_release_counted_is_taken(tmp_path):
    part = write(tmp_path, [0, 1])
    kept = {"format": 1, "label": "queue", "counts": {"0": 5, "3": 2}}
    (tmp_path / "labels-all.json").write_text(json.dumps(kept))
    assert count_classes([part], "queue") == LabelCounts(7, {0: 5, 3: 2})
    assert count_classes([part], "other") == LabelCounts(0, {})
    # That of another label took its place.
    assert count_classes([part], "queue") == LabelCounts(2, {0: 1, 1: 1})


def test_a_store_that_is_read_only_is_counted_again(tmp_path, monkeypatch):
    def deny(uri, content):
        raise PermissionError(uri)

    monkeypatch.setattr(label_classes, "write_atomic", deny)
    part = write(tmp_path, [0, 1])
    assert [count_classes([part], "queue").rows for _ in range(2)] == [2, 2]
