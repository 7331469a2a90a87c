"""The section `monitoring.concept_drift`: changes of the error of labelled rows."""

from pydantic import Field

from ..section import Section


class ConceptDriftConfig(Section):
    """Detectors of a rise of the model's error: ADWIN decides, Page-Hinkley and DDM are shown beside it."""

    enabled: bool = Field(True, description="Whether the error of labelled rows is watched.")
    min_rows: int = Field(
        300, ge=1, description="Minimum number of labelled rows before a change can be detected."
    )
    delta: float = Field(
        0.002,
        gt=0,
        lt=1,
        description="ADWIN's confidence: smaller values find changes later, and raise fewer false alarms.",
    )
