"""The section `monitoring.realised_quality`: quality of labelled predictions against what the gate measured."""

from pydantic import Field

from ..section import Section


class RealisedQualityConfig(Section):
    """Quality on the rows whose labels have come, against the rows that the gate judged the champion on."""

    alpha: float = Field(
        0.01,
        gt=0,
        lt=1,
        description="Maximum probability of a false alarm over all looks, losses, slices and metrics, for a model that "
        "is as good as the gate measured.",
    )
    max_increase: float = Field(
        0.1,
        ge=0,
        description="Increase of a mean loss that is allowed, as a share of the loss that the gate's rows have: 0.1 "
        "allows a log loss of 0.33 where it was 0.3.",
    )
    max_decrease: float = Field(
        0.03,
        ge=0,
        le=1,
        description="Decrease that is allowed of metrics of `evaluation` that are better when higher, such as AUC, as "
        "a share of what the gate measured. Those that are better when lower may grow by `max_increase`.",
    )
    variation: float = Field(
        0.25,
        ge=0,
        le=2,
        description="Standard deviation of the mean loss between spans (days, hours) of an unchanged model that is "
        "assumed until the spans show their own, as a share of the mean loss.",
    )
    spans: int = Field(
        7,
        ge=1,
        le=1000,
        description="Number of newest spans with mature labels that shown values are of. A signal is breached only "
        "while they are beyond the bound.",
    )
    slices: bool = Field(
        True, description="Whether the losses of the slices of `evaluation` are tested, too."
    )
