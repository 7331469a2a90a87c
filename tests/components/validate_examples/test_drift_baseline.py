"""What is usual for a column does not warn, what happened once is not usual, and what is far beyond stops the run."""

import json
import shutil
from contextlib import suppress
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import tensorflow_data_validation as tfdv

from retrainer.components.compute_statistics.compute import compute
from retrainer.components.ingest_spans.ingest import ingest
from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.source_rows.settings import IngestSettings
from retrainer.components.lib.statistics.dataset import Dataset
from retrainer.components.validate_examples.comparison import Comparison
from retrainer.components.validate_examples.distances import Distance
from retrainer.components.validate_examples.drift_baseline import Baseline, find_baselines
from retrainer.components.validate_examples.limits import L_INFINITY
from retrainer.components.validate_examples.settings import parse_settings
from retrainer.components.validate_examples.validate import validate

ROWS = 400


def day(number: int, middle: float = 30, kinds=(0.2, 0.7, 0.1), rows: int = ROWS) -> pd.DataFrame:
    rng = np.random.default_rng(100 + number)
    return pd.DataFrame(
        {
            "basket": rng.normal(middle, 8, rows).round(2),
            "kind": rng.choice(["family", "office", "tourist"], rows, p=kinds),
            "y": (rng.random(rows) < 0.3).astype(int),
        }
    )


def days(*middles: float) -> dict[str, pd.DataFrame]:
    return {f"2024-01-{i:02d}": day(i, middle) for i, middle in enumerate(middles, 1)}


@pytest.fixture
def judge_anew(judge, tmp_path):
    """A function that judges days in a store of their own."""

    def go(spans, **settings):
        # Spans are ingested once, and these share their names.
        shutil.rmtree(tmp_path / "store", ignore_errors=True)
        return judge(spans, label="y", **settings)

    return go


@pytest.fixture
def drift_of(judge_anew):
    """A function that judges days and gives what is said of a column's drift: severity and words, or nothing."""

    def go(spans, column="basket", **settings):
        outcome = judge_anew(spans, **settings)
        found = [f for f in outcome.findings if (f["column"], f["kind"]) == (column, "drift")]
        return (found[0]["severity"], found[0]) if found else None

    return go


def test_far_beyond_the_threshold_the_run_stops_and_beyond_it_warns(drift_of):
    severity, found = drift_of(days(30, 30, 3000))
    assert severity == "error"
    assert "retrainer spans exclude" in found["remedy"]
    assert "validation.drift.columns" in found["remedy"]
    assert drift_of(days(30, 30, 44))[0] == "warning"
    assert drift_of(days(30, 30, 32)) is None
    assert drift_of(days(30, 30, 3000), severity={"drift": "warning"})[0] == "warning"


def test_with_a_single_earlier_span_nothing_says_which_one_is_wrong(drift_of):
    assert drift_of(days(30, 3000))[0] == "warning"


def test_what_moved_once_is_not_usual(drift_of):
    severity, found = drift_of(days(30, 3000, 3000))
    assert severity == "warning", "the run of the day before has stopped, or was let through"
    assert "before" in found["seen"]
    assert drift_of(days(30, 30, 30, 3000, 3000)) is not None


def test_a_good_span_after_a_bad_one_says_which_one_is_bad(drift_of):
    severity, found = drift_of(days(30, 3000, 30))
    assert severity == "warning"
    assert "only span 2024-01-02 differs" in found["seen"]
    assert "retrainer spans exclude 2024-01-02" in found["remedy"]
    assert drift_of(days(30, 30, 30, 3000, 30)) is None


def test_weekends_that_are_always_alike_pass_and_a_new_kind_of_day_does_not(drift_of):
    def week(last: int, wrong: bool = False) -> dict[str, pd.DataFrame]:
        return {
            f"2024-01-{i:02d}": day(i, 60, (0.6, 0.1, 0.3))
            if i % 7 in (6, 0) and not (wrong and i == last)
            else day(i, 100, (0.1, 0.1, 0.8))
            if wrong and i == last
            else day(i)
            for i in range(last - 13, last + 1)
        }

    for column in ("basket", "kind"):
        assert drift_of(week(27), column) is None
        assert drift_of(week(28), column) is None
        assert drift_of(week(20, wrong=True), column) is not None


def test_dates_and_counters_are_far_apart_by_nature(drift_of):
    spans = days(30, 30, 30)
    for i, frame in enumerate(spans.values()):
        frame["month"] = i + 1
        frame["counter"] = np.arange(ROWS) + ROWS * i
        frame["batch"] = f"batch {i}"
    for column in ("month", "counter", "batch"):
        assert drift_of(spans, column) is None


