"""Charts show what statistics say, and are safe to put into a page."""

import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pandas as pd
import pytest
import tensorflow_data_validation as tfdv

from retrainer.components.lib.report.charts import (
    Series,
    distribution_chart,
    trend_chart,
)
from retrainer.components.lib.statistics.distributions import binned, cumulative, plotting_range
from retrainer.components.lib.statistics.statistics_artifact import features_by_name


def features(**columns):
    return features_by_name(tfdv.generate_statistics_from_dataframe(pd.DataFrame(columns)))


def test_a_cumulative_distribution_follows_a_long_tail():
    values = np.random.default_rng(0).lognormal(0, 2, 50_000)
    distribution = cumulative(features(x=values)["x"])
    for share in (0.1, 0.5, 0.9):
        assert np.mean(values <= distribution.quantile(share)) == pytest.approx(share, abs=0.02)
    low, high = plotting_range([distribution])
    assert high < values.max() / 100, "the tail is cut off"
    shares, below, above = binned(distribution, low, high, 20)
    assert shares.sum() + below + above == pytest.approx(1)
    assert above == pytest.approx(np.mean(values > high), abs=0.06)


def test_integers_are_not_spread_over_the_fractions_between_them():
    values = np.repeat([0, 1, 2, 4], [400, 300, 250, 50])
    shares, _, _ = binned(cumulative(features(x=values)["x"]), 0, 4, 40)
    # The least is what TFDV's own buckets have in between.
    assert np.flatnonzero(shares > 0.01).tolist() == [0, 9, 19, 39]
    assert shares[[0, 9, 19]] == pytest.approx([0.4, 0.3, 0.25], abs=0.002)


@pytest.mark.parametrize(
    "values",
    [[0.0, 1.0, 1.0], [5.0] * 10, [np.inf, -np.inf, 1.0, 2.0], [np.nan, np.nan, 3.0], [np.nan] * 3],
)
def test_any_numbers_can_be_drawn(values):
    chart = distribution_chart("x", [Series("training", "red", features(x=values)["x"], True)])
    assert not re.search(r"\b(nan|inf)\b", re.sub(r"<text.*?</text>", "", chart))
    for svg in re.findall(r"<svg.*?</svg>", chart, re.DOTALL):
        ElementTree.fromstring(svg)


def test_text_is_escaped_and_shortened():
    feature = features(x=["<script>alert(1)</script>", "a & b", ""])["x"]
    series = [Series("training", "red", feature), Series("none", "blue", None)]
    chart = distribution_chart("<x>", series)
    assert "<script>" not in chart
    ElementTree.fromstring(chart)
    assert "(empty)" in chart
    assert "33.3 %" in chart


@pytest.mark.parametrize(
    ("value", "label"),
    [
        ("twelve chars", "twelve chars"),
        ("0040a4ddf8ee93c1aa55bb66", "0040a4ddf8ee93c1aa55…"),
        ("六文字の名前", "六文字の名前"),
        ("文字" * 6, "文字文字文字文字文…"),
        ("x" * 500, "x" * 20 + "…"),
    ],
)
def test_a_long_value_is_cut_where_its_place_ends(value, label):
    chart = distribution_chart("x", [Series("training", "red", features(x=[value])["x"])])
    assert f">{label}<title>" in chart


def test_long_names_of_spans_keep_apart():
    spans = [f"delivery-of-a-customer-with-a-long-name-{i:04d}" for i in range(3)]
    chart = trend_chart("t", [(span, 0.1) for span in spans], 0.5)
    assert f">…{spans[0][-23:]}</text>" in chart
    assert f">…{spans[-1][-23:]}</text>" in chart
    assert f"<title>{spans[0]}: 0.1</title>" in chart


def test_a_threshold_of_0_is_drawn():
    chart = trend_chart("t", [("a", 0.0), ("b", 0.1)], 0)
    assert "threshold 0<" in chart
    assert chart.count('fill="var(--bad)"') == 2, "its words, and the value above it"


def test_a_trend_needs_two_values():
    assert trend_chart("t", [("a", None), ("b", 1.0)], 0.5) == ""
    chart = trend_chart("t", [("a", None), ("<b>", 0.2), ("c", 0.9)], 0.5)
    ElementTree.fromstring(chart)
    assert chart.count("<circle") == 2
    assert chart.count('fill="var(--bad)"') == 2, "the dot above the threshold, and the threshold"


def test_a_value_that_is_no_number_leaves_the_rest_of_a_trend_standing():
    points = [("a", 0.1), ("b", float("nan")), ("c", float("inf")), ("d", 0.3)]
    chart = trend_chart("t", points, 0.5)
    assert chart.count("<circle") == 2
    assert "nan" not in chart
    assert "inf" not in chart


def test_a_trend_of_negative_numbers_stays_in_its_picture():
    chart = trend_chart("t", [("a", -5.0), ("b", 3.0), ("c", -2.0)], None)
    heights = [float(y) for y in re.findall(r'cy="([-0-9.]+)"', chart)]
    assert min(heights) > 0
    assert max(heights) <= 74
    assert heights[1] < heights[2] < heights[0]


@pytest.mark.parametrize("rare", [1.0, 40.0, -3.0])
def test_a_rare_value_beside_one_that_nearly_all_rows_have_can_be_seen(rare):
    values = [0.0] * 995 + [rare] * 5
    chart = distribution_chart("x", [Series("training", "red", features(x=values)["x"], True)])
    texts = re.findall(r"<text[^>]*>([^<]*)</text>", chart)
    assert {texts[0], texts[2]} == {"0", f"{rare:g}"}
    heights = [float(y) for y in re.findall(r"V([0-9.]+)H", chart)]
    floor = max(heights)
    assert 2 <= sum(height < floor for height in heights) <= 4, "the many, and the few"
    assert not any("e-" in text for text in texts)


def test_numbers_over_many_orders_of_magnitude_have_a_log_scale():
    wide = np.exp(np.random.default_rng(1).normal(3, 4, 4_000))
    chart = distribution_chart("x", [Series("training", "red", features(x=wide)["x"], True)])
    assert "log scale" in chart
    with_zero = distribution_chart("x", [Series("t", "red", features(x=[0.0, *wide])["x"])])
    assert "log scale" not in with_zero


def test_the_values_that_are_not_drawn_are_counted():
    values = [f"v{i}" for i in range(10) for _ in range(10)] + ["v0"] * 100
    chart = distribution_chart("x", [Series("training", "red", features(x=values)["x"])])
    assert "and 4 more values, in 20 % of the rows" in chart
    few = distribution_chart("x", [Series("training", "red", features(x=["a", "b"])["x"])])
    assert "more value" not in few


def test_long_values_that_differ_at_the_end_alone_stay_apart():
    values = [f"a category with a long name {i}" for i in range(4)]
    chart = distribution_chart("x", [Series("training", "red", features(x=values)["x"])])
    labels = re.findall(r">([^<>]*)<title>a category", chart)
    assert labels == [f"a categor…ng name {i}" for i in range(4)]
