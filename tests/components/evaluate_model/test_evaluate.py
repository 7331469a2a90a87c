"""The component's work from artifacts to artifacts."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tensorflow_model_analysis as tfma
from kfp import dsl

from retrainer.components import evaluate_model
from retrainer.components.evaluate_model.evaluate import evaluate
from retrainer.components.lib.digests import digest_folder
from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.registry.evaluation_summary import EvaluationSummary
from retrainer.components.lib.verdicts import Blessing, Champion

SLICES = [{"feature_keys": ["carrier"]}, {"feature_keys": ["origin"]}]


def auc(lower: float | None = None, change: float | None = None, **more: Any) -> dict[str, Any]:
    threshold: dict[str, Any] = {}
    if lower is not None:
        threshold["value_threshold"] = {"lower_bound": {"value": lower}}
    if change is not None:
        threshold["change_threshold"] = {"absolute": change, "direction": "HIGHER_IS_BETTER"}
    overall = [{"slicing_specs": [{}], "threshold": threshold}] if threshold else []
    return {"class_name": "AUC", "per_slice_thresholds": overall, **more}


def specs(*metrics: dict[str, Any]) -> list[dict[str, Any]]:
    plot = {"class_name": "CalibrationPlot"}
    return [{"metrics": [*metrics, {"class_name": "BinaryAccuracy"}, plot]}]


def test_a_better_challenger_is_blessed(run: Callable[..., Any], models: dict[str, str]) -> None:
    outcome = run(specs(auc(0.6, 0.0)))
    assert re.fullmatch(
        r"blessed: auc 0\.\d+ \(champion version 3 0\.\d+, \+0\.\d+\), 600 rows, \d+ slices",
        outcome.verdict,
    )
    digest = outcome.blessing.pop("data_digest")
    assert re.fullmatch("[0-9a-f]{64}", digest)
    assert outcome.blessing == {
        "format": 1,
        "blessed": True,
        "reasons": [],
        "verdict": outcome.verdict,
        "model_digest": digest_folder(models["late"]),
        "champion_version": 3,
        "train_spans": ["2013-01"],
        "eval_spans": ["2013-02"],
        "span_versions": outcome.blessing["span_versions"],
        "rows": {"train": 100, "eval": 600},
    }
    assert outcome.metrics["auc"] > outcome.metrics["champion_auc"]
    assert outcome.metrics["example_count"] == 600
    summary = EvaluationSummary.read(str(outcome.folder / "blessing"))
    assert (summary.verdict, summary.champion_version) == (outcome.verdict, 3)
    overall, largest = summary.slices[:2]
    assert (overall.slice, overall.rows) == ({}, 600)
    assert overall.metrics["auc"] == outcome.metrics["auc"]
    assert overall.champion["auc"] == outcome.metrics["champion_auc"]
    assert list(largest.slice) in (["carrier"], ["origin"])
    result = tfma.load_validation_result(str(outcome.folder / "evaluation"))
    assert result.validation_ok


def test_a_worse_challenger_is_refused(run: Callable[..., Any]) -> None:
    outcome = run(specs(auc(0.7, -0.01)), challenger="coin", champion="late")
    assert not outcome.blessing["blessed"]
    assert re.match(
        r"refused: the challenger predicts 0\.5 for each of 600 eval rows, whatever their features; auc 0\.5 is below "
        r"0\.7; and 1 more$",
        outcome.verdict,
    )
    *_, change = outcome.blessing["reasons"]
    assert re.match(
        r"auc 0\.5 is 0\.\d+ below champion version 3 \(0\.\d+\), but at most 0\.01 below is allowed$",
        change,
    )
    assert len(outcome.blessing["reasons"]) == 3
    assert "<b>refused</b>" in outcome.page


def test_the_first_model_is_held_to_its_floor(run: Callable[..., Any]) -> None:
    outcome = run(specs(auc(0.7, 0.5)), champion=None)
    assert outcome.blessing["blessed"]
    assert outcome.blessing["champion_version"] is None
    assert "no champion yet" in outcome.verdict
    assert not any(name.startswith("champion_") for name in outcome.metrics)
    assert not run(specs(auc(0.7)), champion=None, challenger="coin").blessing["blessed"]


def test_a_first_model_without_a_floor_is_refused(run: Callable[..., Any]) -> None:
    outcome = run(specs(auc(None, 0.0)), champion=None)
    assert not outcome.blessing["blessed"]
    assert outcome.verdict.startswith("refused: no floor")


def test_without_thresholds_nothing_is_blessed(run: Callable[..., Any]) -> None:
    assert not run(specs(auc())).blessing["blessed"]
    assert not run(specs(auc()), champion=None).blessing["blessed"]


def test_a_threshold_without_slices_is_about_every_slice(run: Callable[..., Any]) -> None:
    """As in TFMA: `threshold` is not the overall slice's alone."""
    everywhere = {
        "class_name": "BinaryAccuracy",
        "threshold": {"value_threshold": {"lower_bound": 0.999}},
    }
    outcome = run([{"metrics": [everywhere]}], champion=None)
    assert any("for carrier = " in reason for reason in outcome.blessing["reasons"])
    assert "and" in outcome.verdict


