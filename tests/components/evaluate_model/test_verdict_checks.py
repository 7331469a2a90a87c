"""Every check behind a verdict as a file, and a refusal of what could not be measured."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from tensorflow_model_analysis.proto import config_pb2

from retrainer.components.evaluate_model import verdict_checks
from retrainer.components.evaluate_model.evidence.checks import EvidenceCheck, Kind
from retrainer.components.evaluate_model.prediction_checks import PredictionCheck, PredictionKind
from retrainer.components.evaluate_model.refusal import write_refusal
from retrainer.components.evaluate_model.thresholds import Check
from retrainer.components.lib.registry.evaluation_summary import EvaluationSummary
from retrainer.components.lib.verdicts import Blessing, Champion

THIRD = Champion(3, "models/3")
FLOOR = json_format.ParseDict({"lower_bound": 0.7}, config_pb2.GenericValueThreshold())
CHANGE = json_format.ParseDict(
    {"absolute": 0.0, "direction": "HIGHER_IS_BETTER"}, config_pb2.GenericChangeThreshold()
)


def evidence(low: float, high: float, passed: bool | None = True) -> EvidenceCheck:
    return EvidenceCheck(
        Kind.NO_LOSS, "auc", "overall", 900, 0.75, math.inf, 0.25, low, high, -0.01, passed
    )


def written(folder: Path, *checks: Any) -> dict[str, Any]:
    kinds = [
        [one for one in checks if isinstance(one, kind)]
        for kind in (Check, EvidenceCheck, PredictionCheck)
    ]
    verdict_checks.write_checks(str(folder), *kinds, THIRD)
    content: dict[str, Any] = json.loads((folder / "checks.json").read_text())
    return content


def test_each_kind_of_check_has_its_numbers_and_what_is_no_number_is_null(tmp_path: Path) -> None:
    content = written(
        tmp_path,
        Check("auc", "overall", CHANGE, 0.75, 0.5, True),
        Check("auc", "hour = 1", FLOOR, 0.5, None, False),
        Check("auc", "hour = 2", CHANGE, math.nan, 0.5, False, "1 row"),
        evidence(0.125, 0.375),
        evidence(math.nan, 0.375, None),
        evidence(0.125, math.inf, None),
        PredictionCheck(PredictionKind.VARIETY, False, "always 0.5"),
    )
    assert (content["format"], content["left_out"]) == (1, 0)
    predictions, change, floor, open_, judged, *not_judged = content["checks"]
    assert predictions == {
        "kind": "predictions_vary", "metric": "", "slice": "overall", "challenger": None, "champion": None,
        "difference": None, "interval": None, "bound": None, "passed": False, "reason": "always 0.5",
    }  # fmt: skip
    assert change == {
        "kind": "change_threshold", "metric": "auc", "slice": "overall", "challenger": 0.75, "champion": 0.5,
        "difference": 0.25, "interval": None, "bound": "change of ±0 or more", "passed": True, "reason": "",
    }  # fmt: skip
    assert (floor["kind"], floor["bound"], floor["passed"]) == (
        "value_threshold",
        "0.7 or more",
        False,
    )
    assert (floor["champion"], floor["difference"]) == (None, None)
    assert floor["reason"] == "auc 0.5 for hour = 1 is below 0.7"
    assert (open_["passed"], open_["reason"]) == (None, "1 row")
    assert (open_["challenger"], open_["champion"], open_["difference"]) == (None, 0.5, None)
    assert judged == {
        "kind": "no_loss", "metric": "auc", "slice": "overall", "rows": 900, "challenger": 0.75, "champion": None,
        "difference": 0.25, "interval": [0.125, 0.375], "bound": -0.01, "passed": True, "reason": "",
    }  # fmt: skip
    assert [one["interval"] for one in not_judged] == [None, None]


def test_of_very_many_checks_those_that_failed_are_kept_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = (None, True, False, True)
    checks = [evidence(0.0, 0.1, passed) for passed in results]
    kept = []
    for most in (4, 3, 2, 1):
        monkeypatch.setattr(verdict_checks, "MOST_CHECKS", most)
        content = written(tmp_path, *checks)
        kept.append((content["left_out"], [one["passed"] for one in content["checks"]]))
    assert kept == [
        (0, [None, True, False, True]),
        (1, [False, True, True]),
        (2, [False, True]),
        (3, [False]),
    ]


def test_what_could_not_be_measured_is_refused_with_all_outputs(tmp_path: Path) -> None:
    blessing = Blessing(True, (), "", "d" * 64, 3, eval_spans=("7",))
    evaluation, blessings, page = (str(tmp_path / name) for name in ("e", "b", "r.html"))
    sentence = write_refusal(
        ["NaN in 3 rows.", "no output"], blessing, THIRD, {"Eval rows": "9"}, evaluation, blessings, page
    )  # fmt: skip
    assert sentence == "refused: NaN in 3 rows; no output"
    refused = Blessing.read(blessings)
    assert (refused.blessed, refused.verdict) == (False, sentence)
    assert refused.reasons == ("NaN in 3 rows", "no output")
    assert (refused.champion_version, refused.eval_spans) == (3, ("7",))
    assert EvaluationSummary.read(blessings).verdict == sentence
    assert json.loads(Path(evaluation, "refused.json").read_text()) == {
        "reasons": ["NaN in 3 rows", "no output"]
    }
    checks = json.loads(Path(blessings, "checks.json").read_text())["checks"]
    assert [(one["kind"], one["passed"], one["reason"]) for one in checks] == [
        ("predictions_in_range", False, "NaN in 3 rows"),
        ("predictions_in_range", False, "no output"),
    ]
    assert "NaN in 3 rows" in Path(page).read_text()