def test_four_wild_rows_neither_hide_a_shift_nor_are_one(drift_of, judge_anew):
    def readings(middle: float, wild: set[int]) -> dict[str, pd.DataFrame]:
        spans = days(20, 20, 20, middle)
        for i, frame in enumerate(spans.values()):
            if i in wild:
                frame.loc[:3, "basket"] = 999_999
        return spans

    assert drift_of(readings(60, set()))[0] == "error"
    assert drift_of(readings(60, {0, 1, 2, 3}))[0] == "error"
    assert drift_of(readings(20, {3})) is None
    found = judge_anew(readings(20, {3})).one("basket", "far_values")
    assert found["severity"] == "warning"
    assert found["seen"].startswith("maximum 999,999, far from all others, in about 4 rows (1 %)")
    assert judge_anew(readings(20, {0, 1, 2, 3})).one("basket", "far_values")
    assert "far_values" not in {f["kind"] for f in judge_anew(readings(20, set())).findings}


def test_tfdvs_measure_holds_where_a_threshold_is_set(drift_of):
    spans = days(20, 20, 20)
    spans["2024-01-03"].loc[:3, "basket"] = 999_999
    severity, found = drift_of(
        spans, drift={"columns": {"basket": {"jensen_shannon_divergence": 0.3}}}
    )
    assert severity == "error"
    assert found["seen"].startswith("Jensen-Shannon divergence 0.99")


def test_small_spans_do_not_warn_by_chance(drift_of):
    for seed in range(0, 100, 20):
        even = (1 / 3, 1 / 3, 1 / 3)
        spans = {f"2024-01-{i:02d}": day(seed + i, 30, even, 60) for i in range(1, 8)}
        assert drift_of(spans, "basket") is None
        assert drift_of(spans, "kind") is None


@pytest.fixture
def retrained(tmp_path):
    """A function that retrains day after day with a window of seven, and gives the severities of drift by day."""

    def go(first: int, last: int, wrong: int = 0) -> dict[int, set[str]]:
        (tmp_path / "in").mkdir()
        for i in range(first - 6, last + 1):
            middle = 120 if i == wrong else 60 if i % 7 in (6, 0) else 30
            day(i, middle, rows=150).to_csv(tmp_path / "in" / f"2024-01-{i:02d}.csv", index=False)
        at = {name: str(tmp_path / name) for name in ("store", "examples", "stats", "found", "s")}
        pattern, page = str(tmp_path / "in" / "{span:%Y-%m-%d}.csv"), str(tmp_path / "page.html")
        said = {}
        for i in range(first, last + 1):
            settings, newest = IngestSettings("y"), f"2024-01-{i:02d}"
            ingest(pattern, at["store"], settings, at["examples"], newest, window=7)
            compute(at["examples"], at["stats"], page)
            with suppress(RetrainerError):
                validate(
                    at["stats"], at["store"], parse_settings(), at["found"], at["s"], page,
                    examples_path=at["examples"], pattern=pattern,
                )  # fmt: skip
            found = json.loads((tmp_path / "found" / "anomalies.json").read_text())
            said[i] = {f["severity"] for f in found if f["kind"] == "drift"}
        return said

    return go


def test_weekends_pass_once_the_store_knows_their_like(retrained):
    said = retrained(13, 21)
    # The 1st is a Monday. Before Saturday the 13th, the window has a Sunday, and nothing is known of a Saturday.
    assert said.pop(13) == {"warning"}
    assert set.union(*said.values()) == set()


def test_a_saturday_unlike_the_others_stops_the_run(retrained):
    assert retrained(19, 20, wrong=20)[20] == {"error"}


def test_the_report_says_why_a_column_beyond_its_threshold_passes(judge_anew):
    spans = days(30, 30, 30)
    for i, frame in enumerate(spans.values()):
        frame["month"] = i + 1
    page = judge_anew(spans).page
    assert "no two spans have values in common" in page


@pytest.fixture(scope="module")
def letters():
    """By letter, 100 rows that all have it; by `95`, some of which have A; `1` and `0`: few numbers, and no column."""
    rows = {letter: {"x": [letter] * 100} for letter in "ABCDE"}
    rows |= {str(share): {"x": ["F"] * share + ["A"] * (100 - share)} for share in (94, 95)}
    rows |= {"1": {"x": [1.0] * 10}, "0": {"other": ["A"] * 100}}
    return {
        letter: Dataset(tfdv.generate_statistics_from_dataframe(pd.DataFrame(columns)))
        for letter, columns in rows.items()
    }


@pytest.fixture
def habit(letters):
    """A function that gives the habit of a column whose spans have one letter each, such as `AAB`."""

    def go(
        spans, value=1.0, history=(), chosen=False, season=True, newer=1, sides="DE", relatives=""
    ):
        window = SimpleNamespace(
            spans={str(i): letters[letter] for i, letter in enumerate(spans, 1)},
            index=SimpleNamespace(newest=str(len(spans))),
            relatives={f"earlier {i}": letters[one] for i, one in enumerate(relatives)},
            has_same_season=season,
        )
        far = Distance(L_INFINITY, value, 0.1, chosen)
        before = [{"x": Distance(L_INFINITY, one, 0.1, chosen=False)} for one in history]
        sides = letters[sides[0]].columns, letters[sides[1]].columns
        names = list(window.spans)[-newer:] if newer else []
        return find_baselines(window, Comparison({"x": far}, before), sides, names).get("x")

    return go