def test_a_label_of_one_value(run: Callable[..., Any], some_flights: pd.DataFrame) -> None:
    outcome = run(specs(auc(0.7)), frame=some_flights.assign(late=0))
    assert not outcome.blessing["blessed"]
    assert "all eval rows have label 0" in outcome.verdict
    assert not run(specs(auc(None, 0.0)), frame=some_flights.assign(late=1)).blessing["blessed"]


def test_what_arrays_do_not_cover_runs_on_beam_and_says_so(run: Callable[..., Any]) -> None:
    similarity = {"class_name": "ModelCosineSimilarity"}
    outcome = run([{"metrics": [auc(0.6), similarity]}], slicing_specs=[])
    assert outcome.blessing["blessed"]
    assert "by TFMA on Beam, in this process" in outcome.page
    assert "_cosine_similarity (" not in outcome.page, "names of TFMA's own code are for the log"


def test_beam_args_give_the_same_numbers(run: Callable[..., Any]) -> None:
    here = run(specs(auc(0.6, 0.0)), slicing_specs=SLICES[1:])
    beam = run(
        specs(auc(0.6, 0.0)),
        slicing_specs=SLICES[1:],
        beam_args=["--runner=DirectRunner", "--direct_running_mode=in_memory"],
    )
    assert beam.metrics == pytest.approx(here.metrics, rel=1e-9)
    assert beam.blessing == here.blessing
    assert "on Beam" in beam.page


def test_the_face_hands_everything_on(
    models: dict[str, str],
    some_flights: pd.DataFrame,
    make_examples: Callable[..., str],
    champion_record: Callable[..., str],
    tmp_path: Path,
) -> None:
    out = {name: dsl.Artifact(uri=str(tmp_path / name)) for name in ("evaluation", "blessing")}
    metrics, report = dsl.Metrics(), dsl.HTML(uri=str(tmp_path / "report.html"))
    (verdict,) = evaluate_model.python_func(
        dsl.Dataset(uri=make_examples({"a": some_flights, "b": some_flights})),
        dsl.Model(uri=models["late"], metadata={"training": {"seconds": 83.0}}),
        dsl.Model(uri=champion_record(models["champion"], 3)),
        metrics=metrics,
        report=report,
        # As KFP hands them over: every number a float.
        metrics_specs=specs(auc(0.6, 0.0, config={"num_thresholds": 500.0})),
        slicing_specs=SLICES,
        **out,
    )
    assert verdict.startswith("blessed: auc")
    assert metrics.metadata["auc"] > metrics.metadata["champion_auc"]
    report_page = (tmp_path / "report.html").read_text()
    assert "700 rows, spans a" in report_page
    assert "1 min" in report_page
    assert json.loads((tmp_path / "blessing" / "blessing.json").read_text())["blessed"]


