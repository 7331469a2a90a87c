"""What every section of retrain.yaml is."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A section of retrain.yaml: immutable, and no key that it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)
