"""Every check behind a verdict, as `checks.json` beside the blessing."""

import math
from collections.abc import Sequence
from typing import Any

from ..lib.evaluation.slices import OVERALL
from ..lib.uris import join, write_json
from ..lib.verdicts import Champion
from .evidence.checks import EvidenceCheck
from .gate import explain, rule
from .prediction_checks import PredictionCheck
from .thresholds import Check

CHECKS_FILE = "checks.json"
FORMAT = 1
MOST_CHECKS = 10_000
"""Of a threshold on each of very many slices those that failed are kept first."""


def write_checks(
    folder: str,
    thresholds: Sequence[Check],
    evidence: Sequence[EvidenceCheck],
    predictions: Sequence[PredictionCheck],
    champion: Champion,
) -> None:
    """Write what was checked, and what came of it.

    Args:
        folder: The blessing's folder.
        thresholds: TFMA's thresholds on every slice.
        evidence: The checks on evidence.
        predictions: The checks of the challenger's predictions.
        champion: What the challenger was compared with.
    """
    checks = [
        *(_of_predictions(check) for check in predictions),
        *(_of_threshold(check, champion) for check in thresholds),
        *(_of_evidence(check) for check in evidence),
    ]
    left_out = max(0, len(checks) - MOST_CHECKS)
    if left_out:
        # Failed ones first, then those that passed.
        order = (False, True, None)
        checks = sorted(checks, key=lambda check: order.index(check["passed"]))[:MOST_CHECKS]
    content = {"format": FORMAT, "checks": checks, "left_out": left_out}
    write_json(join(folder, CHECKS_FILE), content)


def _of_predictions(check: PredictionCheck) -> dict[str, Any]:
    return {
        "kind": str(check.kind),
        "metric": "",
        "slice": OVERALL,
        "challenger": None,
        "champion": None,
        "difference": None,
        "interval": None,
        "bound": None,
        "passed": check.passed,
        "reason": check.reason,
    }


def _of_threshold(check: Check, champion: Champion) -> dict[str, Any]:
    ours, theirs = _number(check.value), _number(check.champion)
    return {
        "kind": "change_threshold" if check.is_change else "value_threshold",
        "metric": check.metric,
        "slice": check.slice,
        "challenger": ours,
        "champion": theirs,
        "difference": None if ours is None or theirs is None else ours - theirs,
        "interval": None,
        "bound": rule(check.threshold),
        "passed": None if check.not_judged else check.passed,
        "reason": explain(check, champion) if check.failed else check.not_judged,
    }


def _of_evidence(check: EvidenceCheck) -> dict[str, Any]:
    low, high = _number(check.low), _number(check.high)
    return {
        "kind": str(check.kind),
        "metric": check.metric,
        "slice": check.slice,
        "rows": check.rows,
        "challenger": _number(check.challenger),
        "champion": _number(check.champion),
        "difference": _number(check.difference),
        "interval": None if low is None or high is None else [low, high],
        "bound": check.bound,
        "passed": check.passed,
        "reason": check.reason,
    }


def _number(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