def test_the_report_needs_no_network(run: Callable[..., Any]) -> None:
    page = run(specs(auc(0.6, 0.0))).page
    assert not re.findall(r"(?:src|href|url)\s*[=(]\s*['\"]?(?!#)", page)
    assert not re.findall(r"<script[^>]", page), "its own script only, which lies in the page"
    assert "@import" not in page
    for part in (
        "Thresholds",
        "carrier",
        "Scores",
        "Calibration",
        "champion version 3",
        "2013-02",
        "600",
    ):
        assert part in page


def test_the_report_escapes_what_the_data_holds(
    run: Callable[..., Any], some_flights: pd.DataFrame
) -> None:
    frame = some_flights.assign(carrier="<b>&")
    page = run(specs(auc(0.1)), frame=frame).page
    assert "<b>&" not in page
    assert "&lt;b&gt;&amp;" in page


@pytest.mark.parametrize(
    ("metrics_specs", "words"),
    [
        ([{"metrics": [{"class_name": "AUCC"}]}], "no metric 'AUCC'. Did you mean 'AUC"),
        (
            [{"metrics": [{"clas_name": "AUC"}]}],
            r"metrics_specs\[0\].*clas_name.*MetricsSpec|clas_name",
        ),
        ([], "no metrics"),
        (
            specs(auc(config={"curves": "ROC"})),
            "'AUC' has no argument 'curves'. Did you mean 'curve'",
        ),
        (specs({"class_name": "AUC", "threshold": {"value_threshold": {}}}), "has no bound"),
        (
            specs({"class_name": "AUC", "threshold": {"change_threshold": {"absolute": 0.1}}}),
            "has no direction",
        ),
        (
            specs({"class_name": "AUC", "threshold": {"value_threshold": {"lower_bound": "high"}}}),
            r"metrics_specs\[0\]",
        ),
        ([{"metrics": [{"class_name": "MinLabelPosition"}]}], "has no query_key"),
        (
            [
                {
                    "metrics": [{"class_name": "AUC"}],
                    "thresholds": {"auc": {"value_threshold": {"lower_bound": 0.5}}},
                }
            ],
            "the threshold of 'auc' stands beside the metrics",
        ),
    ],
)
def test_bad_settings(
    metrics_specs: list[dict[str, Any]], words: str, run: Callable[..., Any]
) -> None:
    with pytest.raises(RetrainerError, match=words):
        run(metrics_specs)


def test_an_unknown_slice_column(run: Callable[..., Any]) -> None:
    with pytest.raises(RetrainerError, match=r"column 'career'.*it has .*carrier, .*origin"):
        run(specs(auc(0.7)), slicing_specs=[{"feature_keys": ["career"]}])


def test_a_column_of_another_kind(run: Callable[..., Any], some_flights: pd.DataFrame) -> None:
    words = r"challenger can't score these rows: column 'distance' holds string.*takes float32"
    with pytest.raises(RetrainerError, match=words):
        run(specs(auc(0.7)), frame=some_flights.assign(distance="far"))


def test_an_empty_cell_where_the_model_takes_none(
    run: Callable[..., Any], some_flights: pd.DataFrame
) -> None:
    frame = some_flights.assign(hour=some_flights.hour.astype("Int64"))
    frame.loc[200, "hour"] = pd.NA
    with pytest.raises(
        RetrainerError,
        match=r"challenger can't score these rows: column 'hour' has 1 missing.*int64",
    ):
        run(specs(auc(0.7)), frame=frame)


def test_a_label_that_metrics_do_not_take(run: Callable[..., Any]) -> None:
    with pytest.raises(RetrainerError, match="labels from 0 to 1"):
        run(specs(auc(0.7)), label="minutes")
    with pytest.raises(RetrainerError, match="label 'origin' is string"):
        run(specs(auc(0.7)), label="origin")


def test_a_model_that_takes_the_label_is_not_judged(run: Callable[..., Any]) -> None:
    with pytest.raises(RetrainerError, match=r"challenger takes 'hour', the label, as a feature"):
        run(specs(auc(0.7)), label="hour", champion=None)
    with pytest.raises(
        RetrainerError, match=r"champion version 3 takes 'tailnum', the label.*models retire"
    ):
        run(specs(auc(0.7)), label="tailnum")


