"""Whether labels, weights and predictions can be judged at all, before any metric is believed."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from tensorflow_model_analysis.proto import config_pb2

from ..lib.errors import RetrainerError
from ..lib.evaluation.eval_config import CANDIDATE
from ..lib.evaluation.input_counts import InputCounts, binarized_classes
from ..lib.evaluation.metric_requirements import Requirements
from ..lib.evaluation.output_checks import label_problems
from ..lib.evaluation.paired.not_compared import cluster_of_lists
from ..lib.examples import EVAL, Examples
from ..lib.saved_models.saved_model import Model, PredictionShapeError
from ..lib.words import did_you_mean
from .champion_comparison import LEAST_SHARE, ChampionUnfitError, has_no_answer, silent_rows
from .evidence.comparison import OutputShape
from .input_problems import column_problems, model_problems
from .output_rows import output_words
from .predict import CHALLENGER, OutputsDifferError, column_names, predict_outputs

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


def check_cluster(examples: Examples, cluster: str) -> None:
    """Check that the eval split has the column that marks rows which depend on each other, with one value a row.

    Raises:
        RetrainerError: If no span has it, or its cells are lists.
    """
    if cluster in examples.lists:
        raise RetrainerError(cluster_of_lists(cluster))
    have = {name for part in examples.splits[EVAL] for name in column_names(part)}
    if have and cluster not in have:
        near = did_you_mean(cluster, sorted(have), "It has")
        raise RetrainerError(
            f"gate.cluster names the column '{cluster}', but the eval split has no such column.{near}"
        )


def check_outputs(
    examples: Examples, models: Mapping[str, Model], config: config_pb2.EvalConfig
) -> dict[str, dict[str, OutputShape]]:
    """Let the models answer the first eval rows, before an engine starts or all rows are read.

    Args:
        examples: The examples.
        models: By TFMA's name of the model.
        config: The evaluation's config.

    Returns:
        What each output of each model has for a row, by TFMA's name of the model and the output's name.

    Raises:
        ChallengerUnfitError: If the challenger's answer has another shape than one for each row, no output for a label,
            or none for a class that metrics are binarized by.
        ChampionUnfitError: If the champion has no output for such a label or class.
        RetrainerError: If a metric takes one class a row, and a row has several labels.
    """
    asked = [(s.output_names, [m.class_name for m in s.metrics]) for s in config.metrics_specs]
    labels = {output: len(columns) for output, columns in examples.outputs.items()}
    if problems := list(label_problems(asked, labels)):
        raise RetrainerError("\n".join(problem.text for problem in problems))
    found = {}
    for name, model in models.items():
        found[name] = shapes = _output_shapes(examples, model)
        for output, shape in shapes.items():
            last = max(binarized_classes(config, output), default=-1)
            if 1 < shape.predictions <= last:
                reason = (
                    f"evaluation.metrics_specs binarizes by class {last}, but the {model.who}{output_words(output)} "
                    f"has outputs for 0 to {shape.predictions - 1} only"
                )
                if name == CANDIDATE:
                    raise ChallengerUnfitError([reason])
                raise ChampionUnfitError(reason)
    return found


def _output_shapes(examples: Examples, model: Model) -> dict[str, OutputShape]:
    columns = [examples.label, *model.columns]
    batch = next(iter(examples.iter_batches(EVAL, columns, FIRST_ROWS)), None)
    predictions: dict[str, np.ndarray] = {}
    try:
        if batch is not None:
            predictions = predict_outputs(model, batch, examples.outputs)
    except PredictionShapeError as error:
        if model.who == CHALLENGER:
            raise ChallengerUnfitError([str(error)]) from error
        if isinstance(error, OutputsDifferError):
            raise ChampionUnfitError(str(error)) from error
        raise
    except RetrainerError:
        # The pass over all rows says of how many that holds.
        pass

    def width(output: str) -> int:
        if output in predictions:
            return int(predictions[output][0].size)
        return model.widths.get(output, 1) if output else model.outputs

    return {
        output: OutputShape(len(labels), width(output))
        for output, labels in examples.outputs.items()
    }


def check_inputs(
    counts: InputCounts,
    asked: Mapping[str, Requirements],
    models: Mapping[str, Model],
    examples: Examples,
    weight: str,
) -> int:
    """Check that the metrics are defined for labels, predictions and weights.

    Args:
        counts: What the eval rows hold.
        asked: What the metrics of each output ask of them.
        models: By TFMA's name of the model.
        examples: The examples, whose labels are named.
        weight: Name of the weights' column; empty for none.

    Returns:
        How many rows to leave out because the champion alone predicts NaN or infinity on them; usually 0.

    Raises:
        ChallengerUnfitError: If the challenger's predictions are not what the metrics take.
        ChampionUnfitError: If the data changed so that the champion alone can't be judged.
        RetrainerError: If something else is wrong: labels, weights, or the champion.
    """
    labels = {output: "', '".join(columns) for output, columns in examples.outputs.items()}
    problems = [
        problem
        for output, label in labels.items()
        for problem in column_problems(counts.of_output(output), asked[output], label, weight)
    ]
    if problems:
        # Each output is checked with the same weights.
        raise RetrainerError("\n".join(dict.fromkeys(problems)))

    def of_models(names: Iterable[str]) -> list[str]:
        return [
            problem
            for output, label in labels.items()
            for problem in model_problems(
                counts.of_output(output),
                asked[output],
                {name: models[name].who + output_words(output) for name in names},
                label,
            )
        ]

    if ours := of_models([CANDIDATE]):
        raise ChallengerUnfitError(ours)
    theirs = of_models(models)
    if not theirs:
        return 0
    if has_no_answer(counts):
        silent = silent_rows(counts)
        if len(theirs) == 1 and 0 < silent <= (1 - LEAST_SHARE) * counts.rows:
            return silent
        raise ChampionUnfitError(theirs[0])
    raise RetrainerError("\n".join(theirs))
