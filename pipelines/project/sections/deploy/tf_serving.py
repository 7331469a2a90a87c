"""The section of `serving.deploy` on TensorFlow Serving."""

from collections.abc import Callable

from pydantic import Field

from ..section import Section


class TFServingDeployment(Section):
    """TensorFlow Serving: a folder of versions, and the configuration file that says which are loaded."""

    uri: str = Field(description="Folder or URI that the servers read models from.")

    def located(self, locate: Callable[[str], str]) -> "TFServingDeployment":
        """Return the section with its paths made absolute.

        Args:
            locate: Makes a path absolute, and leaves a URI as it is.
        """
        return self.model_copy(update={"uri": locate(self.uri)})
