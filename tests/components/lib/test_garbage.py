"""The collector is paused within a block and as it was after it."""

import gc

import pytest

from retrainer.components.lib.garbage import collection_paused


def test_it_runs_again_after_a_failure() -> None:
    was_enabled = []

    @collection_paused()
    def fail() -> None:
        was_enabled.append(gc.isenabled())
        raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert was_enabled == [False]
    assert gc.isenabled()


def test_a_block_within_a_paused_one_leaves_it_paused() -> None:
    with collection_paused():
        with collection_paused():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()
