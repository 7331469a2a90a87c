"""The section of `serving.deploy` on MLflow's model registry."""

from typing import ClassVar

from pydantic import Field

from ..section import Section


class MLflowDeployment(Section):
    """MLflow: a version of a registered model, with aliases, and a run with its metrics."""

    splits: ClassVar[bool] = False
    """Whether traffic may be split between versions: MLflow only has aliases."""
    shadows: ClassVar[bool] = False
    """Whether the canary may get copies of requests."""

    tracking_uri: str = Field(
        pattern=r"^https?://",
        description="Address of the MLflow server, such as `https://mlflow.acme.com`. The login comes from "
        "MLflow's own environment variables.",
    )
    model: str | None = Field(
        None,
        min_length=1,
        pattern=r"^[^/:'\"]+$",
        description="Name of the registered model, created if missing; the pipeline's name if null.",
    )
    experiment: str | None = Field(
        None,
        min_length=1,
        description="Name of the experiment that runs are logged in, created if missing; the pipeline's name if null.",
    )
    slices: bool = Field(True, description="Whether to log the metrics of slices, too.")
