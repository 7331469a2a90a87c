"""The schema of a retrain.yaml: which one it is, and what it says."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...components.lib.errors import RetrainerError
from ...components.lib.store import Store
from ...components.lib.uris import exists
from .sections.retrain import RetrainConfig

if TYPE_CHECKING:
    from tensorflow_metadata.proto.v0 import schema_pb2


@dataclass(frozen=True)
class OpenedSchema:
    """A schema as it stood when it was read.

    Attributes:
        uri: Its file.
        history_uri: Folder of what stood there before commands changed it.
        text: The file's content.
        schema: What it says.
    """

    uri: str
    history_uri: str
    text: str
    schema: "schema_pb2.Schema"


def open_schema(config: RetrainConfig) -> OpenedSchema:
    """Read the schema that runs of a retrain.yaml validate with.

    Args:
        config: The configuration, its paths absolute.

    Returns:
        The curated one that it names, else the one that is frozen in its store.

    Raises:
        RetrainerError: If there is none yet, or it can't be parsed.
    """
    curated = config.validation.schema_uri
    uri = curated or Store(config.store).schema_uri
    try:
        if not exists(uri):
            raise FileNotFoundError(uri)
        # Not before: it loads the schema's messages, which a project without a schema does not need.
        from ...components.lib.schema_file import load_schema

        schema, text = load_schema(uri)
    except FileNotFoundError as error:
        fix = (
            "Correct validation.schema_uri, or leave it empty to have one inferred."
            if curated
            else "The first run whose training rows have no errors freezes one there: 'retrainer run'."
        )
        raise RetrainerError(f"there is no schema at '{uri}'. {fix}") from error
    history = _history_beside(curated) if curated else Store(config.store).schema_history_uri
    return OpenedSchema(uri, history, text, schema)


def _history_beside(uri: str) -> str:
    return f"{uri.removesuffix('.pbtxt')}.history"