@pytest.mark.parametrize(
    ("spans", "recurs"),
    [
        ("AAAB", False),
        # Two are enough with a span between that differs, else it takes three.
        ("BABAB", True),
        ("ABAB", False),
        ("ABBB", False),
        ("ABBBB", True),
        ("BBAB", True),
    ],
)
def test_values_that_come_back_are_usual(habit, spans, recurs):
    usual = "earlier spans had the same values" if recurs else ""
    assert habit(spans, history=[0.5, 0.5]).normal == usual


def test_values_recur_only_if_those_of_each_newer_span_do(habit):
    assert habit("BABABB", newer=2, history=[0.5]).normal
    assert not habit("BABAAC", newer=2, history=[0.5]).normal
    assert not habit("BABAB", newer=0, history=[0.5]).normal


@pytest.mark.parametrize(
    ("value", "history", "usual"),
    [
        (0.5, [0.4, 0.4, 0.4], True),
        (0.501, [0.4, 0.4, 0.4], False),
        (0.5, [0.4, 0.4], False),
        (0.5, [0.1, 0.4, 0.9], True),
    ],
)
def test_a_distance_up_to_a_quarter_above_the_usual_one_is_usual(habit, value, history, usual):
    words = "similar drift in earlier spans" if usual else ""
    assert habit("AAAAB", value, history).normal == words


def test_spans_that_never_meet_are_usual_from_three_on(habit):
    assert habit("ABC", history=[1.0]).normal == "no two spans have values in common"
    assert not habit("AB").normal
    assert not habit("AABC", history=[0.0, 1.0]).normal


def test_without_a_past_or_with_one_odd_span_nothing_is_proven(habit):
    assert habit("AB") == Baseline(proven=False)
    assert habit("ABA", history=[1.0]) == Baseline(proven=False, odd_span="2")
    assert habit("AAC", history=[0.0]) == Baseline()
    # The odd one came before: the newest may be as odd.
    assert habit("BAA", history=[1.0]).odd_span == ""
    assert habit("ACDA", history=[1.0, 1.0]).odd_span == ""


def test_what_moved_beyond_its_threshold_before_is_noted(habit):
    noted = Baseline(proven=False, note="it moved by 0.11 before")
    assert habit("AAB", history=[0.11]) == noted
    assert habit("AAAB", history=[0.05, 0.11]) == noted
    assert habit("AAB", history=[0.1]) == Baseline()


def test_where_a_weekday_is_not_known_only_what_never_was_is_proven(habit):
    assert habit("AAAB", 0.95, [0.0, 0.0], season=False).proven
    assert not habit("AAAB", 0.94, [0.0, 0.0], season=False).proven
    assert habit("AAAB", 0.94, [0.0, 0.0], season=True).proven
    assert not habit("AAAAB", 0.94, [0.0, 0.0, 0.0], season=False).proven
    assert habit("AAAAB", 0.94, [0.0, 0.0, 0.0], season=True).proven


def test_what_came_back_once_is_not_proven_to_be_new(habit):
    assert not habit("ABAAB", history=[0.1, 0.1, 0.1]).proven
    assert habit("ABAAC", history=[0.1, 0.1, 0.1]).proven


def test_a_threshold_that_somebody_set_has_no_habit_and_at_it_there_is_none(habit):
    assert habit("BABAB", chosen=True, history=[0.5]) == Baseline()
    assert habit("BABAB", 0.1, history=[0.5]) is None
    assert habit("BABAB", 0.1001, history=[0.5]) is not None


def test_what_chance_may_explain_is_usual(habit):
    assert habit("AB", sides="AA").normal == "within chance for samples of this size"
    # Without the column on both sides, in one type, nothing is known of chance.
    for sides in ("0A", "A0", "00", "1A", "A1"):
        assert habit("AB", 0.15, sides=sides) == Baseline(proven=False)


def test_the_same_weekday_before_the_window_counts_for_the_newest_span_alone(habit):
    recurs = "earlier spans had the same values"
    assert habit("AAB", history=[0.5], relatives="BB").normal == recurs
    assert habit("AAB", history=[0.5], relatives="B").normal == ""
    assert habit("ABB", newer=2, history=[0.5], relatives="BB").normal == ""


def test_a_column_that_is_new_has_no_earlier_values(habit):
    for history in ([0.5], [0.5, 0.5, 0.5]):
        assert habit("AB0", history=history).normal == ""
    assert habit("A0BC").normal == "no two spans have values in common"
    assert habit("A0C").normal == ""


@pytest.mark.parametrize(("almost", "is_disjoint"), [("95", True), ("94", False), ("1", False)])
def test_spans_with_one_value_in_twenty_in_common_hardly_meet(habit, almost, is_disjoint):
    # Text and numbers can't be measured, which is no distance.
    assert bool(habit(["A", almost, "C"]).normal) is is_disjoint


def test_of_two_newer_spans_neither_shows_an_odd_one_or_what_came_back(habit):
    assert habit("ABAC", newer=2, history=[1.0]) == Baseline(
        proven=False, note="it moved by 1 before"
    )
    assert habit("ABAAC", newer=2, history=[0.1, 0.1, 0.1]).proven
    assert habit("AB", history=[1.0]).odd_span == ""
