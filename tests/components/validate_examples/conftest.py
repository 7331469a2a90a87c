import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from retrainer.components.compute_statistics.compute import compute
from retrainer.components.lib.errors import RetrainerError
from retrainer.components.validate_examples.settings import parse_settings
from retrainer.components.validate_examples.validate import validate

# What a retrain.yaml for flights would say.
DOMAINS = {"distance": {"min": 1.0}}


@dataclass
class Outcome:
    """What a validation did."""

    home: Path
    verdict: str = ""
    error: str = ""
    warnings: list[str] = field(default_factory=list)
    findings: list[dict] = field(default_factory=list)

    @property
    def page(self) -> str:
        return (self.home / "report.html").read_text()

    @property
    def schema(self) -> Path:
        return self.home / "store" / "schema" / "schema.pbtxt"

    def found(self, severity: str) -> set[tuple[str, str]]:
        return {(f["column"], f["kind"]) for f in self.findings if f["severity"] == severity}

    def one(self, column: str, kind: str) -> dict:
        (found,) = [f for f in self.findings if (f["column"], f["kind"]) == (column, kind)]
        return found


@pytest.fixture
def judge(make_examples, tmp_path):
    """A function that computes spans' statistics and validates them."""

    def go(spans, eval_spans=1, schema_uri="", label="late", key=(), **settings) -> Outcome:
        settings.setdefault("domains", {c: d for c, d in DOMAINS.items() if label == "late"})
        examples = make_examples(spans, eval_spans=eval_spans, label=label, key=key)
        compute(examples, str(tmp_path / "statistics"), str(tmp_path / "statistics.html"))
        outcome = Outcome(tmp_path)
        try:
            outcome.verdict, outcome.warnings = validate(
                str(tmp_path / "statistics"),
                str(tmp_path / "store"),
                parse_settings(**settings),
                str(tmp_path / "anomalies"),
                str(tmp_path / "schema"),
                str(tmp_path / "report.html"),
                schema_uri,
                examples,
            )
        except RetrainerError as error:
            outcome.error = str(error)
        written = tmp_path / "anomalies" / "anomalies.json"
        outcome.findings = json.loads(written.read_text()) if written.exists() else []
        return outcome

    return go


@pytest.fixture
def three(months):
    return {span: months[span] for span in ("2013-01", "2013-02", "2013-03")}


@pytest.fixture(scope="session")
def frozen_store(tmp_path_factory):
    """Where the first test that needs it puts the store of a clean run, for the others to copy."""
    return tmp_path_factory.mktemp("frozen") / "store"


@pytest.fixture
def frozen(judge, three, frozen_store, tmp_path):
    """A store whose schema a first, clean run froze."""
    if frozen_store.exists():
        shutil.copytree(frozen_store, tmp_path / "store")
        shutil.copytree(frozen_store.parent / "schema", tmp_path / "schema")
        return Outcome(tmp_path)
    outcome = judge(three)
    assert outcome.error == ""
    shutil.copytree(tmp_path / "schema", frozen_store.parent / "schema")
    shutil.copytree(tmp_path / "store", frozen_store)
    return outcome
