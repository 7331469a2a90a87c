"""The section `monitoring.estimated_quality`: quality before labels come."""

from pydantic import Field

from ..section import Section


class EstimatedQualityConfig(Section):
    """Quality that is estimated without labels."""

    min_rows: int = Field(
        300, ge=1, description="Minimum number of rows of a window to estimate quality on."
    )
