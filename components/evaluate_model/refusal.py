"""The outputs of an evaluation in which nothing could be measured, because of the challenger's predictions."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ..lib.library_output import written_locally
from ..lib.registry.evaluation_summary import EvaluationSummary
from ..lib.report.page import place_of
from ..lib.uris import join, write_atomic, write_json
from ..lib.verdicts import Blessing, Champion
from .gate import refuse_unfit
from .prediction_checks import PredictionCheck, PredictionKind
from .report.report import render_refusal
from .verdict_checks import write_checks

REFUSED_FILE = "refused.json"
"""In the evaluation's folder in place of TFMA's result files."""


def write_refusal(
    reasons: Sequence[str],
    blessing: Blessing,
    champion: Champion,
    facts: Mapping[str, object],
    evaluation_path: str,
    blessing_path: str,
    report_path: str,
) -> str:
    """Refuse a challenger whose predictions can't be judged, with the same outputs as another evaluation.

    Args:
        reasons: Why they can't.
        blessing: What the blessing says of model and data.
        champion: The champion, which it was not compared with.
        facts: Short facts for the report.
        evaluation_path: Folder of the evaluation.
        blessing_path: Folder of the blessing.
        report_path: File of the report.

    Returns:
        The verdict in one sentence.
    """
    verdict = refuse_unfit(reasons)
    with written_locally(evaluation_path, REFUSED_FILE) as folder:
        write_json(join(folder, REFUSED_FILE), {"reasons": list(verdict.reasons)})
    write_atomic(report_path, render_refusal(verdict, facts, place_of(report_path)))
    checks = [PredictionCheck(PredictionKind.NUMBERS, False, why) for why in verdict.reasons]
    write_checks(blessing_path, (), (), checks, champion)
    EvaluationSummary(verdict=verdict.sentence).write(blessing_path)
    replace(blessing, blessed=False, reasons=verdict.listed, verdict=verdict.sentence).write(
        blessing_path
    )
    return verdict.sentence
