"""Metrics of rankings by arrays are TFMA's own on Beam: NDCG, the first label, statistics of queries."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import tensorflow_model_analysis as tfma

from retrainer.components.evaluate_model.on_beam import evaluate_scores_on_beam
from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.evaluation.array_metrics.array_path import NotCoveredError
from retrainer.components.lib.evaluation.eval_config import BASELINE, CANDIDATE, build_eval_config
from retrainer.components.lib.evaluation.in_process import evaluate_in_process, write_results
from retrainer.components.lib.evaluation.scores import Scores

from .result_files import differences, failures, read

QUERIES = np.array(["shoes", "Übergröße", "", "日本", *(f"q{i}" for i in range(60))], object)
NDCG = {"class_name": "NDCG", "config": {"gain_key": "gain", "top_k_list": [1, 3, 50]}}
OF_LABEL = {"class_name": "NDCG", "config": {"gain_key": "label", "top_k_list": [2], "name": "own"}}
STATISTICS = {"class_name": "QueryStatistics"}
FLOOR = {"value_threshold": {"lower_bound": 0.5}}
SLICES = [{}, {"feature_keys": ["country"]}, {"feature_keys": ["country", "device"]}]


def rows(champion: bool = True) -> Scores:
    """400 rows of 64 queries: ties, queries of one row, without gain, without label, without weight."""
    random = np.random.default_rng(7)
    count = 400
    # Few queries have many rows, and many have one.
    query = (random.pareto(0.6, count) * 4).astype(int) % len(QUERIES)
    gain = random.choice([-1.0, 0.0, 0.0, 1.0, 3.0], count) * (query % 5 > 0)
    weight = np.array([0.0, 0.5, 2.0, 1.0])[query % 4]
    country = [None if r % 11 == 0 else ("DE", "Curaçao")[r % 2] for r in range(count)]
    predictions = {CANDIDATE: random.random(count).astype(np.float32)}
    if champion:
        # Half of the rows of a query are equal to another.
        predictions[BASELINE] = random.random(count).round(1).astype(np.float32)
    return Scores(
        (random.random(count) < 0.2).astype(np.int64) * (query % 3 > 0),
        predictions,
        weight,
        pa.table(
            {
                "query": pa.array(QUERIES[query].tolist()),
                "session": pa.array(query // 2),
                "gain": gain,
                "country": pa.array(country),
                "device": pa.array(random.integers(0, 3, count)),
            }
        ).append_column("label", pa.array((random.random(count) < 0.2).astype(np.int64))),
    )


def with_labels(scores: Scores) -> Scores:
    """Put the label among the columns, as a metric that names it has it read."""
    place = scores.slices.column_names.index("label")
    return Scores(
        scores.label,
        scores.predictions,
        scores.weight,
        scores.slices.set_column(place, "label", pa.array(scores.label)),
    )


def specs(*metrics: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
    return [{"query_key": "query", "metrics": list(metrics), **more}]


@pytest.mark.parametrize("champion", [False, True])
def test_equals_tfma_on_beam(champion: bool, tmp_path: Path) -> None:
    """Weights and none, two query keys beside metrics of rows, slices that cut through queries."""
    by_query = [NDCG, OF_LABEL, {"class_name": "MinLabelPosition", "threshold": FLOOR}]
    if not champion:
        by_query.append(STATISTICS)
    of_gain = {"class_name": "MinLabelPosition", "config": {"name": "gain", "label_key": "gain"}}
    everything = [
        *specs(*by_query),
        {"metrics": [{"class_name": "AUC", "threshold": FLOOR}]},
        {
            "query_key": "session",
            "example_weights": {"unweighted": True},
            "metrics": [of_gain, {**NDCG, "config": {**NDCG["config"], "name": "of_session"}}],
        },
    ]
    scores = with_labels(rows(champion))
    config = build_eval_config(everything, SLICES, {}, "label", "weight", champion)
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    ours.mkdir()
    named = {spec.name: "a model" for spec in config.model_specs}
    write_results(
        evaluate_in_process(config, scores), config, str(ours), not champion, "eval split", named
    )
    evaluate_scores_on_beam(config, scores, str(theirs), not champion)
    expected, got = read(theirs), read(ours)
    assert expected.keys() == got.keys()
    assert len(expected) > 60
    for key, value in expected.items():
        assert differences(value, got[key], 1e-9) == [], key
    judged, wanted = (tfma.load_validation_result(str(folder)) for folder in (ours, theirs))
    assert failures(judged) == failures(wanted)
    assert len(failures(wanted)) > 2
    result, known = (
        tfma.load_eval_result(str(folder), model_name=CANDIDATE if champion else None)
        for folder in (ours, theirs)
    )
    overall = result.get_metrics_for_slice((), top_k=3)
    assert 0 < overall["ndcg"]["doubleValue"] < 1
    # TFMA's renderers make widgets of it, which need no notebook until they are shown.
    drawn, expected_widget = (
        tfma.view.render_slicing_metrics(one, slicing_column="country") for one in (result, known)
    )
    assert [one["slice"] for one in drawn.data] == [one["slice"] for one in expected_widget.data]
    assert "ndcg" in drawn.data[0]["metrics"][""]["topK:3"]
    series = tfma.view.render_time_series(
        tfma.load_eval_results([str(ours), str(ours)], model_name=CANDIDATE if champion else None)
    )
    assert len(series.data) == 2


def evaluate(
    metrics_specs: list[dict[str, Any]], scores: Scores, champion: bool = True, **options: Any
) -> dict[Any, dict[str, Any]]:
    """Values by slice and by name, model and place."""
    config = build_eval_config(metrics_specs, SLICES, options, "label", "weight", champion)
    return {
        key: {
            f"{k.model_name} {k.name} {k.sub_key or ''}{k.is_diff or ''}".strip(): value
            for k, value in found.items()
            if not isinstance(k, str)
        }
        for key, found in evaluate_in_process(config, scores)
    }


def test_statistics_of_queries_are_there_beside_a_champion_too() -> None:
    """TFMA's own fail where there are two models."""
    unweighted = {"example_weights": {"unweighted": True}}
    overall = evaluate(specs(STATISTICS, **unweighted), rows())[()]
    queries = len(set(rows().slices["query"].to_pylist()))
    for model in (CANDIDATE, BASELINE):
        assert overall[f"{model} total_queries"] == queries
        assert overall[f"{model} total_documents"] == 400
        assert overall[f"{model} min_documents"] == 1


