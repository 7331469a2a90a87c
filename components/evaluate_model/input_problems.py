"""Why labels, predictions and weights don't suit the metrics, in sentences."""

from collections.abc import Callable, Iterator, Mapping

from ..lib.evaluation.input_counts import Found, InputCounts, slice_id
from ..lib.evaluation.input_rules import (
    EMPTY,
    FRACTION,
    INFINITE,
    LABEL,
    NEGATIVE,
    UNDEFINED,
    WEIGHT,
)
from ..lib.evaluation.metric_requirements import Requirement, Requirements
from ..lib.evaluation.ranking_columns import empty_problem
from ..lib.words import number, plural


def column_problems(
    counts: InputCounts, requirements: Requirements, label: str, weight: str = ""
) -> list[str]:
    """List what is wrong with labels and weights that metrics are to be computed from.

    Args:
        counts: What the eval rows hold.
        requirements: What the metrics ask of them.
        label: Name of the label's column.
        weight: Name of the weights' column.

    Returns:
        One text for each thing that is wrong: which rows, what was seen, which metrics and the fix. Never a list of
        values.
    """
    problems = list(_of_column(counts, requirements, LABEL, label))
    for place, found in counts.found.items():
        rule, about = place.split("|", 1)
        if rule == EMPTY and about not in (LABEL, WEIGHT):
            problems.append(empty_problem(about, found.rows, counts.rows))
    if weight:
        problems += _of_column(counts, requirements, WEIGHT, weight)
        overall = counts.slices.get(slice_id(()))
        if overall is not None and overall.rows and overall.weight == 0 and not problems:
            problems.append(
                f"the weight '{weight}' is 0 in all {plural(counts.rows, 'eval row')}, so no row counts. Fix the "
                "weights in the source, or leave example_weight_key out."
            )
    return problems


def model_problems(
    counts: InputCounts, requirements: Requirements, models: Mapping[str, str], label: str
) -> list[str]:
    """List what is wrong with predictions that metrics are to be computed from.

    Args:
        counts: What the eval rows hold.
        requirements: What the metrics ask of them.
        models: What to call each model, by TFMA's name of it.
        label: Name of the label's column.

    Returns:
        One text for each thing that is wrong, as `column_problems` does.
    """
    return [
        text
        for name, who in models.items()
        for text in _of_model(counts, requirements, name, who, label)
    ]


def _of_column(
    counts: InputCounts, requirements: Requirements, role: str, name: str
) -> Iterator[str]:
    the = f"the {role} '{name}'"
    for rule, text in _COLUMN.items():
        if (found := counts.found.get(f"{rule}|{role}")) is not None:
            # Class numbers are asked for by the same metrics whether a label is a fraction or not.
            asked = Requirement.CLASSES if rule == FRACTION else rule
            yield text(the, found, _of(found, counts), _metrics(requirements, asked))


def _of_model(
    counts: InputCounts, requirements: Requirements, name: str, who: str, label: str
) -> Iterator[str]:
    for rule, text in _MODEL.items():
        if (found := counts.found.get(f"{rule}|{name}")) is not None:
            metrics = _metrics(requirements, rule)
            if rule == Requirement.KNOWN_CLASSES:
                metrics = _metrics(requirements, rule, Requirement.BINARY)
            yield text(
                f"the {who}", found, _of(found, counts), metrics, counts.outputs[name], label
            ) + _way_on(who)


def _way_on(who: str) -> str:
    if not who.startswith("champion"):
        return ""
    return " `retrainer models retire` takes the champion out of service, so that the next model is judged without it."


_COLUMN: Mapping[str, Callable[[str, Found, str, str], str]] = {
    EMPTY: lambda the, found, of, metrics: (
        f"{the} is empty in {of}. Rows without it must be quarantined when they are ingested."
    ),
    INFINITE: lambda the, found, of, metrics: f"{the} is infinite in {of}. Fix it in the source.",
    NEGATIVE: lambda the, found, of, metrics: (
        f"{the} is negative in {of} (lowest {number(found.low)}). Weights must be 0 or more; fix them in the source."
    ),
    FRACTION: lambda the, found, of, metrics: (
        f"{the} is not a whole number in {of} (such as {number(found.low)}), but {metrics} class numbers from 0 up. "
        "Choose metrics for what the label is, such as MeanAbsoluteError."
    ),
    Requirement.BINARY: lambda the, found, of, metrics: (
        f"{the} {_reaches(found)} in {of}, but {metrics} labels from 0 to 1. Choose metrics for what the label is, "
        "such as MeanAbsoluteError for numbers and SparseCategoricalAccuracy for classes."
    ),
    Requirement.HINGE: lambda the, found, of, metrics: (
        f"{the} {_reaches(found)} in {of}, but {metrics} labels of -1 or 1 (or 0 or 1). Choose metrics for what the "
        "label is."
    ),
    Requirement.COUNTS: lambda the, found, of, metrics: (
        f"{the} {_reaches(found)} in {of}, but {metrics} counts of 0 or more. Choose metrics for what the label is, "
        "such as MeanAbsoluteError."
    ),
    Requirement.LOGARITHM: lambda the, found, of, metrics: (
        f"{the} {_reaches(found)} in {of}, but {metrics} labels above -1, as it takes the logarithm of 1 + label. "
        "Choose metrics for what the label is, such as MeanSquaredError."
    ),
}

