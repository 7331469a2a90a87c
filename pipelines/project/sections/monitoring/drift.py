"""The section `monitoring.drift`: skew and drift of features and predictions."""

from pydantic import Field

from ..section import Section


class DriftConfig(Section):
    """Skew against the training data, drift against earlier spans, drift of predictions."""

    ignore: list[str] = Field(
        default_factory=list, description="Columns that are not compared, such as counters."
    )