def test_a_query_lies_in_the_slices_of_all_of_its_rows() -> None:
    unweighted = {"example_weights": {"unweighted": True}}
    scores = rows(champion=False)
    found = evaluate(specs(STATISTICS, **unweighted), scores, champion=False)
    frame = scores.slices.to_pandas()
    of_slice = set(frame["query"][frame["country"] == "DE"])
    german = (
        found[(("country", b"DE"),)]
        if (("country", b"DE"),) in found
        else found[(("country", "DE"),)]
    )
    assert german["total_queries"] == len(of_slice)
    assert german["total_documents"] == frame["query"].isin(of_slice).sum()


def test_intervals_draw_whole_queries() -> None:
    """The standard error of a mean over queries is the textbook's, whatever the number of rows."""
    scores = rows(champion=False)
    unweighted = {"example_weights": {"unweighted": True}}
    found = evaluate(
        specs({"class_name": "MinLabelPosition"}, **unweighted),
        scores,
        champion=False,
        compute_confidence_intervals=True,
        confidence_intervals={"method": "POISSON_BOOTSTRAP"},
    )
    value = found[()]["min_label_position"]
    frame = scores.slices.to_pandas().assign(
        label=scores.label, score=scores.predictions[CANDIDATE]
    )
    ranked = frame.sort_values("score", ascending=False)
    ranked["place"] = ranked.groupby("query").cumcount() + 1
    first = ranked[ranked["label"] > 0].groupby("query")["place"].min()
    assert value.unsampled_value == pytest.approx(first.mean())
    known = first.std(ddof=0) / np.sqrt(len(first))
    assert value.sample_standard_deviation == pytest.approx(known, rel=0.5)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"query": [None, *("a",) * 399]}, "query_key 'query' is empty in 1 of 400 eval rows"),
        ({"gain": [None, None, *(1.0,) * 398]}, "gain_key 'gain' is empty in 2 of 400 eval rows"),
        ({"gain": ["high"] * 400}, "gain_key 'gain' is string, but a ranking needs numbers"),
        ({"query": ["a"] * 396 + ["b"] * 4}, r"one weight for each query, and in 1 of 2 queries"),
    ],
)
def test_what_makes_no_ranking_is_named(changes: dict[str, list[Any]], says: str) -> None:
    scores = rows()
    table = scores.slices
    for name, values in changes.items():
        table = table.set_column(table.column_names.index(name), name, pa.array(values))
    weight = np.array([0.5, *(1.0,) * 399]) if "query" in changes else scores.weight
    broken = Scores(scores.label, scores.predictions, weight, table)
    with pytest.raises(RetrainerError, match=says):
        evaluate(specs(NDCG), broken)


def test_a_column_that_predictions_do_not_keep_is_no_failure() -> None:
    """Monitoring measures what it can."""
    scores = rows()
    for name in ("query", "gain"):
        less = Scores(scores.label, scores.predictions, scores.weight, scores.slices.drop([name]))
        with pytest.raises(NotCoveredError, match=f"'{name}'"):
            evaluate(specs(NDCG), less)


def test_a_ranking_without_gain_anywhere_is_undefined_and_no_fault_of_the_model(
    run: Callable[..., Any], some_flights: pd.DataFrame
) -> None:
    frame = some_flights.assign(
        gain=(some_flights.carrier == "UA").astype("int64"), search=some_flights.carrier
    )
    ndcg = {
        "class_name": "NDCG",
        "config": {"gain_key": "gain"},
        "threshold": {"value_threshold": {"lower_bound": 0.0}},
    }
    outcome = run(
        [
            {
                "query_key": "search",
                "binarize": {"top_k_list": {"values": [5, 10]}},
                "metrics": [ndcg],
            }
        ],
        frame=frame,
        slicing_specs=[{"feature_keys": ["carrier"]}],
    )
    assert outcome.blessing["blessed"], outcome.verdict
    assert outcome.metrics["ndcg_topK:5"] == 1
    checks = json.loads((outcome.folder / "blessing" / "checks.json").read_text())["checks"]
    why = {check["slice"]: check["reason"] for check in checks}
    assert why["carrier = DL"] == "no query has a row with a gain above 0"
    assert not why["carrier = UA"]
    assert "ndcg" in outcome.page


