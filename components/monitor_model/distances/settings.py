"""The settings of drift, parsed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...lib.errors import RetrainerError
from ...lib.statistics.dataset import Column
from ...lib.words import did_you_mean
from .measures import MEASURES, NUMBER_DEFAULT, TEXT_DEFAULT, Measure


@dataclass(frozen=True)
class DriftSettings:
    """The section `monitoring.drift`.

    Attributes:
        text: Measure of text columns.
        numbers: Measure of number columns.
        columns: Measures of single columns.
        thresholds: Largest distance allowed, by column.
        false_alarms: Share of looks in which clean data may breach a bound, over all columns.
        min_spans: Number of earlier spans from which drift is judged.
        min_rows: Number of values from which a column is judged.
        skew: Whether requests are compared with the training data.
        predictions: Whether predictions are compared.
        ignore: Columns that are not compared.
    """

    text: str = TEXT_DEFAULT
    numbers: str = NUMBER_DEFAULT
    columns: Mapping[str, str] = field(default_factory=dict)
    thresholds: Mapping[str, float] = field(default_factory=dict)
    false_alarms: float = 0.002
    min_spans: int = 5
    min_rows: int = 30
    skew: bool = True
    predictions: bool = True
    ignore: frozenset[str] = frozenset()

    @classmethod
    def of(cls, section: Mapping[str, Any]) -> "DriftSettings":
        """Read the section.

        Args:
            section: Its values; what it leaves out is the default.

        Raises:
            RetrainerError: If a measure is unknown.
        """
        method = section.get("method") or {}
        for key, name in (
            *(("text", method.get("text")), ("numbers", method.get("numbers"))),
            *(
                (f"columns.{column}", name)
                for column, name in (method.get("columns") or {}).items()
            ),
        ):
            if name is not None and name not in MEASURES:
                hint = did_you_mean(name, MEASURES, "The measures are")
                raise RetrainerError(
                    f"monitoring.drift.method.{key} is '{name}', which is no measure.{hint}"
                )
        plain = ("thresholds", "false_alarms", "min_spans", "min_rows", "skew", "predictions")
        return cls(
            text=method.get("text") or TEXT_DEFAULT,
            numbers=method.get("numbers") or NUMBER_DEFAULT,
            columns=method.get("columns") or {},
            ignore=frozenset(section.get("ignore") or ()),
            **{name: section[name] for name in plain if section.get(name) is not None},
        )

    def measure_of(self, column: Column) -> Measure:
        """Return the measure of a column.

        Raises:
            RetrainerError: If the measure that was set for it can't measure text.
        """
        usual = self.numbers if column.is_number else self.text
        measure = MEASURES[self.columns.get(column.name, usual)]
        if not column.is_number and not measure.text:
            known = ", ".join(name for name, one in MEASURES.items() if one.text)
            raise RetrainerError(
                f"monitoring.drift.method measures column '{column.name}' by {measure.name}, which measures numbers "
                f"only, and it has text. Use one of {known}."
            )
        return measure
