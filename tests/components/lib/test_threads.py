import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from retrainer.components.lib.threads import BackgroundItems, ordered_map, read_ahead


def test_reading_ahead_yields_all_items_in_order_and_raises_their_errors():
    assert list(read_ahead(iter(range(100)))) == list(range(100))

    def fails():
        yield 1
        raise ValueError("the disk is gone")

    items = read_ahead(fails())
    assert next(items) == 1
    with pytest.raises(ValueError, match="the disk is gone"):
        next(items)


def test_results_of_a_pool_come_in_order_and_few_items_are_taken_ahead():
    taken = []

    def items():
        for number in range(50):
            taken.append(number)
            yield number

    with ThreadPoolExecutor(3) as pool:
        results = ordered_map(pool, lambda number: number * 2, items(), ahead=2)
        assert next(results) == 0
        assert len(taken) == 3
        assert list(results) == [2 * number for number in range(1, 50)]


def test_a_background_makes_a_few_items_that_nobody_took_and_ends_when_it_is_closed():
    made, ended = [], threading.Event()

    def items():
        try:
            for number in range(100):
                made.append(number)
                yield number
        finally:
            ended.set()

    background = BackgroundItems(items(), ahead=2)
    taken = iter(background)
    assert [next(taken), next(taken)] == [0, 1]
    background.close()
    assert ended.is_set()
    # Two were taken, two waited, one was in the thread's hand; closing may take one of those that waited.
    assert len(made) <= 6


def test_a_background_raises_after_the_items_before_the_error():
    def fails():
        yield 1
        raise ValueError("the disk is gone")

    background = BackgroundItems(fails(), ahead=5)
    items = iter(background)
    assert next(items) == 1
    with pytest.raises(ValueError, match="the disk is gone"):
        next(items)
    background.close()
    empty = BackgroundItems((one for one in ()), ahead=1)
    assert list(empty) == []
    empty.close()
