"""A label that is missing, or has one value."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...lib.statistics.statistics_artifact import SPLIT_WORDS
from ..finding_kinds import ERROR, MISSING_COLUMN, FindingKind
from ..findings import Finding
from ..limits import Settings
from .check import Check

if TYPE_CHECKING:
    from ..analysis import Analysis

CONSTANT_LABEL = FindingKind(
    "constant_label",
    "constant label",
    ERROR,
    "check how the label is computed; a model can't learn from it",
    "the label has one value in all rows of a split",
    blocks_freezing=True,
)


def check(analysis: Analysis, settings: Settings) -> list[Finding]:
    """Report a label that is missing, or has one value in every row of a split."""
    window = analysis.window
    label = window.index.label
    findings = []
    for split, name in SPLIT_WORDS.items():
        dataset = window.splits[split]
        if not dataset.rows:
            continue
        where = f"{name} ({', '.join(window.index.split_spans[split])})"
        in_training = split == "train"
        column = dataset.columns.get(label)
        if column is None:
            findings.append(
                Finding(
                    MISSING_COLUMN,
                    label,
                    where,
                    "no such column",
                    "the label",
                    in_training=in_training,
                )
            )
            continue
        if column.constant is not None:
            findings.append(
                Finding(
                    CONSTANT_LABEL,
                    label,
                    where,
                    f"'{column.constant}' in every row",
                    "at least two values",
                    in_training=in_training,
                )
            )
    return findings


CHECK = Check(check, (CONSTANT_LABEL,))
