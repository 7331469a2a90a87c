"""The section `serving.deploy`: the services that a model is deployed to."""

from pydantic import Field

from ..section import Section
from .kserve import KServeDeployment
from .mlflow import MLflowDeployment
from .sagemaker import SageMakerDeployment
from .tf_serving import TFServingDeployment
from .vertex import VertexDeployment


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
