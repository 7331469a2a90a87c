"""The section `monitoring.estimated_quality`: quality before labels come."""

from typing import Literal

from pydantic import Field

from ..section import Section

MetricName = Literal[
    "accuracy", "auc", "brier", "f1", "log_loss", "mae", "precision", "recall", "rmse"
]


class EstimatedQualityConfig(Section):
    """Quality that is estimated without labels: CBPE for classifiers, DLE for regression."""

    enabled: bool = Field(True, description="Whether quality is estimated.")
    metrics: list[MetricName] = Field(
        default_factory=list,
        description="Metrics to estimate: of classifiers accuracy, auc, brier, f1, log_loss, precision and recall (of "
        "several classes the mean over classes), of regression mae and rmse. Empty: auc, or accuracy of several "
        "classes, or mae.",
    )
    problem: Literal["binary", "multiclass", "regression"] | None = Field(
        None,
        description="What the model predicts; null: several outputs are multiclass, labels of 0 and 1 binary, else "
        "regression.",
    )
    bounds: dict[MetricName, float] = Field(
        default_factory=dict,
        description="Fixed bounds by metric, such as `{auc: 0.8}`. Without one the bound is three standard deviations "
        "from the windows before.",
    )
    min_rows: int = Field(
        300, ge=1, description="Minimum number of rows of a window to estimate quality on."
    )
    max_calibration_error: float = Field(
        0.05,
        gt=0,
        le=1,
        description="Largest calibration error on held-out evaluation rows, beyond what chance explains, with which "
        "quality is estimated.",
    )
