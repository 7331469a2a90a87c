"""The report's section on evidence."""

import math

import pytest

from retrainer.components.evaluate_model.evidence.checks import EvidenceCheck, Kind
from retrainer.components.evaluate_model.report.evidence_section import (
    MOST_OPEN,
    MOST_ROWS,
    render_evidence,
)


def check(
    slice_name: str, low: float, high: float, passed: bool | None, kind: Kind = Kind.SLICE_LOSS
) -> EvidenceCheck:
    middle = (low + high) / 2
    reason = "" if passed else "too much <lost>"
    return EvidenceCheck(
        kind, "auc", slice_name, 900, 0.8 + middle, 0.8, middle, low, high, -0.01, passed, reason
    )


def test_without_checks_there_is_no_section() -> None:
    assert render_evidence([]) == ""


def test_failures_come_first_and_nothing_is_left_uncounted() -> None:
    checks = [
        check("overall", -0.002, 0.004, True, Kind.NO_LOSS),
        check("carrier = <b>", -0.08, -0.04, False),
        check("carrier = UA", math.nan, math.nan, None),
    ]
    page = render_evidence(checks)
    assert page.index("carrier = &lt;b&gt;") < page.index("overall") < page.index("carrier = UA")
    assert "1 of 2 checks passed" in page
    assert "<summary>1 not judged</summary>" in page
    assert "too much &lt;lost&gt;" in page
    assert "-0.08 to -0.04" in page


def test_the_bound_lies_where_its_value_does() -> None:
    page = render_evidence([check("overall", -0.01, 0.01, True, Kind.NO_LOSS)])
    # Zero in the middle of 180; the bound is the interval's own left end.
    assert 'd="M90.0 1V17"' in page
    assert 'd="M6.0 1V17"' in page
    assert 'd="M6.0 9.0H174.0"' in page


@pytest.mark.parametrize("many", [MOST_ROWS + 5])
def test_of_many_slices_the_rest_is_in_the_file(many: int) -> None:
    page = render_evidence([check(f"s = {i}", -0.01, 0.01, True) for i in range(many)])
    assert page.count("<svg") == MOST_ROWS
    assert "5 more are in checks.json" in page


@pytest.mark.parametrize(("many", "folded"), [(MOST_OPEN, False), (MOST_OPEN + 1, True)])
def test_many_slices_that_passed_are_folded_and_what_failed_is_not(many: int, folded: bool) -> None:
    passed = [check(f"s = {i}", -0.5, 0.5, True) for i in range(many)]
    overall = check("overall", -0.002, 0.004, True, Kind.NO_LOSS)
    page = render_evidence([overall, *passed, check("city = Ulm", -0.08, -0.04, False)])
    first, _, behind = page.partition("<details>")
    assert ("s = 0" in first, "s = 0" in behind) == (not folded, folded)
    assert "city = Ulm" in first
    assert f"{many + 1} of {many + 2} checks passed" in first
    assert (f"<summary>{many} on single slices passed</summary>" in page) == folded
    # Where they are folded, their wide intervals do not shrink that of all rows: -0.08 is the end of the scale.
    assert ('d="M6.0 9.0H48.0"' in first) == folded
