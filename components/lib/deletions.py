"""Deleting a version of the registry, so that a reader sees all of it or none, and its number is never given again."""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from .errors import RetrainerError
from .moments import now_text
from .registry.model_versions import DELETED_FILE, RECORD_FILE, read_deletion, read_version
from .registry.registry import Registry
from .store import Store
from .uris import create_exclusive, filesystem, is_local, join, read_json, remove
from .version_uses import describe_uses, version_uses


def check_deletion(store: str, version: int) -> list[str]:
    """Check that a version can be deleted.

    Args:
        store: URI of the store.
        version: The version.

    Returns:
        The names in its folder.

    Raises:
        RetrainerError: If there is nothing of this number, or something uses the version.
    """
    registry = Registry(Store(store).models_uri)
    folder = registry.version_uri(version)
    files = _files(folder)
    if not files:
        registry.get(version)
    if files == [DELETED_FILE]:
        noted = read_deletion(folder) or {}
        by = f" by {noted['by']}" if noted.get("by") else ""
        raise RetrainerError(f"version {version} of '{registry.uri}' was deleted{by} already.")
    _check_unused(store, version)
    return files


def delete_version(store: str, version: int, info: Mapping[str, Any]) -> None:
    """Delete a version, or what a killed push or deletion left of one.

    Its folder keeps a note of who deleted it, when and why.

    Args:
        store: URI of the store.
        version: The version.
        info: Who does it, and why: `by` and `why`.

    Raises:
        RetrainerError: If there is nothing of this number, or something uses the version.
    """
    registry = Registry(Store(store).models_uri)
    folder = registry.version_uri(version)
    files = check_deletion(store, version)
    note = {"at": now_text(), **info}
    announced = create_exclusive(join(folder, DELETED_FILE), json.dumps(note, indent=2) + "\n")
    try:
        # Whoever put it into service since the first look sees the note and withdraws, or is seen here.
        _check_unused(store, version)
    except RetrainerError:
        if announced:
            remove(join(folder, DELETED_FILE))
        raise
    _remove_digest(registry, version)
    _remove_monitoring(Store(store), version)
    remove(join(folder, RECORD_FILE))
    for name in files:
        if name not in (RECORD_FILE, DELETED_FILE):
            remove(join(folder, name))
    if is_local(folder):
        _remove_empty_folders(folder)


def _check_unused(store: str, version: int) -> None:
    uses = version_uses(store, version)
    if uses:
        raise RetrainerError(describe_uses(version, uses))


def _remove_monitoring(store: Store, version: int) -> None:
    """Remove what monitoring keeps of a version: its reference rows, and the states of its change detectors."""
    references = store.reference_uri(version)
    for name in _files(references):
        remove(join(references, name))
    if is_local(references):
        _remove_empty_folders(references)
    with suppress(FileNotFoundError):
        remove(store.error_stream_uri(version))


def _remove_digest(registry: Registry, version: int) -> None:
    """Remove the entry by digest, if it names this version."""
    with suppress(RetrainerError, FileNotFoundError, TypeError, ValueError):
        found = read_version(registry.version_uri(version))
        if found and int(read_json(registry.digest_uri(found.digest))) == version:
            remove(registry.digest_uri(found.digest))


def _files(folder: str) -> list[str]:
    fs, path = filesystem(folder)
    names = [name for name in fs.find(path) if not name.endswith("/")]
    return [name[len(path) :].lstrip("/") for name in names]


def _remove_empty_folders(folder: str) -> None:
    path = filesystem(folder)[1]
    for parent, _, _ in os.walk(path, topdown=False):
        with suppress(OSError):
            os.rmdir(parent)
