"""The section `monitoring.concept_drift`: changes of the error of labelled rows."""

from pydantic import Field

from ..section import Section


class ConceptDriftConfig(Section):
    """Detectors of changes in the model's error."""

    min_rows: int = Field(
        300, ge=1, description="Minimum number of labelled rows before a change can be detected."
    )
