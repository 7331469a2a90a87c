"""Looking up the model in service."""

from ..lib.registry import CHAMPION, Registry
from ..lib.store import Store
from ..lib.verdicts import Champion


def resolve(store: str, output: str, alias: str = CHAMPION) -> str:
    """Look up the champion in the registry.

    Args:
        store: URI of the store.
        output: Folder for the champion artifact.
        alias: The alias that the model in service has.

    Returns:
        The verdict.

    Raises:
        RetrainerError: If the alias points at a version that is not complete.
    """
    version = Registry(Store(store).models_uri).resolve(alias)
    if version is None:
        Champion().write(output)
        return "no champion yet"
    Champion(
        version.version,
        version.uri,
        version.digest,
        train_spans=tuple(version.info.get("train_spans") or ()),
        eval_spans=tuple(version.info.get("eval_spans") or ()),
    ).write(output)
    return f"version {version.version}"