_MODEL: Mapping[str, Callable[[str, Found, str, str, int, str], str]] = {
    UNDEFINED: lambda the, found, of, metrics, outputs, label: (
        f"{the} predicts NaN or infinity for {of}, so it can't be judged. Did its training diverge? Try a lower "
        "learning rate, and fill or clip what is missing or huge in preprocessing_fn."
    ),
    Requirement.PROBABILITIES: lambda the, found, of, metrics, outputs, label: (
        f"{the}'s predictions reach from {number(found.low)} to {number(found.high)}, outside 0 to 1 for {of}, but "
        f"{metrics} probabilities. End the model in a {'sigmoid' if outputs == 1 else 'softmax'}; or, if it gives "
        "logits on purpose, use metrics of logits alone, such as "
        + ("BinaryCrossentropy" if outputs == 1 else "SparseCategoricalCrossentropy")
        + " with config: {from_logits: true}."
    ),
    Requirement.DISTRIBUTION: lambda the, found, of, metrics, outputs, label: (
        f"{the}'s {outputs} outputs add up to {number(found.low)} to {number(found.high)}, which is not 1 for {of}, "
        f"but {metrics} probabilities of one class out of {outputs}. End the model in a softmax."
    ),
    Requirement.ONE_OUTPUT: lambda the, found, of, metrics, outputs, label: (
        f"{the} has {outputs} outputs, but {metrics} one. Use metrics of classes, such as "
        "SparseCategoricalCrossentropy, or AUC with binarize: {class_ids: {values: [...]}}."
    ),
    Requirement.CLASSES: lambda the, found, of, metrics, outputs, label: (
        f"{the} has one output, but {metrics} an output for each class. Use BinaryAccuracy and AUC, or give the model "
        "an output for each class."
    ),
    Requirement.KNOWN_CLASSES: lambda the, found, of, metrics, outputs, label: (
        f"the label '{label}' is {_values(found)} in {of}, but {the} has outputs for 0 to {outputs - 1} only, and "
        f"{metrics} an output for each label. Give the model more outputs and train it on such rows; "
        "SparseCategoricalAccuracy counts them as wrong."
    ),
    Requirement.COUNTS: lambda the, found, of, metrics, outputs, label: (
        f"{the}'s predictions reach down to {number(found.low)}, below 0 for {of}, but {metrics} rates of 0 or more. "
        "End the model in a softplus or an exponential."
    ),
    Requirement.LOGARITHM: lambda the, found, of, metrics, outputs, label: (
        f"{the}'s predictions reach down to {number(found.low)}, at or below -1 for {of}, but {metrics} predictions "
        "above -1, as it takes the logarithm of 1 + prediction. End the model in a ReLU, or use MeanSquaredError."
    ),
}


def _of(found: Found, counts: InputCounts) -> str:
    return f"{found.rows:,} of {plural(counts.rows, 'eval row')}"


def _values(found: Found) -> str:
    if found.low == found.high:
        return number(found.low)
    return f"{number(found.low)} to {number(found.high)}"


def _reaches(found: Found) -> str:
    return f"is {_values(found)}" if found.low == found.high else f"is from {_values(found)}"


def _metrics(requirements: Requirements, *asked: str) -> str:
    """Return the metrics with a requirement, and the verb."""
    lists = (requirements.get(one, []) for one in asked)  # type: ignore[call-overload]
    names = list(dict.fromkeys(name for some in lists for name in some))
    if len(names) == 1:
        return f"{names[0]} takes"
    return f"{', '.join(names[:-1])} and {names[-1]} take" if names else ""
