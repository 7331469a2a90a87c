"""Looking up the model in service."""

from ..lib.registry import CHAMPION, Registry, write_champion
from ..lib.store import Store


def resolve(store: str, output: str, alias: str = CHAMPION) -> str:
    """Look up the champion in the registry.

    Args:
        store: URI of the store.
        output: Folder for the champion artifact.
        alias: The alias that the model in service has.

    Returns:
        The verdict.

    Raises:
        RetrainerError: If the alias points at a version that is not whole.
    """
    version = Registry(Store(store).models_uri).resolve(alias)
    write_champion(output, version)
    return f"version {version.version}" if version else "no champion yet"
