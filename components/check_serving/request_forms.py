"""Requests in the forms that clients send, each answered as its equal form is.

It runs in the process that serves: modules of TensorFlow alone.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from tensorflow.python.framework import dtypes

from ..lib.saved_models.prediction_tolerance import Tolerance
from .client_rows import Columns, can_be_missing, convert_rows, is_missing, serialise
from .parity import Predict

NEVER_SEEN = "a value never seen 4f1c8a"
UNICODE = "Z\u00fcrich \u6771\u4eac \U0001f6eb"
_MOST_ORDERS = 32
# What an answer is if there is none: why.
Answer = np.ndarray | str


@dataclass
class Findings:
    """What the forms show.

    Attributes:
        problems: Why the model does not serve.
        warnings: What does not stop it.
    """

    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def check_forms(
    named: Predict,
    of_examples: Callable[[np.ndarray], np.ndarray],
    inputs: Mapping[str, Any],
    instances: Sequence[Mapping[str, Any]],
    tolerance: Tolerance,
) -> Findings:
    """Send one row in each form that a client may send it in.

    JSON: each text with a value never seen and with Unicode, each number as an integer and as a fraction (3 and 3.0),
    each column that can be missing without its key and with null. tf.Examples: features in other orders, and each
    feature left out.

    Args:
        named: Calls the signature of named columns.
        of_examples: Calls the signature of serialised tf.Examples.
        inputs: The model's inputs with their types.
        instances: Rows that the model answers.
        tolerance: How far equal predictions may be apart, by the largest prediction of these rows.

    Returns:
        The forms without a finite answer, and those that are answered otherwise than their equal form. No answer to a
        missing cell is a warning where none of the rows lacks the cell, and so is an answer to a tf.Example without an
        integer.
    """
    row = dict(instances[0])
    texts = [name for name, dtype in inputs.items() if dtype == dtypes.string]
    numbers = [name for name in inputs if name not in texts]
    optional = [name for name, dtype in inputs.items() if can_be_missing(dtype)]
    found = Findings()

    def ask(rows: Sequence[Mapping[str, Any]]) -> list[Answer]:
        return _answers(
            lambda chosen: named(convert_rows(inputs, [rows[one] for one in chosen])), len(rows)
        )

    for form, value in (("a value never seen", NEVER_SEEN), ("Unicode", UNICODE)):
        answers = ask([{**row, name: value} for name in texts])
        found.problems += _without_answer(f"{form} in", dict(zip(texts, answers, strict=True)))

    whole = {name: int(_number(row.get(name))) for name in numbers}
    integers = ask([{**row, name: whole[name]} for name in numbers])
    fractions = ask([{**row, name: float(whole[name])} for name in numbers])
    found.problems += _different("3 and 3.0 in", numbers, integers, fractions, tolerance)

    without = [{key: cell for key, cell in row.items() if key != name} for name in optional]
    absent, null = ask(without), ask([{**row, name: None} for name in optional])
    found.problems += _different("a missing key and null in", optional, absent, null, tolerance)
    columns = convert_rows(inputs, [row])
    unread = _without_each(of_examples, columns, optional)
    found.problems += _different("null and a tf.Example without", optional, null, unread, tolerance)
    missing = {
        name for name in optional if any(is_missing(instance.get(name)) for instance in instances)
    }
    by_null, by_example = (dict(zip(optional, one, strict=True)) for one in (null, unread))
    unanswered = {name for name, answer in by_null.items() if not _is_answer(answer)}
    by_example = {name: one for name, one in by_example.items() if name not in unanswered}
    _share(found, "null in", by_null, missing)
    _share(found, "a tf.Example without", by_example, missing)

    required = [name for name in inputs if name not in optional]
    filled = [
        name
        for name, answer in zip(
            required, _without_each(of_examples, columns, required), strict=True
        )
        if not isinstance(answer, str)
    ]
    if filled:
        found.warnings.append(
            f"a tf.Example without {_quoted(filled)}: answered with an integer that the model makes up"
        )

    found.problems += _differs_by_order(of_examples, columns, tolerance)
    return found


def _differs_by_order(
    of_examples: Callable[[np.ndarray], np.ndarray], columns: Columns, tolerance: Tolerance
) -> list[str]:
    """Send the row with its features in several orders: each feature in each place, the others in either direction."""
    names = list(columns)
    places = range(0, len(names), -(-len(names) // _MOST_ORDERS) or 1)
    orders = [way[place:] + way[:place] for way in (names, names[::-1]) for place in places]
    rows = np.concatenate([serialise(columns, order, [0]) for order in orders])
    ordered, *others = _answers(lambda chosen: of_examples(rows[list(chosen)]), len(orders))
    for answer in others:
        if isinstance(answer, str):
            return [f"tf.Examples with features in another order: {answer}"]
        if not isinstance(ordered, str) and not tolerance.agree(ordered, answer):
            return ["tf.Examples with features in another order give another prediction"]
    return []


def _without_each(
    of_examples: Callable[[np.ndarray], np.ndarray], columns: Columns, names: Sequence[str]
) -> list[Answer]:
    """Ask for the row as a tf.Example without each of some features."""
    rows = [
        serialise(columns, [column for column in columns if column != name], [0]) for name in names
    ]
    return _answers(
        lambda chosen: of_examples(np.concatenate([rows[one] for one in chosen])), len(rows)
    )


def _share(found: Findings, form: str, answers: Mapping[str, Answer], missing: set[str]) -> None:
    """File forms without an answer: problems where rows lack the cell, warnings elsewhere."""
    needed = {name: answer for name, answer in answers.items() if name in missing}
    others = {name: answer for name, answer in answers.items() if name not in missing}
    found.problems += _without_answer(form, needed)
    found.warnings += _without_answer(form, others)


def _answers(predict: Callable[[Sequence[int]], np.ndarray], count: int) -> list[Answer]:
    """Ask for rows together, and if that fails one by one."""
    if not count:
        return []
    try:
        return list(predict(range(count)))
    except Exception:
        # What a model raises names no row.
        return [_answer(predict, row) for row in range(count)]


def _answer(predict: Callable[[Sequence[int]], np.ndarray], row: int) -> Answer:
    try:
        answer: np.ndarray = predict([row])[0]
    except Exception as error:
        lines = str(error).splitlines() or [""]
        return f"{type(error).__name__}: {lines[0][:200]}"
    return answer


def _is_answer(answer: Answer) -> bool:
    return not isinstance(answer, str) and bool(np.isfinite(answer).all())


def _without_answer(form: str, answers: Mapping[str, Answer]) -> list[str]:
    """Name the columns of a form that have no finite answer, those with the same one together."""
    columns: dict[str, list[str]] = {}
    for name, answer in answers.items():
        if isinstance(answer, str):
            columns.setdefault(answer, []).append(name)
        elif not _is_answer(answer):
            columns.setdefault("the prediction is not finite", []).append(name)
    return [f"{form} {_quoted(names)}: {why}" for why, names in columns.items()]


def _different(
    form: str,
    names: Sequence[str],
    some: Sequence[Answer],
    others: Sequence[Answer],
    tolerance: Tolerance,
) -> list[str]:
    """Name the columns where two equal forms have different answers."""
    found = [
        name
        for name, one, other in zip(names, some, others, strict=True)
        if not isinstance(one, str)
        and not isinstance(other, str)
        and not tolerance.agree(one, other)
    ]
    return [f"{form} {_quoted(found)}: different predictions"] if found else []


def _number(value: Any) -> float:
    return float(value) if not is_missing(value) and np.isfinite(float(value)) else 0.0


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)
