"""The section of `serving.deploy` on TensorFlow Serving."""

from pydantic import Field

from ..section import Section


class TFServingDeployment(Section):
    """TensorFlow Serving: a folder of versions, and the configuration file that says which are loaded."""

    uri: str = Field(description="Folder or URI that the servers read models from.")
