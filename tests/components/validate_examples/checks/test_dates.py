"""Dates of every span are looked at: those that are late, those that no calendar has, and plain old ones."""

from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from retrainer.components.lib.examples import Examples
from retrainer.components.lib.spans.span_periods import span_periods
from retrainer.components.validate_examples import date_counts
from retrainer.components.validate_examples.checks.dates import check_dates

TODAY = date(2014, 1, 15)
ROWS = 50


@pytest.fixture
def check(make_examples):
    """A function that looks at the dates of spans, each given as the texts of its column `at`."""

    def go(spans, today=TODAY):
        frames = {
            span: pd.DataFrame(
                {"at": pd.Series(list(texts), dtype=object), "late": [0] * len(texts)}
            )
            for span, texts in spans.items()
        }
        examples = Examples.read(make_examples(frames))
        return check_dates(examples, span_periods(examples.spans), today)

    return go


def plain(month: str) -> list[str]:
    return [f"{month}-{1 + i % 28:02}" for i in range(ROWS)]


def kinds(findings) -> list[tuple[str, str]]:
    return [(finding.kind.name, finding.where) for finding in findings]


def test_a_late_date_in_any_span_is_found(check):
    spans = {month: plain(month) for month in ("2013-01", "2013-02", "2013-03", "2013-04")}
    spans["2013-02"][7] = "2999-01-01T00:00:00Z"
    spans["2013-02"][8] = "2013-03-20"
    spans["2013-04"][0] = "2013-06-01 10:00"
    future, after = check(spans)
    assert (future.kind.name, future.where) == ("future_date", "span 2013-02")
    assert future.seen == "1 date (2 %) up to 2999-01-01"
    assert future.expected == "dates up to today, 2014-01-15"
    assert (after.kind.name, after.where) == ("date_after_span", "spans 2013-02, 2013-04")
    assert after.seen == "3 dates (3 %) later, up to 2999-01-01"
    assert after.expected == "dates before 2013-05-01 00:00, when span 2013-04 ends, plus one day"


@pytest.mark.parametrize(
    "old",
    [
        "0001-01-01", "1582-10-10", "1900-02-28", "1969-12-31T23:59:59Z", "1677-09-21 00:00:00",
    ],
)  # fmt: skip
def test_a_plain_old_date_is_no_finding(check, old):
    spans = {month: [*plain(month)[:-1], old] for month in ("2013-01", "2013-02")}
    assert check(spans) == []


@pytest.mark.parametrize("far", ["2262-04-12", "2263-01-01T00:00:00+14:00", "9999-12-31"])
def test_a_date_beyond_what_nanoseconds_reach_is_in_the_future(check, far):
    spans = {month: plain(month) for month in ("2013-01", "2013-02")}
    spans["2013-02"][3] = far
    (finding,) = check(spans)
    assert (finding.kind.name, finding.where) == ("future_date", "span 2013-02")
    assert far[:10] in finding.seen


@pytest.mark.parametrize(
    "wrong", ["2013-02-30", "2013-13-01", "0000-00-00", "2013-01-00T10:00:00Z"]
)
def test_a_day_that_no_calendar_has_is_found(check, wrong):
    spans = {month: plain(month) for month in ("2013-01", "2013-02")}
    spans["2013-01"][3] = wrong
    (finding,) = check(spans)
    assert (finding.kind.name, finding.where) == ("impossible_date", "span 2013-01")
    assert finding.seen == f"1 date (2 %) such as {wrong[:10]}"


@pytest.mark.parametrize(("count", "more"), [(3, ""), (4, ", ...")])
def test_of_impossible_days_the_first_three_are_named(check, count, more):
    wrong = [f"2013-02-{day}" for day in range(30, 30 + count)]
    (finding,) = check({"2013-01": plain("2013-01"), "2013-02": [*wrong, *plain("2013-02")]})
    assert finding.seen.endswith(f"such as {', '.join(wrong[:3])}{more}")


@pytest.mark.parametrize(
    "texts",
    [
        ["31/12/2999"] * ROWS,
        ["29991231"] * ROWS,
        ["12:00"] * ROWS,
        ["Mon Dec 31 2999"] * ROWS,
        [None] * ROWS,
        ["", "-", "2999"] * 10,
        [],
        ["\u0661\u0662\u0663\u0664-\u0660\u0661-\u0660\u0661"] * ROWS,
    ],
)
def test_what_is_no_iso_date_is_passed_over(check, texts):
    assert check({"2013-01": texts, "2013-02": texts}) == []


def test_a_time_zone_or_a_clock_that_is_hours_off_is_no_finding(check):
    spans = {"2013-01": plain("2013-01"), "2013-02": plain("2013-02")}
    spans["2013-02"][:3] = ["2013-03-01T05:00:00+14:00", "2013-03-01T23:59:59-12:00", "unknown"]
    assert check(spans) == []
    assert check({"a": ["2014-01-16T11:00:00+14:00"] * ROWS}) == []
    assert kinds(check({"b": ["2014-01-17"] * ROWS})) == [("future_date", "span b")]


