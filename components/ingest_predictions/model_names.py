"""Which version of the registry a log means by the names that servers give to models."""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..lib.registry.registry import CHAMPION as CHAMPION_ALIAS
from ..lib.registry.registry import Registry
from ..lib.serving.deployments import Deployments
from ..lib.store import Store
from .formats import VERTEX
from .moments import read_moment
from .settings import CHAMPION, LogSettings

_STABLE = ("", "stable", "default")


@dataclass(frozen=True)
class ModelNames:
    """What a log calls the registry's versions.

    Attributes:
        versions: Numbers of the registry by what the log says: a version, an ID, a label or a variant.
        numbers: The registry's numbers, by which a server may call a model, too.
        champions: Which version was champion since when, oldest first: microseconds since 1970, and its number. Empty:
            what has no version stays without.
    """

    versions: Mapping[str, int] = field(default_factory=dict)
    numbers: frozenset[int] = frozenset()
    champions: tuple[tuple[int, int | None], ...] = ()

    def version(self, name: str, variant: str, time: int) -> tuple[int | None, bool]:
        """Return a version's number.

        Args:
            name: What the log calls it; empty for nothing.
            variant: The part that the model played.
            time: When the request came.

        Returns:
            The number, None for a model from elsewhere; and whether the log says so.
        """
        if name in self.versions:
            return self.versions[name], True
        if name.isdecimal() and int(name) in self.numbers:
            return int(name), True
        if variant in self.versions:
            return self.versions[variant], True
        if not name and variant in _STABLE and self.champions:
            position = bisect_right(self.champions, time, key=lambda one: one[0])
            return (self.champions[position - 1][1] if position else None), False
        return None, False


def find_names(store: str, settings: LogSettings) -> ModelNames:
    """Find out what a log calls the registry's versions.

    Args:
        store: URI of the store.
        settings: Of the log.
    """
    registry = Registry(Store(store).models_uri)
    # What deploy_model deployed to Vertex AI, whose logs know IDs alone.
    known = Deployments(store, VERTEX).ids() if settings.format == VERTEX else {}
    champions = []
    if settings.unversioned == CHAMPION:
        for move in registry.alias(CHAMPION_ALIAS).moves():
            champions.append((read_moment(move.at) or 0, move.version))
    return ModelNames(
        {**known, **settings.versions},
        frozenset(registry.numbers()),
        tuple(sorted(champions, key=_when)),
    )


def _when(move: tuple[int, int | None]) -> int:
    return move[0]
