"""What uses a version of the registry: aliases, the next rollback, rollouts and deployments."""

from collections.abc import Iterator, Mapping
from typing import Any

from .numbered_records import NumberedRecords
from .promotions import rollback_target
from .registry import Registry
from .store import Store
from .uris import filesystem, join

_NUMBERS = ("stable", "canary", "version", "versions", "loaded")
_SHARES = "traffic"
_ENDED = ("serving", "rolled_back")


def version_uses(store: str, version: int) -> list[str]:
    """List what uses a version, one clause each, such as `it is the champion`.

    Args:
        store: URI of the store.
        version: The version.
    """
    return [
        *_alias_uses(Registry(Store(store).models_uri), version),
        *_service_uses(store, version),
    ]


def _alias_uses(registry: Registry, version: int) -> Iterator[str]:
    for alias in registry.aliases():
        moves = alias.moves()
        if moves and moves[-1].version == version:
            yield f"it is the {alias.name}"
        elif version == rollback_target(registry, alias.name, moves):
            yield f"a rollback of the {alias.name} goes back to it"


def _service_uses(store: str, version: int) -> Iterator[str]:
    models = Store(store).models_uri
    rollout = NumberedRecords(join(models, "rollouts")).newest()
    if rollout and version in _versions(rollout.content):
        state = _state(rollout.content)
        if state not in _ENDED:
            yield f"rollout {rollout.number} uses it ({state})"
    for service in _folders(join(models, "deployments")):
        records = NumberedRecords(join(models, "deployments", service))
        if version in _deployed(records):
            yield f"it was deployed to {service}"


def _deployed(records: NumberedRecords) -> set[int]:
    """List the versions of the newest record, and of the newest that succeeded, which serves if the newest failed."""
    found: set[int] = set()
    for number in reversed(records.numbers()):
        content = records.get(number).content
        found |= _versions(content)
        if _state(content) == "serving":
            break
    return found


def _state(content: Mapping[str, Any]) -> str:
    changes = content.get("changes")
    newest = changes[-1] if isinstance(changes, list) and changes else content
    return str(newest.get("state") or "")


def _versions(content: Any) -> set[int]:
    """Collect the versions that a record names, however deep."""
    found: set[int] = set()
    if isinstance(content, list):
        for one in content:
            found |= _versions(one)
    elif isinstance(content, Mapping):
        for key, value in content.items():
            if key in _NUMBERS:
                found |= _integers(value)
            if key == _SHARES and isinstance(value, Mapping):
                found |= {int(name) for name in value if str(name).isdigit()}
            found |= _versions(value)
    return found


def _integers(value: Any) -> set[int]:
    if isinstance(value, bool):
        return set()
    if isinstance(value, int):
        return {value}
    return {one for item in value for one in _integers(item)} if isinstance(value, list) else set()


def _folders(uri: str) -> list[str]:
    fs, path = filesystem(uri)
    try:
        names = fs.ls(path, detail=False)
    except FileNotFoundError:
        return []
    return sorted(name.rstrip("/").rpartition("/")[2] for name in names)