def test_a_column_that_is_late_in_most_spans_is_so_by_its_nature(check):
    spans = {f"2013-0{i}": ["9999-12-31"] * ROWS for i in range(1, 5)}
    assert check(spans) == []


def test_a_mistake_in_one_other_span_does_not_make_late_dates_usual(check):
    spans = {f"2013-0{i}": plain(f"2013-0{i}") for i in range(1, 4)}
    spans["2013-01"][0] = spans["2013-03"][0] = "2050-01-01"
    assert kinds(check(spans)) == [("future_date", "spans 2013-01, 2013-03")]


@pytest.mark.parametrize("span", ["9999-12", "9999-12-31", "9999-12-31T23"])
def test_a_span_at_the_end_of_the_calendar(check, span):
    spans = {span: ["9999-12-31"] * ROWS}
    assert ("future_date", f"span {span}") in kinds(check(spans))


def test_dates_that_begin_after_empty_cells_are_found(check):
    texts = [None] * 2_000 + ["2999-01-01"] * 10
    assert kinds(check({"2013-01": texts})) == [("future_date", "span 2013-01")]


def test_a_span_is_read_once_ever(make_examples, monkeypatch):
    frames = {
        month: pd.DataFrame({"at": plain(month), "late": 0}) for month in ("2013-01", "2013-02")
    }
    frames["2013-02"].loc[0, "at"] = "2999-01-01"
    examples = Examples.read(make_examples(frames))
    first = check_dates(examples, {}, TODAY)
    assert [one.kind.name for one in first] == ["future_date"]
    monkeypatch.setattr(date_counts, "_count", None)
    monkeypatch.setattr(date_counts, "_date_columns", None)
    assert check_dates(examples, {}, TODAY) == first


@pytest.mark.parametrize(
    "content", ["", "{", '{"format": 99}', '{"format": 1, "columns": {"at": {"n": 1}}}']
)
def test_days_that_cannot_be_read_are_counted_again(make_examples, content):
    examples = Examples.read(
        make_examples(
            {"2013-01": pd.DataFrame({"at": ["2999-01-01"] * ROWS, "late": 0})}, eval_spans=1
        )
    )
    first = check_dates(examples, {}, TODAY)
    (kept,) = Path(examples.splits["eval"][0].uri).glob("days-*.json")
    good = kept.read_text()
    kept.write_text(content)
    assert check_dates(examples, {}, TODAY) == first
    assert kept.read_text() == good


@pytest.mark.parametrize(
    ("late", "of", "is_found"), [((1,), 1, True), ((1, 3, 5), 5, True), ((1, 3, 4, 5), 5, False)]
)
def test_where_most_of_the_other_spans_are_late_it_is_a_rule(check, late, of, is_found):
    spans = {f"2013-0{i}": plain(f"2013-0{i}") for i in range(1, of + 1)}
    for i in late:
        spans[f"2013-0{i}"][0] = "2050-01-01"
    assert bool(check(spans)) is is_found


@pytest.mark.parametrize(
    ("span", "latest", "first_late"),
    [
        # A day after the end, whatever the clock says: of an hour, the day after the next one.
        ("2013-02-10", "2013-02-11", "2013-02-12"),
        ("2013-02-10T10", "2013-02-11", "2013-02-12"),
        ("2013-02-10T23", "2013-02-11", "2013-02-12"),
        ("2013-02", "2013-03-01", "2013-03-02"),
    ],
)
def test_a_date_up_to_a_day_after_its_span_is_accepted(check, span, latest, first_late):
    (found,) = check({span: [latest] * 10 + [first_late] * 30})
    assert (found.kind.name, found.seen) == (
        "date_after_span",
        f"30 dates (75 %) later, up to {first_late}",
    )
    assert found.expected.endswith(", when the span ends, plus one day")


@pytest.mark.parametrize(("start", "is_early"), [("2014-01-16", False), ("2014-01-17", True)])
def test_a_span_begins_tomorrow_at_the_latest(check, start, is_early):
    found = check({start: ["2013-01-01"] * ROWS})
    assert kinds(found) == [("future_date", f"span {start}")] * is_early
    if is_early:
        assert found[0].seen == f"a span that begins on {start}, and today is 2014-01-15"


def test_a_column_that_some_spans_lack_is_judged_by_those_that_have_it(check):
    spans = {"2013-01": ["x"] * ROWS, "2013-02": plain("2013-02"), "2013-03": plain("2013-03")}
    spans["2013-03"][0] = "2050-01-01"
    spans["2013-02"][0:2] = "2013-02-30", "2013-02-31"
    impossible, future = check(spans)
    assert (impossible.where, impossible.seen) == (
        "span 2013-02", "2 dates (4 %) such as 2013-02-30, 2013-02-31",
    )  # fmt: skip
    assert (future.kind.name, future.where) == ("future_date", "span 2013-03")
