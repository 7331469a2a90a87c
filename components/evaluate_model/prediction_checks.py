"""Checks of the challenger's predictions for what no metric may show: always the same, or a class that never comes."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from ..lib.evaluation.eval_config import CANDIDATE
from ..lib.evaluation.input_counts import InputCounts
from ..lib.evaluation.prediction_counts import PredictionCounts
from ..lib.words import number, plural
from .output_rows import output_words

MOST_CLASSES = 3


class PredictionKind(StrEnum):
    """What a check of predictions is about."""

    NUMBERS = "predictions_in_range"
    VARIETY = "predictions_vary"
    CLASSES = "every_class_predicted"


@dataclass(frozen=True)
class PredictionCheck:
    """A check of the challenger's predictions.

    Attributes:
        kind: What it is about.
        passed: Whether it passed; None for a warning.
        reason: Why it did not; empty if it passed.
    """

    kind: PredictionKind
    passed: bool | None
    reason: str = ""


def prediction_checks(counts: InputCounts) -> list[PredictionCheck]:
    """Check the challenger's predictions for what no metric may show: that it always says the same.

    Args:
        counts: What the eval rows hold, with predictions that the metrics take.

    Returns:
        A check that failed refuses the model; one that is a warning belongs into the verdict.
    """
    checks = [PredictionCheck(PredictionKind.NUMBERS, True)]
    for output, of_output in (counts.by_output or {"": counts}).items():
        answers = of_output.predictions.get(CANDIDATE, PredictionCounts())
        checks += _of_answers(answers, f"the challenger{output_words(output)}")
    return checks


def _of_answers(answers: PredictionCounts, who: str) -> Iterator[PredictionCheck]:
    if answers.constant:
        value = number(answers.low[0]) if len(answers.low) == 1 else "the same"
        yield PredictionCheck(
            PredictionKind.VARIETY,
            False,
            f"{who} predicts {value} for each of {plural(answers.rows, 'eval row')}, whatever their features",
        )
    else:
        yield PredictionCheck(PredictionKind.VARIETY, True)
    if not answers.labels:
        return
    never = answers.never_predicted
    if not never:
        yield PredictionCheck(PredictionKind.CLASSES, True)
        return
    shown = [f"{one} ({rows:,} rows)" for one, rows in list(never.items())[:MOST_CLASSES]]
    more = f" and {len(never) - MOST_CLASSES} more" if len(never) > MOST_CLASSES else ""
    yield PredictionCheck(
        PredictionKind.CLASSES,
        None,
        f"{who} never predicts {'class' if len(never) == 1 else 'classes'} {', '.join(shown)}{more}",
    )
