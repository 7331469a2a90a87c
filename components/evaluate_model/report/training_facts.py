"""What the challenger was trained on and how long that took, for the report."""

from collections.abc import Mapping
from typing import Any

from ...lib.examples import TRAIN, Examples
from ...lib.words import name_spans, plural

_LIBRARIES = ("tensorflow", "keras")


def training_facts(examples: Examples, training: Mapping[str, Any] | None) -> dict[str, str]:
    """Describe the training.

    Args:
        examples: The examples that the model was trained on, too.
        training: What train_model noted of it; None or without `seconds` if unknown.

    Returns:
        Short facts by their heading.
    """
    spans = examples.span_names(TRAIN)
    noted = training or {}
    facts = {}
    if spans:
        rows = plural(examples.rows(TRAIN), "row")
        facts["Trained on"] = f"{rows}, spans {name_spans(spans)}"
    if "seconds" in noted:
        made_with = noted.get("made_with") or {}
        by = [f"{name} {made_with[name]}" for name in _LIBRARIES if name in made_with]
        facts["Training took"] = "; ".join([_duration(float(noted["seconds"])), ", ".join(by)])
        facts["Training took"] = facts["Training took"].removesuffix("; ")
    return facts


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{seconds / 3600:.1f} h"
