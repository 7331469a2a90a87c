"""Changes of the registry that `retrainer models` makes, with errors that say what to do."""

from collections.abc import Iterator
from contextlib import contextmanager

from ...components.lib.deletions import delete_version
from ...components.lib.errors import RetrainerError
from ...components.lib.registry.approvals import approve, refuse
from ...components.lib.registry.promotions import Change, promote, retire, roll_back
from ...components.lib.registry.registry import AliasMovedError, Registry
from ...components.lib.store import Store
from ...components.lib.version_uses import version_uses
from .model_details import version_number
from .users import this_user


def promote_version(store: str, version: int | str, why: str) -> Change:
    """Put a version into service.

    Args:
        store: URI of the store.
        version: Its number.
        why: The reason, kept beside who did it and when.

    Raises:
        RetrainerError: If there is no such version, it is incomplete or in service, or the champion changed meanwhile.
    """
    registry = Registry(Store(store).models_uri)
    with _champion_stays():
        return promote(registry, version_number(registry, version), _noted(why))


def approve_version(store: str, version: int, why: str) -> Change:
    """Put a version that waits for approval into service.

    Args:
        store: URI of the store.
        version: Its number.
        why: The reason, kept beside who did it and when; empty for none.

    Raises:
        RetrainerError: If the version does not wait, or was compared with another champion than the one now.
    """
    with _champion_stays():
        return approve(Registry(Store(store).models_uri), version, _noted(why))


def refuse_version(store: str, version: int, why: str) -> None:
    """Refuse a version that waits for approval.

    Args:
        store: URI of the store.
        version: Its number.
        why: The reason, kept beside who did it and when.

    Raises:
        RetrainerError: If the version does not wait.
    """
    refuse(Registry(Store(store).models_uri), version, _noted(why))


def roll_back_champion(store: str, to: int | None, why: str) -> Change:
    """Put the previous champion back into service, and hold the one in service.

    Args:
        store: URI of the store.
        to: The version to go back to; None for the champion before.
        why: The reason, kept beside who did it and when.

    Raises:
        RetrainerError: If there is no version to go back to, or the champion changed meanwhile.
    """
    with _champion_stays():
        return roll_back(Registry(Store(store).models_uri), _noted(why), to)


def retire_champion(store: str, why: str) -> int:
    """Take the champion out of service; its version and the history stay.

    Args:
        store: URI of the store.
        why: The reason, kept beside who did it and when.

    Returns:
        The version that was the champion.

    Raises:
        RetrainerError: If there is no champion, or it changed meanwhile.
    """
    with _champion_stays():
        change = retire(Registry(Store(store).models_uri), _noted(why))
    assert change.previous is not None
    return change.previous


def unused_versions(store: str, keep: int) -> list[int]:
    """List the complete versions that nothing uses, oldest first.

    Args:
        store: URI of the store.
        keep: How many of the newest versions to leave out.
    """
    numbers = [one.version for one in Registry(Store(store).models_uri).versions()]
    old = numbers[: max(0, len(numbers) - keep)]
    return [number for number in old if not version_uses(store, number)]


def delete_from_registry(store: str, version: int, why: str) -> None:
    """Delete a version.

    Args:
        store: URI of the store.
        version: Its number.
        why: The reason, kept beside who did it and when.

    Raises:
        RetrainerError: If there is no such version, or something uses it.
    """
    delete_version(store, version, _noted(why))


def _noted(why: str) -> dict[str, str]:
    return {"by": this_user(), **({"why": why} if why else {})}


@contextmanager
def _champion_stays() -> Iterator[None]:
    try:
        yield
    except AliasMovedError as error:
        raise RetrainerError(
            f"the champion has changed: {error}. Check 'retrainer models list', then retry."
        ) from error
