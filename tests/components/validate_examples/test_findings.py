"""Findings are reported in order, with a command that accepts them."""

import re
import shlex

import pytest

from retrainer.components.validate_examples.checks.drift import DRIFT, SKEW
from retrainer.components.validate_examples.checks.row_counts import NO_ROWS
from retrainer.components.validate_examples.finding_kinds import MISSING_COLUMN, MISSING_VALUES
from retrainer.components.validate_examples.findings import (
    Finding,
    Severities,
    apply_severities,
    error_message,
    warning_lines,
)


def test_columns_that_the_schema_lacks_come_in_the_order_of_the_data(judge, frozen, three, months):
    names = [f"{letter}_new" for letter in "qwertzuiop"]
    newest = months["2013-04"].assign(**dict.fromkeys(names, 1))
    outcome = judge({**three, "2013-04": newest})
    assert [f["column"] for f in outcome.findings if f["kind"] == "new_column"] == names


def test_the_command_that_accepts_is_what_a_shell_takes(judge, three, months):
    names = {"hour": "hour of day", "minute": "it's", "flight": "Flug"}
    spans = {span: frame.rename(columns=names) for span, frame in three.items()}
    assert judge(spans).error == ""
    outcome = judge({**spans, "2013-04": months["2013-04"]})
    command = re.search(r"`(retrainer schema accept .*)` beside", outcome.error)[1]
    assert set(shlex.split(command)[3:]) == set(names.values())


def test_of_many_columns_the_command_takes_only_what_stopped_the_run(judge, frozen, three, months):
    columns = ["hour", "minute", "distance", "carrier", "flight", "tailnum", "dest", "origin"]
    newest = months["2013-04"].drop(columns=columns[1:]).assign(gate="B4", hour=None)
    outcome = judge({**three, "2013-04": newest})
    assert "`retrainer schema accept --all --kind missing_column` beside" in outcome.error


@pytest.mark.parametrize(
    ("kinds", "columns", "severity"),
    [
        ({}, {}, "error"),
        ({"drift": "ignore"}, {}, "ignore"),
        ({"drift": "ignore"}, {"x": "warning"}, "warning"),
        ({"drift": "ignore"}, {"x": {"drift": "error"}}, "error"),
        ({"drift": "warning"}, {"x": {"skew": "ignore"}}, "warning"),
    ],
    ids=["its own", "the kind's", "the column's", "the column's for the kind", "of another kind"],
)
def test_the_nearest_setting_decides_a_severity(kinds, columns, severity):
    # Over a threshold of one's own drift is an error by itself.
    finding = Finding(DRIFT, "x", "span 3", "0.5", "0.3", severity="error")
    assert Severities(kinds, columns).of(finding) == severity


def test_warnings_are_a_line_each_and_not_without_end():
    one = Finding(DRIFT, "x", "span 3", "0.5", "0.3", severity="warning")
    fault = Finding(NO_ROWS, "", "span 3", "0 rows", "some", severity="error")
    assert warning_lines([fault, one]) == ["x: drift in span 3: 0.5; expected 0.3"]
    assert warning_lines([one] * 53)[-1] == "3 more, in the report"


def finding(kind=DRIFT, column="x", where="span 3", severity="", **more):
    return Finding(
        kind, column, where, more.pop("seen", "0.5"), more.pop("expected", "0.3"), severity, **more
    )


NONE = Severities({}, {})


def test_two_findings_of_a_column_and_kind_become_one_of_both_places():
    found = apply_severities([finding(where="training"), finding(where="evaluation")], NONE)
    assert [(one.where, one.severity) for one in found] == [("training and evaluation", "warning")]
    (three,) = apply_severities([*found, finding(where="span 3"), finding(where="training")], NONE)
    assert three.where == "training and evaluation and span 3"


def test_of_two_findings_the_error_is_kept_whichever_came_first():
    pair = [finding(severity="warning", seen="a"), finding(severity="error", seen="b", where="y")]
    for order in (pair, pair[::-1]):
        (one,) = apply_severities(order, NONE)
        assert (one.severity, one.seen) == ("error", "b")


def test_two_findings_of_one_place_say_both_and_equal_words_once():
    (one,) = apply_severities([finding(seen="-1"), finding(seen="9")], NONE)
    assert (one.seen, one.expected) == ("-1 and 9", "0.3")


def test_findings_of_other_columns_and_kinds_stay_apart_and_errors_come_first():
    found = apply_severities(
        [
            finding(),
            finding(column="y"),
            finding(SKEW, severity="error"),
            finding(NO_ROWS, ""),
        ],
        Severities({}, {"y": "ignore"}),
    )
    assert [(one.column, one.kind.name, one.severity) for one in found] == [
        ("x", "skew", "error"),
        ("", "no_rows", "error"),
        ("x", "drift", "warning"),
    ]


def test_what_the_schema_can_not_fix_says_how_to_accept_it():
    drift, missing = apply_severities([finding(), finding(MISSING_VALUES)], NONE)[::-1]
    assert "validation.severity.columns.x.drift: ignore" in drift.remedy
    assert "validation.severity" not in missing.remedy


@pytest.mark.parametrize(("count", "rest"), [(50, None), (51, "1 more, in the report")])
def test_fifty_warnings_have_no_rest(count, rest):
    lines = warning_lines([finding(severity="warning")] * count)
    assert len(lines) == 50 + (rest is not None)
    assert (lines[-1] == rest) is (rest is not None)


def errors(count, kind=NO_ROWS):
    return [finding(kind, f"c{i}", severity="error", remedy="fix it") for i in range(count)]


@pytest.mark.parametrize(
    ("count", "named", "shown", "rest"),
    [
        (1, "1 error (c0 no rows):", 1, None),
        (3, "3 errors (c0 no rows, c1 no rows, c2 no rows):", 3, None),
        (4, "4 errors (c0 no rows, c1 no rows, c2 no rows, and 1 more):", 4, None),
        (7, "and 4 more):", 7, None),
        (8, "and 5 more):", 7, "and 1 more (c7), in the report"),
    ],
)
def test_an_error_names_three_and_shows_seven(count, named, shown, rest):
    message = error_message([finding(severity="warning"), *errors(count)], "schema.pbtxt")
    assert named in message.splitlines()[0]
    assert message.count("      fix: ") == shown
    assert ("in the report" in message) is (rest is not None)
    assert rest is None or rest in message


@pytest.mark.parametrize(("count", "is_all"), [(7, False), (8, True)])
def test_a_command_names_seven_columns_at_most(count, is_all):
    found = apply_severities(errors(count, MISSING_COLUMN), NONE)
    usual = apply_severities([finding(MISSING_COLUMN, f"c{i}") for i in range(count)], NONE)
    command = error_message(usual, "schema.pbtxt").splitlines()[-1]
    assert ("--all --kind missing_column" in command) is is_all
    assert ("accept c0 c1 c2 c3 c4 c5 c6`" in command) is not is_all
    # What has a remedy of its own is not the schema's to fix.
    assert "schema accept" not in error_message(found, "schema.pbtxt")
