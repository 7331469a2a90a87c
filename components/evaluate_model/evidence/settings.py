"""What the gate asks of a change beside TFMA's thresholds: the section `gate` of retrain.yaml."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, TypeVar

from ...lib.errors import RetrainerError
from ...lib.whole_numbers import whole_numbers
from ...lib.words import did_you_mean, one_of


class PromoteOn(StrEnum):
    """What must be shown of a change before a challenger is blessed."""

    NO_LOSS = "no_loss"
    GAIN = "gain"


class Correction(StrEnum):
    """How p-values are corrected for many slices."""

    HOLM = "holm"
    BENJAMINI_HOCHBERG = "benjamini_hochberg"
    NONE = "none"


@dataclass(frozen=True)
class Significance:
    """How challenger and champion are compared.

    Attributes:
        metrics: Names of the metrics to compare by; empty: all that have a threshold and a better side.
        promote_on: `no_loss`: the whole interval of the difference must lie above a loss of `margin`. `gain`: it must
            lie above 0.
        margin: Largest loss that is no loss, in the metric's own unit; None: see `relative_margin`.
        relative_margin: The same as a share of the champion's value; None for both: 0.01 for a metric whose higher
            values are better, 2 % of the champion's value for losses and errors.
        confidence: How sure one must be, between 0.5 and 1.
        draws: How many groups of rows are left out in turn.
    """

    metrics: tuple[str, ...] = ()
    promote_on: PromoteOn = PromoteOn.NO_LOSS
    margin: float | None = None
    relative_margin: float | None = None
    confidence: float = 0.95
    draws: int = 100


@dataclass(frozen=True)
class Slices:
    """Which slices count, and how a loss in one of them is judged.

    Attributes:
        min_rows: Least rows of a slice that counts.
        max_gap: Largest gap between the challenger's values on two slices of the same columns; None: any.
        correction: How p-values are corrected for many slices.
    """

    min_rows: int = 200
    max_gap: float | None = None
    correction: Correction = Correction.HOLM


class Otherwise(StrEnum):
    """What decides where the champion can't be compared as usual."""

    COMPARE = "compare"
    VALUE_THRESHOLDS = "value_thresholds"
    REFUSE = "refuse"
    FAIL = "fail"


@dataclass(frozen=True)
class ChampionPolicy:
    """What decides where the champion can't be compared as usual.

    Attributes:
        missing: There is none.
        column_gone: A column that it takes is in no eval row; `compare` judges it with that column empty.
        unfit: It can answer fewer than half of the rows, or has no output for a new class of the label.
        broken: It does not load; `fail` fails the task.
    """

    missing: Otherwise = Otherwise.VALUE_THRESHOLDS
    column_gone: Otherwise = Otherwise.COMPARE
    unfit: Otherwise = Otherwise.VALUE_THRESHOLDS
    broken: Otherwise = Otherwise.FAIL


@dataclass(frozen=True)
class GateSettings:
    """The settings.

    Attributes:
        significance: How the models are compared; None: by TFMA's thresholds alone.
        cluster: Column whose equal values mark rows that depend on each other; empty: rows are independent.
        slices: How slices are judged.
        champion: What decides where the champion can't be compared as usual.
    """

    significance: Significance | None = None
    cluster: str = ""
    slices: Slices = Slices()
    champion: ChampionPolicy = ChampionPolicy()

    @classmethod
    def read(cls, settings: Mapping[str, Any]) -> "GateSettings":
        """Read the settings of a pipeline's parameter.

        Args:
            settings: `require_significance` (true, or a mapping of `Significance`), `cluster`, `slices` (a mapping of
                `Slices`) and `champion` (one of `ChampionPolicy`); a missing one has its default.

        Raises:
            RetrainerError: If a name or a value is not one of these.
        """
        settings = dict(settings)
        asked = settings.pop("require_significance", False)
        cluster = settings.pop("cluster", None) or ""
        slices = settings.pop("slices", None) or {}
        champion = settings.pop("champion", None) or {}
        for name in settings:
            known = ("require_significance", "cluster", "slices", "champion")
            raise RetrainerError(f"gate has no setting '{name}'.{did_you_mean(name, known)}")
        significance = None
        if asked:
            significance = _read(
                Significance, {} if asked is True else asked, "gate.require_significance"
            )
        return cls(
            significance,
            cluster,
            _read(Slices, slices, "gate.slices"),
            _read(ChampionPolicy, champion, "gate.champion"),
        )


Settings = TypeVar("Settings", Significance, Slices, ChampionPolicy)

_CHOICES: Mapping[str, type[StrEnum]] = {"promote_on": PromoteOn, "correction": Correction}


def _read(kind: type[Settings], values: Mapping[str, Any], place: str) -> Settings:
    names = [attribute.name for attribute in fields(kind)]
    for name in values:
        if name not in names:
            raise RetrainerError(f"{place} has no setting '{name}'.{did_you_mean(name, names)}")
    values = {name: value for name, value in values.items() if value is not None}
    for name in values:
        choices = _CHOICES.get(name, Otherwise if kind is ChampionPolicy else None)
        if choices:
            values[name] = _choice(choices, values[name], f"{place}.{name}")
    for name in ("draws", "min_rows"):
        if name in values:
            values[name] = whole_numbers(values[name])
    if "metrics" in values:
        values["metrics"] = tuple(values["metrics"])
    return kind(**values)


def _choice(choices: type[StrEnum], value: Any, place: str) -> StrEnum:
    try:
        return choices(value)
    except ValueError:
        known = [str(choice) for choice in choices]
        raise RetrainerError(f"{place} is {value!r}; it is {one_of(known)}.") from None
