"""The section `monitoring.data`: when the rows that serve are broken."""

from pydantic import Field

from ..section import Section


class DataChecksConfig(Section):
    """Bounds of the checks for broken data. Broken data is reported apart from drift, and never retrains a model."""

    max_failed: float = Field(
        0.05,
        ge=0,
        le=1,
        description="Maximum share of a window's requests that may have failed.",
    )
    max_unusable: float = Field(
        0.05,
        ge=0,
        le=1,
        description="Maximum share of a window's records of a log that can't be used, or whose clock is wrong.",
    )
    volume_factor: float = Field(
        2.0,
        gt=1,
        description="How many times fewer or more requests than usual a span may have; more where the earlier spans "
        "vary more.",
    )
    max_missing: float = Field(
        0.05,
        ge=0,
        le=1,
        description="How much larger than in the earlier spans, or than the schema allows, the share of rows without a "
        "value may be in a column.",
    )
    max_unknown: float = Field(
        0.5,
        ge=0,
        le=1,
        description="Share of a column's values outside of the schema's domain from which they are broken data, such "
        "as another code or unit; fewer are drift.",
    )
    max_late: float = Field(
        0.05,
        ge=0,
        le=1,
        description="Maximum share of a span's rows that may have come after the span was judged.",
    )
