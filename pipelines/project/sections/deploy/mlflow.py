"""The section of `serving.deploy` on MLflow's model registry."""

from pydantic import Field

from ..section import Section


class MLflowDeployment(Section):
    """MLflow: a version of a registered model, with aliases, and a run with its metrics."""

    tracking_uri: str = Field(description="Address of the MLflow server.")
