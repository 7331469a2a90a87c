"""Columns counted into common bins."""

import numpy as np
import pytest
from servers.column_statistics import counted, numbers, texts

from retrainer.components.monitor_model.distances.count_table import count_numbers, count_texts


def test_bins_hold_equal_shares_of_the_past():
    random = np.random.default_rng(0)
    past = [numbers(random.lognormal(size=5000)) for _ in range(3)]
    table = count_numbers([numbers(random.lognormal(size=1000)), *past], [1, 2, 3], 10)
    pooled = table.counts[1:].sum(0)
    assert pooled / pooled.sum() == pytest.approx(np.full(10, 0.1), abs=0.01)
    assert table.counts.sum(1) == pytest.approx([1000, 5000, 5000, 5000])


def test_a_value_that_many_rows_have_gets_a_bin_of_its_own():
    random = np.random.default_rng(0)
    past = numbers(np.where(random.random(4000) < 0.6, 0.0, random.normal(10, 1, 4000)))
    now = numbers(np.where(random.random(4000) < 0.3, 0.0, random.normal(10, 1, 4000)))
    table = count_numbers([now, past], [1], 10)
    zero = int(np.searchsorted(table.ends, 0.0))
    assert table.counts[1, zero] / 4000 == pytest.approx(0.6, abs=0.02)
    assert table.counts[0, zero] / 4000 == pytest.approx(0.3, abs=0.02)


def test_a_constant_past_has_room_for_what_is_new():
    table = count_numbers([numbers([5.0] * 50 + [7.0] * 50), numbers([5.0] * 100)], [1], 10)
    assert table.counts[1].max() == 100
    assert table.counts[0].max() == pytest.approx(50, abs=1)


def test_a_column_without_finite_values_counts_nowhere_it_should_not():
    table = count_numbers([numbers([np.nan] * 10), numbers(np.arange(100.0))], [1], 10)
    assert np.isfinite(table.counts).all()


def test_texts_of_any_alphabet_are_counted_and_the_rare_ones_together():
    values = ["zażółć", "漢字", "\U0001f600"] * 100 + [f"rare {n}" for n in range(300)]
    table = count_texts([texts(["漢字"] * 50 + ["new"] * 50), texts(values)], [1])
    assert table.names[:3] == ("\U0001f600", "漢字", "zażółć") or set(table.names[:3]) == {
        "zażółć",
        "漢字",
        "\U0001f600",
    }
    assert "new" in table.names
    assert table.names[-1] == ""
    assert table.counts.sum(1) == pytest.approx([100, 600])
    assert len(table.names) <= 52


def test_of_a_million_categories_only_those_that_were_counted_for_sure_have_a_bin():
    # TFDV's sketch counts 1,024 values: of a million equally frequent ones, its counts are errors.
    errors = {f"user {n}": 970.0 for n in range(1000)}
    past = counted(errors, unique=1_000_000, rows=1_000_000)
    now = counted({**errors, "bot": 40_000.0}, unique=900_000, rows=1_000_000)
    table = count_texts([now, past], [1])
    assert table.names == ("bot", "")
    assert table.counts[0] == pytest.approx([40_000, 960_000])
    assert table.counts[1] == pytest.approx([0, 1_000_000])
