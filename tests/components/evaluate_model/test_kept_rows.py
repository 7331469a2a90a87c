"""Scored rows that workers keep for the task."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from retrainer.components.evaluate_model.kept_rows import MOST_PREDICTIONS, KeptRows
from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.evaluation.eval_config import BASELINE, CANDIDATE
from retrainer.components.lib.evaluation.scores import Scores


def rows(start: int, count: int, outputs: int = 3, weighted: bool = True) -> Scores:
    numbers = np.arange(start, start + count)
    shape = (count, outputs) if outputs > 1 else (count,)
    values = np.repeat(numbers, outputs).reshape(shape).astype(np.float32)
    names = pa.chunked_array([pa.array([None if n % 5 == 0 else f"çd {n % 3}" for n in numbers])])
    return Scores(
        numbers,
        {CANDIDATE: values, BASELINE: -values},
        numbers / 2 if weighted else None,
        pa.table({"place": names}),
    )


@pytest.mark.parametrize(("outputs", "weighted"), [(1, False), (3, True)])
def test_rows_come_back_as_they_were_in_the_order_of_files_and_batches(
    tmp_path: Path, outputs: int, weighted: bool
) -> None:
    kept = KeptRows(str(tmp_path / "kept"))
    for file, batch, start in ((1, 0, 20), (0, 11, 10), (0, 2, 0), (0, 11, 10)):
        kept.write(rows(start, 10, outputs, weighted), file, batch)
    found, expected = kept.read(), rows(0, 30, outputs, weighted)
    assert found is not None
    assert (found.label == expected.label).all()
    for name, values in expected.predictions.items():
        assert found.predictions[name].dtype == np.float32
        assert found.predictions[name].shape == values.shape
        assert (found.predictions[name] == values).all()
    assert found.slices.to_pydict() == expected.slices.to_pydict()
    if expected.weight is None:
        assert found.weight is None
    else:
        assert found.weight is not None
        assert (found.weight == expected.weight).all()


def test_the_share_is_what_fits() -> None:
    assert KeptRows.at("x", 1_000, 2).share == 1
    assert KeptRows.at("x", MOST_PREDICTIONS, 2).share == 0.5
    assert KeptRows.at("x", 0, 2).share == 1
    assert KeptRows.at("x", 20_000_000, 1).share == 1
    assert KeptRows.at("x", 20_000_001, 1).share < 1


def test_a_batch_that_is_drawn_again_is_the_same(tmp_path: Path) -> None:
    first, second = (KeptRows(str(tmp_path / name), 0.3) for name in "ab")
    for kept in (first, second):
        kept.write(rows(0, 1_000, 1), 0, 0)
        kept.write(rows(1_000, 1_000, 1), 0, 1)
    one, other = first.read(), second.read()
    assert one is not None
    assert other is not None
    assert one.label.tolist() == other.label.tolist()
    assert 500 < one.rows < 700
    assert set(one.label[one.label < 1_000]) != set(one.label[one.label >= 1_000] - 1_000)


def test_nothing_was_kept(tmp_path: Path) -> None:
    kept = KeptRows(str(tmp_path / "kept"))
    assert kept.read() is None
    kept.write(rows(0, 0), 0, 0)
    assert kept.read() is None


def test_a_sample_holds_whole_queries(tmp_path: Path) -> None:
    """Whichever batches their rows are in."""
    kept = KeptRows(str(tmp_path / "kept"), 0.3, "query")
    of_query = np.random.default_rng(1).integers(0, 500, 2_000)
    for batch, numbers in enumerate(np.split(of_query, 4)):
        names = pa.table({"query": pa.array([f"é{one}" for one in numbers])})
        kept.write(Scores(numbers, {CANDIDATE: numbers / 1.0}, None, names), 0, batch)
    found = kept.read()
    assert found is not None
    present, rows_of = np.unique(found.label, return_counts=True)
    assert (rows_of == np.bincount(of_query)[present]).all()
    assert 100 < len(present) < 200
    with pytest.raises(RetrainerError, match="whole queries by session and search at once"):
        KeptRows.at("x", MOST_PREDICTIONS, 2, ["session", "search"])
    assert KeptRows.at("x", 10, 2, ["session", "search"]).share == 1
    assert KeptRows.at("x", MOST_PREDICTIONS, 2, ["search"]) == KeptRows("x", 0.5, "search")


def test_of_several_outputs_each_has_its_own_labels_and_predictions(tmp_path: Path) -> None:
    kept = KeptRows(str(tmp_path / "kept"))
    late, when = rows(0, 10, 1), rows(0, 10, 3)
    minutes = Scores(
        100 + late.label,
        {name: values + 0.5 for name, values in late.predictions.items()},
        late.weight,
        late.slices,
    )
    kept.write(Scores.of_outputs({"late": late, "minutes": minutes, "when": when}), 0, 0)
    found = kept.read()
    assert found is not None
    assert list(found.outputs) == ["late", "minutes", "when"]
    for name, expected in (("late", late), ("minutes", minutes), ("when", when)):
        one = found.outputs[name]
        assert (one.label == expected.label).all()
        for model, values in expected.predictions.items():
            assert (one.predictions[model] == values).all()
    assert found.slices.to_pydict() == late.slices.to_pydict()
