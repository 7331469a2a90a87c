"""The evaluation report: what a reader sees of the numbers."""

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from google.protobuf import json_format
from tensorflow_model_analysis.proto import config_pb2

from retrainer.components.evaluate_model.gate import Verdict
from retrainer.components.evaluate_model.plot_data import ModelPlots, make_plot_data
from retrainer.components.evaluate_model.report.metric_cells import Cells
from retrainer.components.evaluate_model.report.report import render
from retrainer.components.evaluate_model.report.slice_tables import in_order
from retrainer.components.evaluate_model.tfma_results import Evaluation, SliceResult
from retrainer.components.evaluate_model.thresholds import Check
from retrainer.components.lib.evaluation.eval_config import build_eval_config
from retrainer.components.lib.evaluation.input_counts import SliceRows
from retrainer.components.lib.evaluation.metric_value import Value
from retrainer.components.lib.evaluation.scores import Scores
from retrainer.components.lib.verdicts import Champion

NONE, THIRD = Champion(), Champion(3, "models/3")


def result(
    key: tuple[tuple[str, Any], ...],
    mine: float,
    theirs: float | None,
    rows: int | None,
    **more: Any,
) -> SliceResult:
    metric = more.get("metric", "mae")
    one = SliceResult(key, {metric: Value(mine)})
    if rows is not None:
        one.challenger["example_count"] = Value(float(rows))
    if theirs is not None:
        one.champion[metric] = Value(theirs)
        one.change[metric] = Value(mine - theirs, more.get("interval"))
    return one


def page(
    slices: list[SliceResult],
    class_name: str = "MeanAbsoluteError",
    metric: str = "mae",
    options: dict[str, Any] | None = None,
    plots: dict[str, ModelPlots] | None = None,
    checks: tuple[Check, ...] = (),
) -> str:
    config = build_eval_config(
        [{"metrics": [{"class_name": class_name, "config": {"name": metric}}]}],
        [],
        options or {},
        "y",
    )
    champion = THIRD if slices[0].champion else NONE
    return render(
        Evaluation(slices, list(checks), True),
        Verdict(True, (), "blessed: fine"),
        champion,
        {"Label": "y"},
        config,
        plots or {},
    )


def section(html: str, title: str) -> str:
    return html.split(f"<h2>{title}</h2>")[1].split("<h2>")[0]


def card(html: str, title: str) -> str:
    return html.split(f"<h3>{title}</h3>")[1].split("</div>")[0]


def test_scores_are_drawn_for_both_models_by_label() -> None:
    rng = np.random.default_rng(0)
    label = (rng.random(400) < 0.25).astype(np.int64)
    predictions = {
        who: np.clip(rng.normal(0.3 + 0.3 * label, 0.1), 0, 1) for who in ("challenger", "champion")
    }
    scores = Scores(label, predictions, None, pa.table({"none": pa.nulls(400)}))
    html = page([result((), 0.9, 0.8, 400)], plots=make_plot_data(scores))
    drawn = section(html, "Scores")
    assert re.findall(r"<h3>(label \d) \((\d+) rows\)</h3>", drawn) == [
        ("label 0", str(int((label == 0).sum()))),
        ("label 1", str(int((label == 1).sum()))),
    ]
    # In each picture a filled challenger, a champion's outline, and twenty buckets to point at.
    assert drawn.count('fill-opacity="0.25"') == 4
    assert drawn.count("<title>") == 40
    share = np.histogram(predictions["champion"][label == 1], 20, (0, 1))[0].max() / label.sum()
    assert f"champion {share:.1%}".replace("%", " %") in drawn


def test_a_smaller_error_is_better_under_any_name() -> None:
    slices = [
        result((), 10.0, 20.0, 9_000),
        result((("city", "Ulm"),), 30.0, 60.0, 3_000),
        result((("city", "Bonn"),), 9.0, 3.0, 3_000),
    ]
    html = page(slices)
    assert "Ulm" in card(html, "Weakest in mae")
    assert "Bonn" in card(html, "Largest losses against the champion")
    assert "Ulm" in card(html, "Largest gains")
    assert '<span class="nobreak good">-30.00</span>' in html
    assert '<span class="nobreak bad">+6.00</span>' in html


