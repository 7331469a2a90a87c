"""The section of `serving.deploy` on KServe."""

from pydantic import Field

from ..section import Section


class KServeDeployment(Section):
    """KServe: an InferenceService on Kubernetes."""

    service: str = Field(description="Name of the InferenceService; created if missing.")
