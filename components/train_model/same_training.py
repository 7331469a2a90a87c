"""Whether a warm start would train the champion once more on the rows that it was trained on."""

from collections.abc import Mapping
from typing import Any

from ..lib.examples import Examples
from ..lib.registry.model_versions import ModelVersion, read_version, training_digest
from ..lib.verdicts import Champion
from ..lib.whole_numbers import whole_numbers


def find_same_training(
    champion: str, examples: str, training: Mapping[str, Any], schema: str
) -> ModelVersion | None:
    """Return the champion, if it was trained on these rows by the same code, settings, schema and libraries.

    Without new data each run of a schedule would go on training it, and push a further version.

    Args:
        champion: The champion artifact.
        examples: The examples artifact.
        training: What the registry keeps of the training: `settings`, `hyperparameters`, `code_digest`, `made_with`.
        schema: Digest of the schema; empty if unknown.

    Returns:
        The champion; None if there is none, or its training was another or is not known.
    """
    uri = Champion.read(champion).uri
    version = read_version(uri.rstrip("/").rpartition("/")[0]) if uri else None
    if version is None:
        return None
    info = {
        "data_digest": Examples.read(examples).digest,
        "code_digest": training["code_digest"],
        "hyperparameters": training["hyperparameters"],
        # As push_model notes them: without what is empty.
        "training": training["settings"] or None,
    }
    known = version.info.get("schema") or {}
    is_same = (
        training_digest(whole_numbers(info)) == training_digest(whole_numbers(version.info))
        and training["made_with"] == version.info.get("made_with")
        and bool(schema)
        and schema == known.get("digest")
    )
    return version if is_same else None
