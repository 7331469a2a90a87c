"""Whether the models' predictions can be judged, at the bounds of what the champion may leave unanswered."""

from types import SimpleNamespace
from typing import Any

import pytest

from retrainer.components.evaluate_model.champion_comparison import ChampionUnfitError
from retrainer.components.evaluate_model.fitness import (
    ChallengerUnfitError,
    check_cluster,
    check_inputs,
)
from retrainer.components.evaluate_model.output_rows import label_words
from retrainer.components.evaluate_model.prediction_checks import (
    PredictionKind,
    prediction_checks,
)
from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.evaluation.eval_config import BASELINE, CANDIDATE
from retrainer.components.lib.evaluation.input_counts import Found, InputCounts
from retrainer.components.lib.evaluation.input_rules import EMPTY, LABEL, UNDEFINED
from retrainer.components.lib.evaluation.metric_requirements import Requirement
from retrainer.components.lib.evaluation.prediction_counts import PredictionCounts
from retrainer.components.lib.examples import Examples

EXAMPLES = Examples("late", {"train": (), "eval": ()}, ())
MODELS: Any = {
    CANDIDATE: SimpleNamespace(who="challenger"),
    BASELINE: SimpleNamespace(who="champion version 3"),
}
ASKED = {"": {Requirement.PROBABILITIES: ["AUC"]}}


def silent_rows(rows: int = 10, **found: int) -> int:
    """Check rows of which some break a rule, such as `undefined_candidate=3`."""
    names = {"candidate": CANDIDATE, "baseline": BASELINE, "label": LABEL}
    places = {
        f"{rule}|{names[about]}": Found(count, 2.0, 2.0)
        for name, count in found.items()
        for rule, about in [name.split("_")]
    }
    counts = InputCounts(rows, {CANDIDATE: 1, BASELINE: 1}, places)
    return check_inputs(counts, ASKED, MODELS, EXAMPLES, "")


def test_half_of_the_rows_is_enough_to_compare_with_the_champion() -> None:
    assert (UNDEFINED, EMPTY, Requirement.PROBABILITIES) == ("undefined", "empty", "probabilities")
    assert silent_rows() == 0
    assert silent_rows(undefined_baseline=1) == 1
    assert silent_rows(undefined_baseline=5) == 5
    with pytest.raises(ChampionUnfitError, match="champion version 3 predicts NaN"):
        silent_rows(undefined_baseline=6)


def test_who_is_to_blame_decides_what_happens() -> None:
    with pytest.raises(ChallengerUnfitError, match="the challenger predicts NaN") as refused:
        silent_rows(undefined_candidate=1, undefined_baseline=1)
    assert len(refused.value.reasons) == 1
    # What the champion always did is no change of the data.
    with pytest.raises(RetrainerError, match="champion version 3's predictions reach from 2 to 2"):
        silent_rows(probabilities_baseline=3)
    # Beside another fault its NaN is not all that is wrong with it.
    with pytest.raises(ChampionUnfitError, match="predicts NaN"):
        silent_rows(undefined_baseline=1, probabilities_baseline=3)
    with pytest.raises(RetrainerError, match="the label 'late' is empty in 2 of 10 eval rows"):
        silent_rows(empty_label=2, undefined_candidate=1)


@pytest.mark.parametrize(
    ("predicted", "passed", "words"),
    [
        ({"0": 5, "1": 1, "2": 1, "3": 1, "4": 1}, True, ""),
        ({"0": 5, "1": 1, "2": 1, "3": 1}, None, "never predicts class 4 (5 rows)"),
        ({"0": 5, "1": 1}, None, "never predicts classes 4 (5 rows), 2 (3 rows), 3 (3 rows)"),
        ({"0": 9}, None, "never predicts classes 4 (5 rows), 2 (3 rows), 3 (3 rows) and 1 more"),
    ],
)
def test_classes_that_are_never_predicted_are_a_warning(
    predicted: dict[str, int], passed: bool | None, words: str
) -> None:
    labels = {"3": 3, "0": 1, "2": 3, "1": 2, "4": 5}
    answers = PredictionCounts(14, [0.0] * 5, [0.5] * 5, predicted, labels)
    numbers, varied, classes = prediction_checks(InputCounts(14, predictions={CANDIDATE: answers}))
    assert (numbers.kind, numbers.passed) == (PredictionKind.NUMBERS, True)
    assert (varied.kind, varied.passed) == (PredictionKind.VARIETY, True)
    assert (classes.kind, classes.passed) == (PredictionKind.CLASSES, passed)
    assert classes.reason == (f"the challenger {words}" if words else "")


def test_a_constant_output_refuses_whatever_the_other_outputs_do() -> None:
    constant = InputCounts(9, predictions={CANDIDATE: PredictionCounts(9, [0.5], [0.5])})
    varied = InputCounts(9, predictions={CANDIDATE: PredictionCounts(9, [0.5, 0.0], [0.5, 1.0])})
    of_two = PredictionCounts(9, [0.5, 0.25], [0.5, 0.25])
    wide = InputCounts(9, predictions={CANDIDATE: of_two})
    counts = InputCounts(9, by_output={"late": varied, "early": constant, "wide": wide})
    _, first, second, third = prediction_checks(counts)
    assert [one.passed for one in (first, second, third)] == [True, False, False]
    assert second.reason.startswith(
        "the challenger (output 'early') predicts 0.5 for each of 9 eval"
    )
    assert third.reason.startswith("the challenger (output 'wide') predicts the same for each of 9")


def test_labels_are_named_with_their_output_where_the_names_differ() -> None:
    examples = Examples(
        "late",
        {"train": (), "eval": ()},
        (),
        label_keys={"late": ("late",), "minutes": ("delay",), "when": ("early", "noon")},
    )
    assert [label_words(examples, output) for output in examples.outputs] == [
        "late", "delay (output minutes)", "early and noon (output when)",
    ]  # fmt: skip
    assert label_words(EXAMPLES, "") == "late"


def test_of_no_rows_no_column_is_missing() -> None:
    """That there are none is said first."""
    check_cluster(EXAMPLES, "customer")