def test_a_slice_of_few_queries_is_hidden_and_the_verdict_says_queries(
    run: Callable[..., Any], some_flights: pd.DataFrame
) -> None:
    place = np.arange(len(some_flights))
    few = (place >= 200) & (place < 206)
    frame = some_flights.assign(search=place // 2, queries=np.where(few, "few", "many"))
    ndcg = {"class_name": "NDCG", "config": {"gain_key": "late"}, "threshold": FLOOR}
    first = {"binarize": {"top_k_list": {"values": [3]}}}
    outcome = run(
        [{"query_key": "search", **first, "metrics": [ndcg]}],
        frame=frame,
        slicing_specs=[{"feature_keys": ["queries"]}],
        options={"min_slice_size": 4},
    )
    assert outcome.verdict.endswith("not judged: 1 slice with fewer than 4 queries")
    assert "A slice with fewer than 4 rows or queries is hidden" in outcome.page


@pytest.mark.parametrize("cluster", ["", "customer"])
def test_the_gate_compares_rankings_over_whole_queries(
    run: Callable[..., Any], some_flights: pd.DataFrame, cluster: str
) -> None:
    frame = some_flights.assign(search=some_flights.index // 7, customer=some_flights.index // 14)
    outcome = run(
        [
            {
                "query_key": "search",
                "binarize": {"top_k_list": {"values": [3]}},
                "metrics": [
                    {
                        "class_name": "NDCG",
                        "config": {"gain_key": "late"},
                        "threshold": {"value_threshold": {"lower_bound": 0.3}},
                    }
                ],
            }
        ],
        frame=frame,
        slicing_specs=[{"feature_keys": ["origin"]}],
        gate={"require_significance": True, "cluster": cluster or None},
    )
    checks = json.loads((outcome.folder / "blessing" / "checks.json").read_text())["checks"]
    (overall,) = (
        check for check in checks if check["slice"] == "overall" and check["interval"] is not None
    )
    low, high = overall["interval"]
    assert overall["metric"] == "ndcg_topK:3"
    assert low < overall["challenger"] - overall["champion"] < high
    assert 0 < high - low < 0.5
    assert outcome.blessing["blessed"] == (low > -0.01), outcome.verdict


def test_the_gate_names_the_results_of_a_metric_that_has_several(
    run: Callable[..., Any], some_flights: pd.DataFrame
) -> None:
    """It would compare nothing by a name that no result has, and bless every model."""
    frame = some_flights.assign(search=some_flights.index // 7)
    ndcg = {"class_name": "NDCG", "config": {"gain_key": "late", "top_k_list": [3, 5]}}
    floor = {"class_name": "AUC", "threshold": FLOOR}
    with pytest.raises(RetrainerError, match=r"'ndcg', which is not computed.*'ndcg_topK:[35]'"):
        run(
            [{"query_key": "search", "metrics": [ndcg]}, {"metrics": [floor]}],
            frame=frame,
            gate={"require_significance": {"metrics": ["ndcg"]}},
        )


ON_BEAM = ["--runner=DirectRunner", "--direct_running_mode=in_memory"]


@pytest.mark.parametrize("beam_args", [[], pytest.param(ON_BEAM, marks=pytest.mark.slow)])
def test_rows_without_a_query_are_counted_and_named(
    run: Callable[..., Any], some_flights: pd.DataFrame, beam_args: list[str]
) -> None:
    frame = some_flights.assign(
        search=some_flights.tailnum, gain=some_flights.dep_delay.astype("float64")
    )
    no_search, no_gain = (int(frame[name][-600:].isna().sum()) for name in ("search", "gain"))
    ndcg = {"class_name": "NDCG", "config": {"gain_key": "gain", "top_k_list": [3]}}
    with pytest.raises(RetrainerError) as error:
        run(
            [{"query_key": "search", "metrics": [ndcg]}],
            frame=frame,
            beam_args=beam_args,
        )
    first, second = str(error.value).splitlines()
    assert first.startswith(f"the query_key 'search' is empty in {no_search} of 600 eval rows.")
    assert second.startswith(f"the gain_key 'gain' is empty in {no_gain} of 600 eval rows.")


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"query_key": "carrier", "metrics": [STATISTICS]}, "TFMA fails on two models"),
        ({"metrics": [{"class_name": "R2Score"}]}, "Use SquaredPearsonCorrelation"),
    ],
)
def test_what_tfma_fails_on_is_refused_on_beam_before_rows_are_read(
    run: Callable[..., Any], spec: dict[str, Any], words: str
) -> None:
    with pytest.raises(RetrainerError, match=words):
        run([spec], beam_args=ON_BEAM)
