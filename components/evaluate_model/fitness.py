"""Whether labels, weights and predictions can be judged at all, before any metric is believed."""

from collections.abc import Mapping, Sequence

from tensorflow_model_analysis.proto import config_pb2

from ..lib.errors import RetrainerError
from ..lib.evaluation.eval_config import CANDIDATE
from ..lib.evaluation.input_counts import InputCounts, binarized_classes
from ..lib.evaluation.metric_requirements import Requirements
from ..lib.examples import EVAL, Examples
from ..lib.saved_model import Model, PredictionShapeError
from .champion_comparison import LEAST_SHARE, ChampionUnfitError, has_no_answer, silent_rows
from .input_problems import column_problems, model_problems
from .predict import CHALLENGER

FIRST_ROWS = 16


class ChallengerUnfitError(Exception):
    """The challenger's predictions can't be judged, so it is refused.

    Attributes:
        reasons: Why, one text for each thing that is wrong.
    """

    def __init__(self, reasons: Sequence[str]) -> None:
        """Take the reasons."""
        super().__init__("\n".join(reasons))
        self.reasons = tuple(reasons)


def check_outputs(
    examples: Examples, models: Mapping[str, Model], config: config_pb2.EvalConfig
) -> dict[str, int]:
    """Let the models answer the first eval rows, before an engine starts or all rows are read.

    Args:
        examples: The examples.
        models: By TFMA's name of the model.
        config: The evaluation's config.

    Returns:
        How many numbers each model returns for a row.

    Raises:
        ChallengerUnfitError: If the challenger's answer has another shape than one for each row, or no output for a
            class that metrics are binarized by.
        ChampionUnfitError: If the champion has no output for such a class.
    """
    found = {}
    last = max(binarized_classes(config), default=-1)
    for name, model in models.items():
        outputs = _count_outputs(examples, model)
        if 1 < outputs <= last:
            reason = (
                f"evaluation.metrics_specs binarizes by class {last}, but the {model.who} has outputs for 0 to "
                f"{outputs - 1} only"
            )
            if name == CANDIDATE:
                raise ChallengerUnfitError([reason])
            raise ChampionUnfitError(reason)
        found[name] = outputs
    return found


def _count_outputs(examples: Examples, model: Model) -> int:
    columns = [examples.label, *model.columns]
    batch = next(iter(examples.iter_batches(EVAL, columns, FIRST_ROWS)), None)
    if batch is None:
        return model.outputs
    try:
        predictions = model.predict(batch)
    except PredictionShapeError as error:
        if model.who != CHALLENGER:
            raise
        raise ChallengerUnfitError([str(error)]) from error
    except RetrainerError:
        # The pass over all rows says of how many that holds.
        return model.outputs
    return 1 if predictions.ndim == 1 else predictions.shape[1]


def check_inputs(
    counts: InputCounts, asked: Requirements, models: Mapping[str, Model], label: str, weight: str
) -> int:
    """Check that the metrics are defined for labels, predictions and weights.

    Args:
        counts: What the eval rows hold.
        asked: What the metrics ask of them.
        models: By TFMA's name of the model.
        label: Name of the label's column.
        weight: Name of the weights' column; empty for none.

    Returns:
        How many rows to leave out because the champion alone predicts NaN or infinity on them; usually 0.

    Raises:
        ChallengerUnfitError: If the challenger's predictions are not what the metrics take.
        ChampionUnfitError: If the data changed so that the champion alone can't be judged.
        RetrainerError: If something else is wrong: labels, weights, or the champion.
    """
    if problems := column_problems(counts, asked, label, weight):
        raise RetrainerError("\n".join(problems))
    who = {name: model.who for name, model in models.items()}
    if ours := model_problems(counts, asked, {CANDIDATE: who[CANDIDATE]}, label):
        raise ChallengerUnfitError(ours)
    theirs = model_problems(counts, asked, who, label)
    if not theirs:
        return 0
    if has_no_answer(counts):
        silent = silent_rows(counts)
        if len(theirs) == 1 and 0 < silent <= (1 - LEAST_SHARE) * counts.rows:
            return silent
        raise ChampionUnfitError(theirs[0])
    raise RetrainerError("\n".join(theirs))
