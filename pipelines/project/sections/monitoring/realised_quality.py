"""The section `monitoring.realised_quality`: quality of labelled predictions against what the gate measured."""

from pydantic import Field

from ..section import Section


class RealisedQualityConfig(Section):
    """Quality on the rows whose labels have come."""

    alpha: float = Field(
        0.01,
        gt=0,
        lt=1,
        description="Probability of a false alarm over all looks at a model that is as good as the gate measured.",
    )
