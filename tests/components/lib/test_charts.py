"""Charts show what statistics say, and are safe to put into a page."""

import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pandas as pd
import pytest
import tensorflow_data_validation as tfdv

from retrainer.components.lib.charts import (
    Series,
    distribution_chart,
    trend_chart,
)
from retrainer.components.lib.distributions import binned, cumulative, plotting_range
from retrainer.components.lib.statistics import features_by_name


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


@pytest.mark.parametrize(
    "values",
    [[0.0, 1.0, 1.0], [5.0] * 10, [np.inf, -np.inf, 1.0, 2.0], [np.nan, np.nan, 3.0], [np.nan] * 3],
)
def test_any_numbers_can_be_drawn(values):
    chart = distribution_chart("x", [Series("training", "red", features(x=values)["x"], True)])
    assert "nan" not in chart.lower().replace("nan,", "")
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
        ("0040a4ddf8ee93c1", "0040a4ddf8e…"),
        ("六文字の名前", "六文字の名前"),
        ("七文字の名前だ", "七文字の名…"),
        ("x" * 500, "xxxxxxxxxxx…"),
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
    assert f"<title>{spans[0]}: 0.100</title>" in chart


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
