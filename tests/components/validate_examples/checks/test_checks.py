"""A check is one module and one line of `CHECKS`: settings, messages, the report and the README's table follow."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.validate_examples import checks
from retrainer.components.validate_examples.settings import parse_settings

ROOT = Path(__file__).parents[4]
MODULE = """
from retrainer.components.validate_examples.checks.check import Check
from retrainer.components.validate_examples.finding_kinds import ERROR, FindingKind
from retrainer.components.validate_examples.findings import Finding

ODD_SPAN = FindingKind("odd_span", "odd span", ERROR, "wait for an even month", "months 1, 3, 5")


def check(analysis, settings):
    span = analysis.window.index.newest
    if int(span[-2:]) % 2 == 0:
        return []
    return [Finding(ODD_SPAN, "", f"span {span}", f"month {span[-2:]}", "an even month")]


CHECK = Check(check, (ODD_SPAN,))
"""


@pytest.fixture
def odd_span(tmp_path, monkeypatch):
    """A check of its own in the list."""
    file = tmp_path / "odd_span.py"
    file.write_text(MODULE)
    spec = importlib.util.spec_from_file_location("odd_span", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(checks, "CHECKS", (*checks.CHECKS, module.CHECK))


def test_a_new_check_stops_the_run_and_can_be_accepted(odd_span, judge, three):
    outcome = judge(three)
    assert outcome.found("error") == {("", "odd_span")}
    assert outcome.error.splitlines()[1:4] == [
        "  odd span in span 2013-03",
        "      found month 03; expected an even month",
        "      fix: wait for an even month, or accept it with validation.severity.odd_span: ignore",
    ]
    assert "odd span" in outcome.page
    assert judge(three, severity={"odd_span": "ignore"}).error == ""


def test_a_new_check_is_in_the_readmes_table(odd_span):
    spec = importlib.util.spec_from_file_location("docs", ROOT / "tools" / "docs.py")
    docs = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(docs)
    assert "| `odd_span` | odd span | error | months 1, 3, 5 |\n" in docs.findings_page()


def test_a_kind_that_no_check_has_is_no_setting():
    with pytest.raises(
        RetrainerError, match=r"validation\.severity has no 'few_row'\. Did you mean 'few_rows'"
    ):
        parse_settings(severity={"few_row": "ignore"})


def test_a_severity_is_checked_without_tfdv():
    program = (
        "import sys\n"
        "from retrainer.components.validate_examples.settings import parse_settings\n"
        "parse_settings(severity={'drift': 'error'})\n"
        "print([name for name in ('tensorflow', 'tensorflow_data_validation') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
