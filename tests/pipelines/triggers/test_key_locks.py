"""One lock for each key, for as long as somebody wants it."""

from retrainer.pipelines.triggers.key_locks import KeyLocks


def test_of_two_that_want_a_key_one_has_it_and_afterwards_nothing_is_left():
    locks = KeyLocks()
    with locks.hold("a", 0) as first:
        with locks.hold("a", 0) as second, locks.hold("b", 0) as other:
            assert (first, second, other) == (True, False, True)
        # Whoever gave up took nothing away.
        with locks.hold("a", 0) as third:
            assert not third
    assert locks._locks == {}
    with locks.hold("a", 0) as again:
        assert again
    assert locks._locks == {}