def test_an_empty_label(run: Callable[..., Any], some_flights: pd.DataFrame) -> None:
    frame = some_flights.assign(late=some_flights.late.where(some_flights.index % 10 > 0))
    with pytest.raises(RetrainerError, match="label 'late' is empty in 60 of 600"):
        run(specs(auc(0.7)), frame=frame)


def test_an_empty_eval_split(run: Callable[..., Any], some_flights: pd.DataFrame) -> None:
    with pytest.raises(RetrainerError, match="no rows"):
        run(specs(auc(0.7)), frame=some_flights[:100])


def test_a_champion_that_is_gone(run: Callable[..., Any], tmp_path: Path) -> None:
    with pytest.raises(RetrainerError, match="there is no folder at"):
        run(specs(auc(0.7)), champion=str(tmp_path / "nowhere"))
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "saved_model.pb").write_bytes(b"torn")
    with pytest.raises(RetrainerError, match=r"champion version 3 .*is not a SavedModel"):
        run(specs(auc(0.7)), champion=str(tmp_path / "broken"))


def test_no_record_of_a_champion(
    models: dict[str, str],
    some_flights: pd.DataFrame,
    make_examples: Callable[..., str],
    tmp_path: Path,
) -> None:
    with pytest.raises(
        RetrainerError, match=r"no '.*champion\.json'; it comes from resolve_champion"
    ):
        evaluate(
            make_examples({"a": some_flights, "b": some_flights}),
            models["late"],
            *(str(tmp_path / name) for name in ("none", "evaluation", "blessing", "r.html")),
            specs(auc(0.7)),
        )


def test_a_span_that_lacks_a_column_counts_as_empty_there(
    models: dict[str, str],
    some_flights: pd.DataFrame,
    make_examples: Callable[..., str],
    champion_record: Callable[..., str],
    tmp_path: Path,
) -> None:
    spans = {
        "a": some_flights[:200].drop(columns=["dep_delay", "origin"]),
        "b": some_flights[200:],
        "c": some_flights[:300],
    }
    metrics: dict[str, float] = {}
    evaluate(
        make_examples(spans, eval_spans=3),
        models["late"],
        champion_record(),
        *(str(tmp_path / name) for name in ("evaluation", "blessing", "r.html")),
        specs(auc(0.1)),
        SLICES,
        log_metric=metrics.__setitem__,
    )
    assert metrics["example_count"] == 1000
    rows = {
        str(key): values[""][""]["example_count"]["doubleValue"]
        for key, values in tfma.load_eval_result(str(tmp_path / "evaluation")).slicing_metrics
    }
    assert sum(n for key, n in rows.items() if "origin" in key) == 800
    assert sum(n for key, n in rows.items() if "carrier" in key) == 1000
    assert np.isfinite(list(metrics.values())).all()


def test_a_champion_that_trained_on_eval_rows_is_named_in_the_verdict(
    models: dict[str, str],
    some_flights: pd.DataFrame,
    make_examples: Callable[..., str],
    tmp_path: Path,
) -> None:
    folder = str(tmp_path / "seen")
    Champion(3, models["champion"], "d", train_spans=("2013-01", "2013-02")).write(folder)
    paths = [str(tmp_path / name) for name in ("evaluation", "blessing", "r.html")]
    examples = make_examples({"2013-01": some_flights, "2013-02": some_flights})
    verdict = evaluate(examples, models["late"], folder, *paths, specs(auc(0.6)))
    remark = "champion version 3 trained on eval rows (spans 2013-02), which favours it"
    assert verdict.endswith(remark)
    assert Blessing.read(paths[1]).verdict == verdict
    assert remark in Path(paths[2]).read_text()


def test_one_span_of_a_single_label_is_not_every_row(
    models: dict[str, str],
    some_flights: pd.DataFrame,
    make_examples: Callable[..., str],
    champion_record: Callable[..., str],
    tmp_path: Path,
) -> None:
    first = some_flights[100:300].assign(late=0)
    verdict = evaluate(
        make_examples({"a": some_flights[:100], "b": first, "c": some_flights[300:]}, 2),
        models["late"],
        champion_record(),
        *(str(tmp_path / name) for name in ("evaluation", "blessing", "r.html")),
        specs(auc(0.1)),
    )
    assert verdict.startswith("blessed: auc 0.")