def test_a_metric_without_a_better_side_has_no_red_and_no_green() -> None:
    slices = [
        result((), 0.5, 0.2, 9_000),
        result((("a", "b"),), 0.9, 0.1, 9_000),
        result((("a", "c"),), 0.8, 0.1, 9_000),
    ]
    html = page(slices, "MeanPrediction")
    assert not re.findall(r"nobreak (good|bad)", html)
    assert "Highest in mae" in html
    assert "Weakest" not in html


@pytest.mark.parametrize(
    ("change", "rows", "interval", "coloured"),
    [
        (-0.0048, 370, None, False),
        (-0.0048, 200_000, None, True),
        (-0.0048, 370, (-0.006, -0.003), True),
        (-0.0048, 200_000, (-0.011, 0.002), False),
        (-0.0048, None, None, False),
    ],
)
def test_a_change_is_coloured_only_where_it_is_more_than_chance(
    change: float, rows: int | None, interval: tuple[float, float] | None, coloured: bool
) -> None:
    one = result((), 0.83 + change, 0.83, rows, metric="auc", interval=interval)
    cells = Cells(Evaluation([one], [], True), {"auc": 1})
    assert ("bad" in str(cells.change("auc", one).shown)) == coloured
    assert "-0.0048" in str(cells.change("auc", one).shown)


def test_a_rare_label_makes_a_metric_less_exact() -> None:
    one = result((), 0.85, 0.83, 20_000, metric="auc")
    evaluation = Evaluation([one], [], True)
    assert "good" in str(Cells(evaluation, {"auc": 1}, 0.5).change("auc", one).shown)
    assert "good" not in str(Cells(evaluation, {"auc": 1}, 0.005).change("auc", one).shown)


def test_slices_of_numbers_are_in_the_order_of_numbers_and_others_by_size() -> None:
    slices = [
        *(result((("hour", h),), 1.0, None, 10) for h in ("10", "9", "1")),
        *(result((("city", c),), 1.0, None, n) for c, n in (("Bonn", 5), ("Ulm", 50))),
        result((), 1.0, None, 99),
    ]
    assert [s.name for s in in_order(slices)] == [
        "overall", "city = Ulm", "city = Bonn", "hour = 1", "hour = 9", "hour = 10",
    ]  # fmt: skip


def test_a_small_slice_does_not_lead_the_ranking_but_is_in_the_table() -> None:
    slices = [
        result((), 10.0, None, 1_000),
        result((("city", "Ulm"),), 30.0, None, 300),
        result((("city", "Bonn"),), 20.0, None, 300),
        result((("city", "Suhl"),), 900.0, None, 1),
    ]
    html = page(slices)
    ends = section(html, "Best and worst slices")
    assert "Suhl" not in ends
    assert "1 slice with fewer than 30 rows omitted" in ends
    assert "Suhl" in section(html, "mae by slice")


def test_undefined_and_hidden_are_words_with_their_reason_and_not_zero() -> None:
    hidden = SliceResult(
        (("city", "Bonn"),), holds=SliceRows(rows=7), too_small="fewer than 20 rows"
    )
    alike = SliceResult((("city", "Ulm"),), {"mae": Value(math.nan, None, "40 rows, all alike")})
    slices = [result((), 10.0, None, 90), alike, hidden]
    floor = json_format.ParseDict({"upper_bound": 9}, config_pb2.GenericValueThreshold())
    check = Check("mae", "city = Ulm", floor, None, None, False, not_judged="40 rows, all alike")
    html = page(slices, options={"min_slice_size": 20}, checks=(check,))
    table = section(html, "mae by slice")
    assert 'title="40 rows, all alike">undefined</span>' in table
    assert '7 <span class="soft">(hidden)</span>' in table
    assert "A slice with fewer than 20 rows is hidden (options.min_slice_size)." in table
    assert ">not judged</span>" in html
    assert "0 of 0 thresholds passed" in html


def test_many_slices_can_be_searched_and_sorted_by_number_and_are_all_there_without_a_script() -> (
    None
):
    slices = [result((), 0.5, 0.4, 99_999, metric="auc")]
    slices += [result((("city", f"c{i}"),), i / 700, 0.4, 10 + i, metric="auc") for i in range(629)]
    html = page(slices, "AUC", "auc")
    table = section(html, "auc by slice")
    assert 'data-search="slices" data-rows="1"' in table
    assert table.count("<tr>") == 1 + 630
    values = [float(v) for v in re.findall(r'class="number" data-v="([^"]+)"', table)]
    assert 99_999 in values
    assert 0.4 in values
    assert len(html) < 2_000_000
    assert html.count("<script>") == 1


