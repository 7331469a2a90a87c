"""The limits of validation: domains, thresholds, severities, and their defaults."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from .findings import Severities

L_INFINITY, JENSEN_SHANNON = "infinity_norm", "jensen_shannon_divergence"
MEASURES = (L_INFINITY, JENSEN_SHANNON, "normalized_abs_difference")
# Clean flights move from one month to the next by up to 0.03 (text) and 0.2 (departure delays).
DEFAULT_THRESHOLDS = {L_INFINITY: 0.1, JENSEN_SHANNON: 0.3}
# Over quantile bins the same numbers are nearer: on 179 days of flights, each against the six days before, numbers
# moved by up to 0.22, and one column in 80 by more than 0.1.
QUANTILE_THRESHOLD = 0.1
# From here on a distance that is not normal stops the run, unless a threshold or severity is set: a normal
# distribution that moved by two standard deviations, or a text that half of the rows have and none had.
ERROR_DISTANCE = 0.5


@dataclass(frozen=True)
class Comparators:
    """Thresholds of drift or skew.

    Attributes:
        usual: Threshold by measure for columns without their own: L-infinity for text,
            Jensen-Shannon for numbers.
        columns: Threshold by measure, by column; an empty one is not compared.
        chosen: The measures in `usual` that somebody set.
    """

    usual: Mapping[str, float] = field(default_factory=lambda: dict(DEFAULT_THRESHOLDS))
    columns: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    chosen: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Domain:
    """The values that a column may have.

    Attributes:
        min: The smallest number.
        max: The largest number.
        values: The texts.
        min_domain_mass: The share of rows that must lie in `values`.
    """

    min: float | None = None
    max: float | None = None
    values: tuple[str, ...] = ()
    min_domain_mass: float | None = None

    @property
    def names_values(self) -> bool:
        """Whether it sets the values, not only the share of rows with a value of the schema's domain."""
        return bool(self.values) or self.min is not None or self.max is not None


@dataclass(frozen=True)
class Settings:
    """The settings of validation.

    Attributes:
        domains: The values that columns may have; they override the schema.
        drift: Thresholds of the newest span against the earlier ones.
        skew: Thresholds of training against evaluation.
        severities: Severities by kind and column.
        min_domain_mass: The share of a text column's rows that must lie in its domain.
        min_rows_fraction: How few rows the newest span may have, as a fraction of the earlier
            spans' median.
        max_label_change: How far the label's rate may change, as a share of rows.
        max_rows_factor: How many times the earlier spans' median the newest span's rows may be.
        max_label_factor: How many times more or less frequent than in any earlier span a class of the label may be.
    """

    domains: Mapping[str, Domain] = field(default_factory=dict)
    drift: Comparators = field(default_factory=Comparators)
    skew: Comparators = field(default_factory=Comparators)
    severities: Severities = field(default_factory=lambda: Severities({}, {}))
    min_domain_mass: float = 0.99
    min_rows_fraction: float = 0.2
    max_label_change: float = 0.15
    max_rows_factor: float = 3.0
    max_label_factor: float = 3.0

    @property
    def bounded(self) -> frozenset[str]:
        """The columns whose values are set here, which overrides the schema."""
        return frozenset(column for column, own in self.domains.items() if own.names_values)
