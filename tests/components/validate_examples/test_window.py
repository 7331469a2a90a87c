"""A window: what of it is validated, which rows of earlier weekdays it knows, and its label's classes."""

from types import SimpleNamespace

import pandas as pd
import pytest
import tensorflow_data_validation as tfdv

from retrainer.components.lib.examples import Examples, SpanPart
from retrainer.components.lib.statistics.dataset import Dataset
from retrainer.components.lib.statistics.statistics_artifact import StatisticsIndex
from retrainer.components.validate_examples import window as work
from retrainer.components.validate_examples.label_classes import LabelCounts
from retrainer.components.validate_examples.window import Window, span_parts

DAYS = "{span:%Y-%m-%d}.csv"
WEEK = [f"2024-03-{day:02}" for day in range(4, 8)]


def rows(**columns):
    return Dataset(tfdv.generate_statistics_from_dataframe(pd.DataFrame(columns)))


@pytest.fixture(scope="module")
def some():
    return rows(y=[0, 1])


@pytest.fixture
def window(some):
    """A function that makes a window of spans, the last of which are for evaluation."""

    def make(spans, evaluation=1, splits=None, labels=None, **parts):
        train, newer = tuple(spans[:-evaluation]), tuple(spans[-evaluation:])
        index = StatisticsIndex("y", (), tuple(spans), splits or {"train": train, "eval": newer})
        datasets = labels or dict.fromkeys(spans, some)
        return Window(index, {"train": some, "eval": some}, datasets, {}, **parts)

    return make


def names(window):
    return [(one.folder, one.name, one.in_training) for one in window.subjects]


def test_training_and_evaluation_are_validated_and_the_newest_span_if_it_is_not_evaluation(window):
    train, newer = ("Split-train", "training (1, 2)", True), ("Split-eval", "evaluation (3)", False)
    assert names(window("123")) == [train, newer]
    assert names(window("1234", evaluation=2))[1:] == [
        ("Split-eval", "evaluation (3, 4)", False),
        ("Span-4", "span 4", False),
    ]
    shared = {"train": ("1", "2"), "eval": ("1", "2")}
    assert names(window("12", splits=shared))[2:] == [("Span-2", "span 2", False)]


def test_earlier_spans_are_those_before_the_newest(window, some):
    assert window("123").earlier is None
    index = window("12")
    assert Window(index.index, {}, index.spans, {"2": some}).earlier is some
    assert window("123").newest is some


@pytest.fixture
def profiles(monkeypatch):
    """Spans that earlier runs kept; the list of what was asked for."""
    asked = []

    def read(store, spans):
        asked.append((store, list(spans)))
        return {span: span for span in spans if span != "2024-02-08"}

    monkeypatch.setattr(work, "read_profiles", read)
    return asked


def test_rows_of_the_weekday_are_looked_for_before_the_window(window, profiles):
    # The 7th of March 2024 is a Thursday, as were the 29th, the 22nd, the 15th and the 8th of February.
    found = window(WEEK, pattern=DAYS, store="s").relatives
    assert list(found) == ["2024-02-15", "2024-02-22", "2024-02-29"]
    assert profiles == [("s", ["2024-02-08", "2024-02-15", "2024-02-22", "2024-02-29"])]


def test_spans_of_the_window_and_excluded_ones_are_no_relatives(window, profiles):
    excluded = SimpleNamespace(excluded=("2024-02-22",))
    window(["2024-02-29", *WEEK], pattern=DAYS, store="s", examples=excluded).relatives  # noqa: B018
    assert profiles[0][1] == ["2024-02-08", "2024-02-15"]


def test_without_a_store_or_a_season_there_are_no_relatives(window, profiles):
    assert window(WEEK, pattern=DAYS).relatives == {}
    assert window("123", store="s").relatives == {}
    assert profiles == []


@pytest.mark.parametrize(
    ("spans", "pattern", "store", "is_known"),
    [
        ("123", "", "", True),
        (WEEK, DAYS, "", False),
        (WEEK, DAYS, "s", True),
        (["2024-02-29", *WEEK], DAYS, "", True),
        (["2024-02-28", *WEEK], DAYS, "", False),
    ],
)
def test_a_weekday_is_known_by_the_window_or_the_store(
    window, profiles, spans, pattern, store, is_known
):
    assert window(spans, pattern=pattern, store=store).has_same_season is is_known


def test_the_parts_of_a_span_are_listed_once_whatever_splits_they_are_in():
    one, two = SpanPart("1", "a", "all", 1, ()), SpanPart("1", "a", "eval", 1, ())
    other = SpanPart("2", "b", "all", 1, ())
    examples = Examples("y", {"train": (one, other), "eval": (one, two)}, ())
    assert span_parts(examples, "1") == [one, two]
    assert span_parts(examples, "3") == []


FLAGS, KINDS, NONE, OTHER = rows(y=[0, 1, 1]), rows(y=[0, 2, 1]), rows(y=[None]), rows(x=[1])
MANY = rows(y=[0, 30])
THREE = LabelCounts(3, {2: 3})


@pytest.fixture
def counted(window, monkeypatch):
    """A function that counts the label of spans by statistics; the rows, where it reads them, have what is given."""

    def go(*labels, found=THREE, examples=True):
        spans = [str(i) for i in range(len(labels))]
        parts = tuple(SpanPart(span, "a", "all", 1, ()) for span in spans)
        monkeypatch.setattr(
            work, "count_classes",
            lambda parts, label: found.get(parts[0].span) if isinstance(found, dict) else found,
        )  # fmt: skip
        made = window(
            spans,
            labels=dict(zip(spans, labels, strict=True)),
            examples=Examples("y", {"train": parts, "eval": ()}, ()) if examples else None,
        )
        return {span: dict(counts.counts) for span, counts in made.label_counts.items()}

    return go


def test_a_label_of_0_and_1_is_counted_by_its_statistics(counted):
    known = {0: 1, 1: 2}
    assert counted(FLAGS, FLAGS, found=None) == {"0": known, "1": known}
    # Spans without the label, or without the column, are left out.
    assert counted(FLAGS, NONE, OTHER, FLAGS, examples=False) == {"0": known, "3": known}
    assert counted(NONE, OTHER) == {}


def test_other_classes_are_counted_in_the_rows_of_all_spans(counted):
    assert counted(FLAGS, KINDS, NONE) == {"0": {2: 3}, "1": {2: 3}}
    assert counted(KINDS, KINDS, examples=False) == {}
    # In one of them they are a number, by the rows or by the statistics.
    assert counted(KINDS, KINDS, found={"0": LabelCounts(1, {2: 1}), "1": None}) == {}
    assert counted(KINDS, MANY) == {}
