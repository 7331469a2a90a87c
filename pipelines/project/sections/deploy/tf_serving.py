"""The section of `serving.deploy` on TensorFlow Serving."""

from collections.abc import Callable
from typing import ClassVar

from pydantic import Field

from ..section import Section


class TFServingDeployment(Section):
    """TensorFlow Serving: a folder of versions, and the configuration file that says which are loaded."""

    splits: ClassVar[bool] = False
    """Whether traffic may be split between versions: a server only labels them."""
    shadows: ClassVar[bool] = False
    """Whether the canary may get copies of requests."""

    uri: str = Field(
        min_length=1,
        description="Folder or URI that the servers read models from: versions lie in `<uri>/<model>/<number>/`.",
    )
    model: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9_.-]+$",
        description="Name of the model, which is in the clients' addresses; the pipeline's name if null.",
    )
    config: str | None = Field(
        None,
        description="The configuration file with a `model_config_list`; `<uri>/models.config` if null. Entries "
        "of other models in it stay as they are.",
    )
    base_path: str | None = Field(
        None,
        description="The model's folder as the servers see it, if they mount it elsewhere; `<uri>/<model>` if null.",
    )
    previous: int = Field(
        1,
        ge=0,
        description="How many versions before the stable one stay loaded, so that clients by label see no gap and a "
        "rollback is immediate.",
    )
    keep: int | None = Field(
        None,
        ge=0,
        description="How many folders of versions that are not loaded stay; all if null.",
    )
    address: str | None = Field(
        None,
        pattern=r"^https?://",
        description="Address of a server's REST API, such as `http://tips:8501`, to wait until it has loaded a "
        "version; nobody is asked if null.",
    )
    wait_seconds: float = Field(
        300.0, gt=0, description="Maximum time to wait for that server, in seconds."
    )

    def located(self, locate: Callable[[str], str]) -> "TFServingDeployment":
        """Return the section with its paths made absolute.

        Args:
            locate: Makes a path absolute, and leaves a URI as it is.
        """
        paths = {"uri": self.uri, "config": self.config}
        return self.model_copy(update={key: locate(path) for key, path in paths.items() if path})
