"""The section `serving.deploy`: the services that a model is deployed to."""

from collections.abc import Callable, Iterator
from typing import Any, Protocol, runtime_checkable

from pydantic import Field

from ..section import Section
from .kserve import KServeDeployment
from .mlflow import MLflowDeployment
from .sagemaker import SageMakerDeployment
from .tf_serving import TFServingDeployment
from .vertex import VertexDeployment


@runtime_checkable
class ReadsTheStore(Protocol):
    """The section of a service that reads models where the store has them, and not from everywhere."""

    def misfits(self, store: str) -> Iterator[tuple[str, str]]:
        """Find what keeps the store's models from the service: a key of retrain.yaml, and what is wrong with it."""
        ...


class DeployConfig(Section):
    """Services that a pushed model is deployed to; none by default. The store's registry leads, services follow."""

    vertex: VertexDeployment | None = Field(None, description="Vertex AI; none if null.")
    kserve: KServeDeployment | None = Field(None, description="KServe; none if null.")
    tf_serving: TFServingDeployment | None = Field(
        None, description="TensorFlow Serving; none if null."
    )
    sagemaker: SageMakerDeployment | None = Field(
        None, description="Amazon SageMaker; none if null."
    )
    mlflow: MLflowDeployment | None = Field(None, description="MLflow; none if null.")

    def services(self) -> dict[str, dict[str, Any]]:
        """Return the settings of each service that is named, as JSON values."""
        return self.model_dump(mode="json", exclude_none=True)

    def located(self, locate: Callable[[str], str]) -> "DeployConfig":
        """Return the section with the paths in it made absolute.

        Args:
            locate: Makes a path absolute.
        """
        if self.tf_serving is None:
            return self
        return self.model_copy(update={"tf_serving": self.tf_serving.located(locate)})
