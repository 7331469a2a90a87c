"""The section of `serving.deploy` on Vertex AI's Model Registry and endpoints."""

from pydantic import Field

from ..section import Section


class VertexDeployment(Section):
    """Vertex AI: a version in the Model Registry, served by an endpoint."""

    endpoint: str = Field(description="Display name of the endpoint; created if missing.")
