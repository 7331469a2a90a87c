"""The section of `serving.deploy` on Amazon SageMaker."""

from pydantic import Field

from ..section import Section


class SageMakerDeployment(Section):
    """Amazon SageMaker: an endpoint with a variant for each version."""

    endpoint: str = Field(description="Name of the endpoint; created if missing.")
