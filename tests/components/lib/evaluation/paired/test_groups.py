"""Which rows are left out together."""

import numpy as np
import pyarrow as pa

from retrainer.components.lib.evaluation.paired.groups import assign_groups


def test_groups_differ_by_one_row_at_most_and_are_the_same_each_time() -> None:
    group = assign_groups(1_003, 100)
    sizes = np.bincount(group)
    assert len(sizes) == 100
    assert sizes.max() - sizes.min() == 1
    assert (group == assign_groups(1_003, 100)).all()


def test_fewer_rows_than_groups_make_fewer_groups() -> None:
    assert sorted(assign_groups(7, 100).tolist()) == list(range(7))
    assert assign_groups(0, 100).tolist() == []


def test_a_cluster_stays_whole_and_rows_without_one_stand_alone() -> None:
    names = ["ana", "bo", None, "ana", "çelik", None, "bo", "ana"] * 50
    group = assign_groups(400, 1_000, pa.chunked_array([names[:100], names[100:]]))
    of = {
        name: {group[i] for i in range(400) if names[i] == name} for name in ("ana", "bo", "çelik")
    }
    assert all(len(groups) == 1 for groups in of.values())
    alone = [group[i] for i in range(400) if names[i] is None]
    assert len(set(alone)) == 100
    assert len(np.unique(group)) == 103


def test_clusters_of_numbers_and_of_nothing() -> None:
    assert len(set(assign_groups(6, 100, pa.chunked_array([[1, 1, 2, 2, 3, 3]])).tolist())) == 3
    nothing = pa.chunked_array([pa.array([None, None, "a"])])
    assert len(set(assign_groups(3, 100, nothing).tolist())) == 3
