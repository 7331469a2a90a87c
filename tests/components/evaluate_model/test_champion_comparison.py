"""The champion on data that changed since it was trained: compared where a server could answer, never cut to fit."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import tensorflow_model_analysis as tfma

from retrainer.components.evaluate_model.champion_comparison import (
    _changed_since,
    _FittingRows,
    compare_with,
    has_no_answer,
    silent_rows,
)
from retrainer.components.evaluate_model.evaluate import evaluate
from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.evaluation.eval_config import BASELINE, CANDIDATE
from retrainer.components.lib.evaluation.input_counts import Found, InputCounts
from retrainer.components.lib.evaluation.input_rules import UNDEFINED
from retrainer.components.lib.evaluation.metric_requirements import Requirement
from retrainer.components.lib.examples import Examples, SpanPart
from retrainer.components.lib.registry.evaluation_summary import EvaluationSummary
from retrainer.components.lib.registry.registry import ModelVersion
from retrainer.components.lib.saved_models.saved_model import load_model
from retrainer.components.lib.saved_models.scored_rows import ScoredRows
from retrainer.components.lib.verdicts import Blessing, Champion

ROWS = 600
CHANGE = {"absolute": -1.0, "direction": "HIGHER_IS_BETTER"}


def auc(lower: float | None = 0.3, change: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    threshold: dict[str, Any] = {"change_threshold": CHANGE if change is None else change}
    if lower is not None:
        threshold["value_threshold"] = {"lower_bound": {"value": lower}}
    thresholds = [{"slicing_specs": [{}], "threshold": threshold}]
    return [{"metrics": [{"class_name": "AUC", "per_slice_thresholds": thresholds}]}]


@pytest.fixture
def judge(
    models: dict[str, str], make_examples: Callable[..., str], tmp_path: Path
) -> Callable[..., tuple[str, dict[str, float], Blessing]]:
    """A function that evaluates a model without `hour` against a champion that takes it as int64."""

    def call(
        frame: pd.DataFrame,
        specs: list[dict[str, Any]] | None = None,
        champion: str = "late",
        **more: Any,
    ) -> tuple[str, dict[str, float], Blessing]:
        folder = str(tmp_path / "champion")
        Champion(3, models[champion], "d").write(folder)
        metrics: dict[str, float] = {}
        paths = [str(tmp_path / name) for name in ("evaluation", "blessing", "report.html")]
        verdict = evaluate(
            make_examples({"2013-01": frame[:100], "2013-02": frame[100:]}),
            models["champion"],
            folder,
            *paths,
            auc() if specs is None else specs,
            log_metric=metrics.__setitem__,
            **more,
        )
        blessing = Blessing.read(paths[1])
        # Whatever it was compared with, it would replace this version.
        assert (blessing.champion_version, blessing.verdict) == (3, verdict)
        return verdict, metrics, blessing

    return call


def hours_missing(frame: pd.DataFrame, count: int) -> pd.DataFrame:
    """Empty `hour` in the last rows, all of which are evaluated."""
    changed = frame.assign(hour=frame.hour.astype("Int64"))
    changed.loc[changed.index[-count:], "hour"] = pd.NA
    return changed


def auc_of(model: str, frame: pd.DataFrame) -> float:
    """The share of pairs of a late and a punctual flight that a model puts in the right order."""
    batch = pa.RecordBatch.from_pandas(frame, preserve_index=False)
    ranks = pd.Series(load_model(model, "x").predict(batch)).rank().to_numpy()
    late = frame.late.to_numpy() == 1
    count = late.sum()
    return float((ranks[late].sum() - count * (count + 1) / 2) / (count * (len(late) - count)))


def test_rows_that_the_champion_can_not_take_are_left_out_of_the_comparison(
    judge: Callable[..., Any], some_flights: pd.DataFrame, models: dict[str, str], tmp_path: Path
) -> None:
    frame = hours_missing(some_flights, 60)
    verdict, metrics, _ = judge(frame)
    assert verdict.startswith("blessed: auc ")
    assert verdict.endswith(
        "compared on 540 of 600 rows, since champion version 3 can't answer the others "
        "('hour' is missing in 60 of 600 rows, and it takes int64)"
    )
    compared = some_flights[100:-60]
    assert metrics["champion_auc"] == pytest.approx(auc_of(models["late"], compared), abs=0.01)
    assert "compared on 540 of 600 rows" in (tmp_path / "report.html").read_text()
    everything = tfma.load_eval_result(str(tmp_path / "evaluation" / "all_rows"))
    rows = everything.get_metrics_for_slice()["example_count"]["doubleValue"]
    assert rows == ROWS
    # The registry keeps the numbers of all rows.
    kept = EvaluationSummary.read(str(tmp_path / "blessing"))
    assert (kept.overall.rows, kept.champion_version, kept.verdict) == (ROWS, 3, verdict)
    assert metrics["example_count"] == metrics["champion_example_count"] == 540
    described = (tmp_path / "evaluation" / "eval_config.json").read_text()
    assert "champion version 3" in described
    assert "challenger, digest" in described
    judged = ScoredRows.read(str(tmp_path / "blessing"))
    assert judged is not None
    # Its columns are what the challenger takes, also where the champion takes others.
    assert list(judged.columns) == ["dep_delay", "tailnum"]
    page = (tmp_path / "report.html").read_text()
    assert "champion version 3; compared on 540 of 600 rows" in page


def test_value_thresholds_hold_on_all_rows_also_where_the_champion_has_no_answer(
    judge: Callable[..., Any], some_flights: pd.DataFrame
) -> None:
    frame = hours_missing(some_flights, 250)
    # The challenger is wrong wherever the champion has no answer.
    wrong = frame.index[-250:]
    frame.loc[wrong, "late"] = (frame.loc[wrong, "dep_delay"].fillna(0) < 5).astype("int64")
    verdict, metrics, blessing = judge(frame, auc(0.6))
    assert metrics["auc"] > 0.6
    assert not blessing.blessed
    assert verdict.startswith("refused: auc 0.")
    assert "is below 0.6" in blessing.reasons[0]
    assert "compared on 350 of 600 rows" in verdict


def test_a_loss_against_the_champion_on_the_rows_that_it_can_take_is_refused(
    judge: Callable[..., Any], some_flights: pd.DataFrame
) -> None:
    much = {"absolute": 0.9, "direction": "HIGHER_IS_BETTER"}
    verdict, _, blessing = judge(hours_missing(some_flights, 60), auc(0.3, much))
    assert not blessing.blessed
    assert "champion version 3" in blessing.reasons[0]
    assert verdict.startswith("refused: ")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda frame: hours_missing(frame, 400),
            "can answer only 200 of 600 rows ('hour' is missing in 400 of 600 rows, and it takes int64)",
        ),
        (
            lambda frame: frame.drop(columns="hour"),
            "can answer no row ('hour' is missing in 600 of 600 rows, and it takes int64)",
        ),
        (
            lambda frame: frame.assign(hour=frame.hour + 0.5),
            "can answer no row ('hour' is not a whole number in 600 of 600 rows, and it takes int64)",
        ),
        (
            lambda frame: frame.assign(hour="noon"),
            "can answer no row ('hour' is text in 600 of 600 rows, and it takes int64)",
        ),
        (
            lambda frame: frame.assign(carrier=7),
            "can answer no row ('carrier' is a number in 600 of 600 rows, and it takes string)",
        ),
        (
            lambda frame: frame.assign(distance=frame.distance.astype(str)),
            "can answer no row ('distance' is text in 600 of 600 rows, and it takes float32)",
        ),
    ],
    ids=["gaps", "gone", "fractions", "text", "number", "float to text"],
)
def test_a_champion_that_can_answer_few_rows_is_not_compared_and_values_decide(
    judge: Callable[..., Any], some_flights: pd.DataFrame, tmp_path: Path, change: Any, words: str
) -> None:
    frame = change(some_flights)
    verdict, metrics, blessing = judge(frame)
    assert blessing.blessed
    assert "(champion version 3 not compared), 600 rows" in verdict
    assert verdict.endswith(f"champion version 3 {words}, so the value thresholds decide alone")
    assert "champion_auc" not in metrics
    kept = EvaluationSummary.read(str(tmp_path / "blessing"))
    assert (kept.overall.rows, kept.champion_version, kept.overall.champion) == (ROWS, None, {})


def test_without_a_value_threshold_nothing_decides_in_the_champions_place(
    judge: Callable[..., Any], some_flights: pd.DataFrame
) -> None:
    verdict, _, blessing = judge(some_flights.drop(columns="hour"), auc(None))
    assert not blessing.blessed
    assert "needs a value_threshold" in verdict
    assert "can answer no row" in verdict


def test_whole_numbers_that_became_floating_point_are_taken_as_they_are(
    judge: Callable[..., Any], some_flights: pd.DataFrame, models: dict[str, str]
) -> None:
    verdict, metrics, _ = judge(some_flights.assign(hour=some_flights.hour.astype("float64")))
    assert "compared on" not in verdict
    assert metrics["champion_auc"] == pytest.approx(
        auc_of(models["late"], some_flights[100:]), abs=0.01
    )


def test_a_text_or_number_column_that_is_gone_is_empty_to_the_champion(
    judge: Callable[..., Any], some_flights: pd.DataFrame, models: dict[str, str]
) -> None:
    verdict, metrics, _ = judge(some_flights.drop(columns="carrier"))
    assert verdict.endswith(
        "champion version 3 is judged with 'carrier' empty: no eval row has a value"
    )
    empty = some_flights[100:].assign(carrier=None)
    assert metrics["champion_auc"] == pytest.approx(auc_of(models["late"], empty), abs=0.01)


@pytest.mark.parametrize(
    "beam_args",
    [
        pytest.param([], id="here"),
        # evidence/test_comparison.py has such a champion on Beam, too.
        pytest.param(["--runner=DirectRunner"], id="beam", marks=pytest.mark.slow),
    ],
)
def test_rows_on_which_the_champion_predicts_nan_are_left_out_of_the_comparison(
    judge: Callable[..., Any], some_flights: pd.DataFrame, beam_args: list[str]
) -> None:
    frame = some_flights[:250]
    left = frame[100:][~(frame[100:].dep_delay > 60)]
    verdict, metrics, blessing = judge(frame, champion="nan", beam_args=beam_args)
    assert blessing.blessed
    assert verdict.endswith(
        f"compared on {len(left)} of 150 rows, since champion version 3 predicts NaN or infinity on the others"
    )
    assert metrics["example_count"] == metrics["champion_example_count"] == len(left) < 150
    assert np.isfinite(metrics["champion_auc"])


def test_a_champion_that_predicts_nan_on_most_rows_is_not_compared(
    judge: Callable[..., Any], some_flights: pd.DataFrame
) -> None:
    frame = some_flights.assign(dep_delay=some_flights.dep_delay + 600)
    count = int(frame[100:].dep_delay.notna().sum())
    verdict, _, blessing = judge(frame, champion="nan")
    assert blessing.blessed
    assert f"champion version 3 predicts NaN or infinity for {count} of 600 eval rows" in verdict
    assert verdict.endswith("so the value thresholds decide alone")


def test_beam_compares_on_the_same_rows(
    judge: Callable[..., Any], some_flights: pd.DataFrame
) -> None:
    frame = hours_missing(some_flights[:250], 30)
    here, numbers, _ = judge(frame)
    there, on_beam, _ = judge(frame, beam_args=["--runner=DirectRunner"])
    assert there == here
    assert on_beam == pytest.approx(numbers, rel=1e-6)
    assert "compared on 120 of 150 rows" in here
    assert np.isfinite(list(on_beam.values())).all()


def test_a_column_that_no_eval_row_has_is_empty_to_the_challenger(
    judge: Callable[..., Any], some_flights: pd.DataFrame, models: dict[str, str]
) -> None:
    verdict, metrics, _ = judge(some_flights.drop(columns="tailnum"))
    assert verdict.endswith("challenger is judged with 'tailnum' empty: no eval row has a value")
    empty = some_flights[100:].assign(tailnum=None)
    assert metrics["auc"] == pytest.approx(auc_of(models["champion"], empty), abs=0.01)


def test_rows_that_fit_have_the_columns_that_are_asked_for_and_no_others(tmp_path: Path) -> None:
    pd.DataFrame({"hour": [1.0, 2.5, 3.0], "late": [0, 1, 1]}).to_parquet(tmp_path / "a.parquet")
    part = _FittingRows("1", str(tmp_path), "all", 2, ("a.parquet",), {"hour": "int64"})
    assert part.read_table(["late"]).to_pydict() == {"late": [0, 1]}
    assert part.read_table().to_pydict() == {"hour": [1.0, 3.0], "late": [0, 1]}


@pytest.mark.parametrize(
    ("rule", "has_none"),
    [(UNDEFINED, True), (Requirement.KNOWN_CLASSES, True), (Requirement.PROBABILITIES, False)],
)
def test_the_data_is_to_blame_for_nan_and_new_classes_and_the_champion_for_the_rest(
    rule: str, has_none: bool
) -> None:
    found = Found(rows=3, low=0.0, high=1.0)
    assert has_no_answer(InputCounts(10, found={f"{rule}|{BASELINE}": found})) is has_none
    # The challenger's.
    assert not has_no_answer(InputCounts(10, found={f"{rule}|{CANDIDATE}": found}))


def examples_of(versions: dict[str, str], rows: int = 600) -> Examples:
    parts = tuple(SpanPart(span, f"spans/{span}", "all", rows, ()) for span in versions)
    splits = {"train": (), "eval": parts}
    return Examples("late", splits, tuple(versions), versions=versions)


@pytest.mark.parametrize(
    ("versions", "rows", "remark"),
    [
        ({"2013-02": "a"}, 600, ""),
        ({"2013-03": "b"}, 700, ""),
        ({"2013-02": "b"}, 600, "the eval spans 2013-02 changed since champion version 3 was judged on them"),
        ({"2013-02": "b", "2013-03": "c"}, 600, "the eval spans 2013-02 changed since champion"),
        ({"2013-02": "a"}, 500, "the eval spans had 600 rows and not 500 when champion version 3"),
    ],
    ids=["equal", "other spans", "changed", "one of two", "another split"],
)  # fmt: skip
def test_an_eval_split_that_changed_is_named(
    versions: dict[str, str], rows: int, remark: str
) -> None:
    version = ModelVersion(
        3,
        "models/3",
        "digest",
        {
            "eval_spans": ["2013-02"],
            "train_spans": ["2013-01"],
            "span_versions": {"2013-01": "z", "2013-02": "a"},
            "rows": {"train": 9, "eval": 600},
        },
    )
    found = _changed_since(examples_of(versions, rows), Champion.of(version))
    assert found.startswith(remark)
    assert bool(found) is bool(remark)


def test_a_champion_of_which_nothing_is_known_is_compared_without_a_remark() -> None:
    assert _changed_since(examples_of({"2013-02": "b"}), Champion(3, "models/3")) == ""


THIRD = Champion(3, "models/3", "d", ("2013-01",), ("2013-02",), {}, None)
TAKES_HOURS: Any = SimpleNamespace(
    columns=["hour", "gate"], kinds={"hour": "int64", "gate": "string"}, who="champion version 3"
)


def ten_rows(folder: Path, gaps: int, part: str = "all", **columns: Any) -> Examples:
    """Two spans of five rows each, without an hour in the last ones."""
    hours = [None if row >= 10 - gaps else row for row in range(10)]
    frame = pd.DataFrame({"late": 0, "hour": pd.array(hours, "Int64"), **columns})
    parts = []
    for span, rows in (("2013-02", frame[:5]), ("2013-03", frame[5:])):
        (folder / span).mkdir()
        rows.to_parquet(folder / span / "a.parquet")
        parts.append(SpanPart(span, str(folder / span), part, 5, ("a.parquet",)))
    splits = {"train": (), "eval": tuple(parts)}
    return Examples("late", splits, ("2013-02", "2013-03"), versions={})


@pytest.mark.parametrize(("gaps", "able"), [(0, 10), (1, 9), (5, 5), (6, None), (10, None)])
def test_half_of_the_rows_is_enough_to_be_compared(
    tmp_path: Path, gaps: int, able: int | None
) -> None:
    examples = ten_rows(tmp_path, gaps, gate="A1")
    found = compare_with(examples, THIRD, TAKES_HOURS)
    assert found.champion.version == 3
    assert found.champion.exists == (able is not None)
    assert found.is_partial == (able not in (10, None))
    words = f"'hour' is missing in {gaps} of 10 rows, and it takes int64"
    if able is None:
        on = "no row" if gaps == 10 else "only 4 of 10 rows"
        assert found.remarks == (
            f"champion version 3 can answer {on} ({words}), so the value thresholds decide alone",
        )
        assert found.examples is examples
    elif gaps:
        assert found.remarks == (
            f"compared on {able} of 10 rows, since champion version 3 can't answer the others ({words})",
        )
        assert found.examples.rows("eval") == able
    else:
        assert (found.remarks, found.examples) == ((), examples)


def test_all_that_is_unusual_about_a_comparison_is_said(tmp_path: Path) -> None:
    examples = replace(ten_rows(tmp_path, 1), versions={"2013-02": "b"})
    champion = replace(
        THIRD, train_spans=("2013-01", "2013-03"), eval_versions={"2013-02": "a"}, uri="models/3"
    )
    first, *others = compare_with(examples, champion, TAKES_HOURS).remarks
    assert first == "champion version 3 is judged with 'gate' empty: no eval row has a value"
    assert [one.partition(" (")[0] for one in others] == [
        "compared on 9 of 10 rows, since champion version 3 can't answer the others",
        "champion version 3 trained on eval rows",
        "the eval spans 2013-02 changed since champion version 3 was judged on them, and both models are compared on "
        "the new rows",
    ]
    (tmp_path / "split").mkdir()
    # A hash split keeps the eval rows of a span out of training.
    split = ten_rows(tmp_path / "split", 0, "eval", gate="A1")
    assert compare_with(split, champion, TAKES_HOURS).remarks == ()
    assert compare_with(split, Champion(), None).champion == Champion()


def test_a_champion_that_takes_the_label_is_not_compared_with_anything(tmp_path: Path) -> None:
    takes_it: Any = SimpleNamespace(columns=["late"], kinds={"late": "int64"}, who="champion")
    with pytest.raises(RetrainerError, match="champion version 3 takes 'late', the label"):
        compare_with(ten_rows(tmp_path, 0), THIRD, takes_it)


def test_rows_are_silent_where_the_champion_predicts_no_number() -> None:
    found = {f"{UNDEFINED}|{BASELINE}": Found(3), f"{UNDEFINED}|{CANDIDATE}": Found(5)}
    assert silent_rows(InputCounts(10, found=found)) == 3
    assert silent_rows(InputCounts(10)) == 0


@pytest.mark.parametrize("outputs", [1, 3])
def test_a_champion_of_other_outputs_than_the_challengers_has_no_answer(outputs: int) -> None:
    rows = {f"{Requirement.CLASSES}|{BASELINE}": Found(10)}
    counts = InputCounts(10, {CANDIDATE: 3, BASELINE: outputs}, rows)
    assert has_no_answer(counts) is (outputs == 1)
    assert has_no_answer(InputCounts(10, by_output={"a": InputCounts(10), "b": counts})) is (
        outputs == 1
    )
