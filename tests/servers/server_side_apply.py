"""Server-side apply, as far as InferenceServices need it: maps are merged by field, lists are one value.

kubernetes.io/docs/reference/using-api/server-side-apply: who applies owns what is in the request; what is owned by
somebody else with another value is a conflict; what was owned and is no longer in the request is removed, unless
somebody else owns it, too. What an update changes is its manager's. `labels`, `annotations` and `spec` are tracked.
"""

import copy
from collections.abc import Iterator
from typing import Any

Path = tuple[str, ...]
Owners = dict[tuple[str, str], set[Path]]
_ATOMIC = {"nodeSelector"}


class ConflictError(Exception):
    """Fields that others manage, by manager."""

    def __init__(self, fields: list[tuple[str, Path]]) -> None:
        super().__init__("conflict")
        self.fields = fields


def tracked(obj: dict[str, Any]) -> dict[str, Any]:
    """Return the part of an object whose owners are tracked."""
    metadata = {
        key: obj["metadata"][key] for key in ("labels", "annotations") if key in obj["metadata"]
    }
    return {"metadata": metadata, "spec": obj.get("spec", {})}


def leaves(
    value: Any, path: Path = (), whole: frozenset[str] = frozenset()
) -> Iterator[tuple[Path, Any]]:
    """List the fields that are owned one by one; those named in `whole` are one value."""
    atomic = path and (path[-1] in _ATOMIC or path[-1] in whole)
    if isinstance(value, dict) and value and not atomic:
        for key, inner in value.items():
            yield from leaves(inner, (*path, key), whole)
    elif path:
        yield path, value


def get(obj: Any, path: Path) -> Any:
    for key in path:
        if not isinstance(obj, dict) or key not in obj:
            return None
        obj = obj[key]
    return obj


def apply(
    live: dict[str, Any],
    applied: dict[str, Any],
    owners: Owners,
    manager: str,
    force: bool,
    whole: frozenset[str] = frozenset(),
) -> dict[str, Any]:
    """Merge what is applied into an object; `owners` is changed with it."""
    merged = copy.deepcopy(live)
    mine = (manager, "Apply")
    wanted = dict(leaves(tracked(applied), (), whole))
    conflicts = [
        (who[0], path)
        for who, paths in owners.items()
        if who != mine
        for path in paths & wanted.keys()
        if get(live, path) != wanted[path]
    ]
    if conflicts and not force:
        raise ConflictError(conflicts)
    for manager_name, path in conflicts:
        for who in [one for one in owners if one[0] == manager_name and one != mine]:
            owners[who].discard(path)
    others = set().union(*(paths for who, paths in owners.items() if who != mine), set())
    for path in owners.get(mine, set()) - wanted.keys():
        if path not in others:
            _remove(merged, path)
    for path, value in wanted.items():
        at = merged
        for key in path[:-1]:
            at = at.setdefault(key, {})
        at[path[-1]] = copy.deepcopy(value)
    owners[mine] = set(wanted)
    return merged


def update(live: dict[str, Any], new: dict[str, Any], owners: Owners, manager: str) -> None:
    """Make what an update changed its manager's."""
    before, after = dict(leaves(tracked(live))), dict(leaves(tracked(new)))
    changed = {path for path, value in after.items() if before.get(path) != value}
    for paths in owners.values():
        paths -= changed
        paths &= after.keys()
    owners.setdefault((manager, "Update"), set()).update(changed)


def managed_fields(owners: Owners) -> list[dict[str, Any]]:
    """Return metadata.managedFields."""
    entries = []
    for (manager, operation), paths in owners.items():
        fields: dict[str, Any] = {}
        for path in paths:
            at = fields
            for key in path:
                at = at.setdefault(f"f:{key}", {})
        entries.append(
            {
                "manager": manager,
                "operation": operation,
                "fieldsType": "FieldsV1",
                "fieldsV1": fields,
            }
        )
    return entries


def _remove(obj: dict[str, Any], path: Path) -> None:
    for depth in range(len(path), 0, -1):
        parent = get(obj, path[: depth - 1])
        if isinstance(parent, dict) and (depth == len(path) or parent.get(path[depth - 1]) == {}):
            parent.pop(path[depth - 1], None)
