"""The KFP face of `resolve_champion`."""

from typing import NamedTuple

from kfp import dsl

from ..lib.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def resolve_champion(
    champion: dsl.Output[dsl.Model],
    store: str,
    alias: str = "champion",
) -> NamedTuple("Outputs", [("verdict", str)]):
    """Looks up the model in service in the registry. Do not cache this task: it reads the world.

    Args:
        champion: Version, URI and digest of the champion; all null if no model was pushed yet.
        store: URI of the store, which keeps the registry.
        alias: The alias that the model in service has.

    Returns:
        verdict: The champion's version.
    """
    from retrainer.components.resolve_champion.resolve import resolve

    return (resolve(store, champion.path, alias),)