def test_a_page_of_very_many_slices_stays_one_that_a_browser_likes() -> None:
    slices = [result((), 0.5, 0.4, 99_999, metric="auc")]
    for i in range(4_000):
        key = (("a_column_with_a_long_name", f"a long value, number {i}"),)
        one = result(key, i / 4_000, 0.4, 9_000 - i, metric="auc")
        one.challenger |= {f"metric_{n}": Value(0.1 * n) for n in range(9)}
        slices.append(one)
    slices[0].challenger |= {f"metric_{n}": Value(0.1 * n) for n in range(9)}
    html = page(slices, "AUC", "auc")
    assert len(html) < 2_000_000
    assert "2,500 smaller slices are only in TFMA" in html
    assert "number 0<" in html, "the largest are shown"


def test_a_page_of_a_thousand_slices_and_two_hundred_classes_is_bounded() -> None:
    rng = np.random.default_rng(0)
    label = rng.integers(0, 200, 5_000)
    predictions = {who: rng.dirichlet(np.ones(200), 5_000) for who in ("challenger", "champion")}
    scores = Scores(label, predictions, None, pa.table({"none": pa.nulls(5_000)}))
    slices = [result((), 0.5, 0.4, 99_999, metric="auc")]
    slices += [
        result((("city", f"c{i}"),), i / 1_000, 0.4, 10 + i, metric="auc") for i in range(1_000)
    ]
    html = page(slices, "AUC", "auc", plots=make_plot_data(scores))
    assert section(html, "auc by slice").count("<tr>") == 2 + 1_000
    assert section(html, "Scores").count("<svg") == 1
    assert "the 30 most frequent confusions of" in html
    assert len(html) < 1_500_000


def test_names_from_the_data_are_escaped_everywhere() -> None:
    evil = "<script>alert(1)</script>"
    slices = [result((), 10.0, 9.0, 900)] + [
        result(((evil, evil + str(i)),), 10.0, 9.0, 90) for i in range(3)
    ]
    threshold = json_format.ParseDict({"upper_bound": 9}, config_pb2.GenericValueThreshold())
    html = page(slices, checks=(Check("mae", slices[1].name, threshold, 10.0, None, False),))
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert" in html


def test_plots_of_two_labels_of_classes_and_of_numbers(binary: Callable[[], ModelPlots]) -> None:
    slices = [result((), 0.8, 0.7, 900, metric="auc")]
    html = page(slices, "AUC", "auc", plots={"challenger": binary(), "champion": binary()})
    for title in ("ROC and precision-recall", "Confusion matrix", "Calibration"):
        assert f"<h2>{title}</h2>" in html
    assert "are positive" in html
    assert html.count("<polyline") == 6
    assert "nan" not in "".join(re.findall(r'points="[^"]*"', html))
    plots = ModelPlots(classes=[[5, 1], [0, 2]], class_words=("<cat>",))
    classes = section(page(slices, "AUC", "auc", plots={"challenger": plots}), "Confusion matrix")
    assert "83.3 %" in classes
    # A class that has no word is its number.
    assert re.findall(r'<th scope="row">(.*?)</th>', classes) == ["&lt;cat&gt;", "1"]
    many = np.eye(40) * 9
    many[3, 7] = 5
    confused = page(slices, "AUC", "auc", plots={"challenger": ModelPlots(classes=many.tolist())})
    assert "the 1 most frequent confusions of 1" in confused


def test_a_regression_does_not_speak_of_a_positive_class(numbers: Callable[[], ModelPlots]) -> None:
    html = page([result((), 10.0, 9.0, 900)], plots={"challenger": numbers()})
    assert "positive" not in html
    assert "<h2>Predictions and labels</h2>" in html
    assert "90 % of the rows within" in html


@pytest.fixture
def binary() -> Callable[[], ModelPlots]:
    return lambda: _make(np.array([0, 1] * 50), np.linspace(0.01, 0.99, 100))


@pytest.fixture
def numbers() -> Callable[[], ModelPlots]:
    return lambda: _make(np.linspace(0, 900, 100), np.linspace(10, 950, 100))


def _make(label: np.ndarray, prediction: np.ndarray) -> ModelPlots:
    table = pa.table({"x": pa.nulls(len(label))})
    return make_plot_data(Scores(label, {"m": prediction.astype(np.float32)}, None, table))["m"]
