"""Of a column that is missing, it is not said as well that it is empty; everything else is."""

from types import SimpleNamespace

from tensorflow_metadata.proto.v0 import schema_pb2

from retrainer.components.validate_examples import checks
from retrainer.components.validate_examples.checks.check import Check
from retrainer.components.validate_examples.checks.columns import ALL_MISSING, BECAME_EMPTY
from retrainer.components.validate_examples.checks.drift import DRIFT, SKEW
from retrainer.components.validate_examples.comparison import Comparison
from retrainer.components.validate_examples.distances import Distance
from retrainer.components.validate_examples.drift_baseline import Baseline
from retrainer.components.validate_examples.finding_kinds import MISSING_COLUMN
from retrainer.components.validate_examples.findings import Finding
from retrainer.components.validate_examples.result import run_checks
from retrainer.components.validate_examples.settings import parse_settings


def judged(monkeypatch, *found, **settings):
    parsed = parse_settings(**settings)
    findings = [Finding(kind, column, "span 3", "", "") for kind, column in found]
    monkeypatch.setattr(checks, "CHECKS", (Check(lambda analysis, _: findings, ()),))
    far = {"x": Distance("infinity_norm", 0.5, 0.1, False)}
    usual = {"x": Baseline(normal="moves so"), "z": Baseline()}
    analysis = SimpleNamespace(
        drift=Comparison(far, []), skew=Comparison({}, []), drift_baselines=usual,
        skew_baselines={"z": Baseline(normal="as well")}, history=[far], schema=schema_pb2.Schema(),
    )  # fmt: skip
    return run_checks(analysis, parsed)


def test_a_missing_column_is_reported_once_and_with_what_else_is_wrong(monkeypatch):
    result = judged(
        monkeypatch, (ALL_MISSING, "x"), (MISSING_COLUMN, "x"), (DRIFT, "x"),
        (BECAME_EMPTY, "z"), (SKEW, "z"),
    )  # fmt: skip
    assert [(one.kind.name, one.column) for one in result.findings] == [
        ("missing_column", "x"), ("drift", "x"), ("became_empty", "z"), ("skew", "z"),
    ]  # fmt: skip
    assert result.drifted == ["x"]


def test_what_is_normal_is_known_with_its_reason(monkeypatch):
    result = judged(monkeypatch, (DRIFT, "x"), severity={"drift": "ignore"})
    assert (list(result.findings), result.drifted) == ([], [])
    assert (result.normal_drift, result.normal_skew) == ({"x": "moves so"}, {"z": "as well"})
    assert (list(result.drift), list(result.skew), len(result.history)) == (["x"], [], 1)
