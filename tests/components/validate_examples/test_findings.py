"""Findings are reported in order, with a command that accepts them."""

import re
import shlex

import pytest

from retrainer.components.validate_examples.checks.drift import DRIFT
from retrainer.components.validate_examples.checks.row_counts import NO_ROWS
from retrainer.components.validate_examples.findings import Finding, Severities, warning_lines


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