TWO_OUTPUTS = {"late": ("late",), "minutes": ("minutes",)}


def of_outputs(bound: float) -> list[dict[str, Any]]:
    mae = {
        "class_name": "MeanAbsoluteError",
        "config": {"name": "mae"},
        "threshold": {
            "value_threshold": {"upper_bound": {"value": bound}},
            "change_threshold": {"direction": "LOWER_IS_BETTER", "relative": {"value": 0.5}},
        },
    }
    return [
        {"metrics": [auc(0.6, -0.05)], "output_names": ["late"]},
        {"metrics": [mae, {"class_name": "MeanPrediction"}], "output_names": ["minutes"]},
    ]


@pytest.mark.parametrize(
    "beam_args", [[], pytest.param(["--runner=DirectRunner"], marks=pytest.mark.slow)]
)
def test_each_output_is_judged_by_its_own_label(
    run: Callable[..., Any], beam_args: list[str]
) -> None:
    models = {"challenger": "outputs", "champion": "other_outputs"}
    gate = {"require_significance": {"margin": 5.0, "metrics": ["auc_late", "mae_minutes"]}}
    outcome = run(of_outputs(1e3), label_keys=TWO_OUTPUTS, beam_args=beam_args, gate=gate, **models)
    assert outcome.blessing["blessed"], outcome.verdict
    names = {"auc_late", "mae_minutes", "champion_auc_late", "champion_mae_minutes"}
    assert names < outcome.metrics.keys()
    summary = EvaluationSummary.read(str(outcome.folder / "blessing"))
    assert summary.slices[0].metrics["mae_minutes"] == outcome.metrics["mae_minutes"]
    checks = json.loads((outcome.folder / "blessing" / "checks.json").read_text())["checks"]
    assert {check["metric"] for check in checks} - {""} == {"auc_late", "mae_minutes"}
    assert "Predictions of minutes" in outcome.page
    assert "Predictions of late" in outcome.page


def test_a_threshold_of_an_output_is_named_with_it(run: Callable[..., Any]) -> None:
    outcome = run(of_outputs(1.0), challenger="outputs", champion=None, label_keys=TWO_OUTPUTS)
    assert re.search(r"refused: mae_minutes [\d.]+ is above 1", outcome.verdict)


def test_a_champion_without_an_output_is_not_compared(run: Callable[..., Any]) -> None:
    outcome = run(of_outputs(1e3), challenger="outputs", label_keys=TWO_OUTPUTS)
    assert outcome.blessing["blessed"]
    assert "has no output 'late'" in outcome.verdict
    assert "the value thresholds decide alone" in outcome.verdict
    outcome = run(of_outputs(1e3), label_keys=TWO_OUTPUTS)
    assert "refused: the challenger has no output 'late'" in outcome.verdict


def test_rows_of_several_labels(run: Callable[..., Any]) -> None:
    labels = {"labels": ("late", "early", "far")}
    by_label = {
        "metrics": [auc(0.6)],
        "binarize": {"class_ids": {"values": [0, 1, 2]}},
    }
    every = {"metrics": [{"class_name": "MultiLabelConfusionMatrixPlot"}, auc()]}
    outcome = run([by_label, every], challenger="labels", champion=None, label_keys=labels)
    assert outcome.blessing["blessed"], outcome.verdict
    assert {"auc_classId:0", "auc_classId:2", "auc"} < outcome.metrics.keys()
    outcome = run([by_label], champion=None, label_keys=labels)
    assert "gives 1 numbers for a row, and its labels are 3: late, early, far" in outcome.verdict


def test_labels_out_of_range_are_named_with_their_output(
    run: Callable[..., Any], some_flights: pd.DataFrame
) -> None:
    frame = some_flights.assign(late=some_flights.late * 2)
    with pytest.raises(RetrainerError, match=r"the label 'late' is 2 .*AUC takes labels from 0"):
        run(of_outputs(1e3), "outputs", None, frame, label_keys=TWO_OUTPUTS)
