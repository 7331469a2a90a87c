"""Reading a statistics artifact."""

import pytest

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.statistics.statistics_artifact import (
    Statistics,
    StatisticsIndex,
    read_index,
    read_statistics,
    row_count,
    write_statistics,
)


@pytest.fixture
def artifact(tmp_path):
    """A folder with the statistics of one split."""
    statistics = Statistics()
    statistics.datasets.add(num_examples=5)
    index = StatisticsIndex("late", (), ("1",), {"train": ("1",), "eval": ()})
    write_statistics(tmp_path, index, {"Split-train": statistics})
    return tmp_path


def test_what_was_written_is_read(artifact):
    assert row_count(read_statistics(artifact, "Split-train")) == 5


def test_the_index_says_which_columns_of_the_key_are_features(tmp_path):
    splits = {"train": ("1",), "eval": ()}
    index = StatisticsIndex("late", ("id", "shop"), ("1",), splits, key_features=("shop",))
    write_statistics(tmp_path, index, {})
    assert read_index(tmp_path) == index
    assert index.bare_key == ("id",)


@pytest.mark.parametrize("content", [b"", b"no message"])
def test_damaged_statistics_are_named(artifact, content):
    (artifact / "Split-train" / "FeatureStats.pb").write_bytes(content)
    with pytest.raises(
        RetrainerError, match=r"FeatureStats.pb' is damaged: .*Run compute_statistics again"
    ):
        read_statistics(artifact, "Split-train")


def test_missing_statistics_are_named(artifact):
    with pytest.raises(RetrainerError, match=r"no statistics at '.*Split-eval/FeatureStats.pb'"):
        read_statistics(artifact, "Split-eval")
