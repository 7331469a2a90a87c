"""Results of tasks in the store, found again by what they were made of.

A pipeline service's own cache may never hit: those of Kubeflow and Vertex AI know an input artifact by its id, which is
another one in each run (cloud.google.com/vertex-ai/docs/pipelines/configure-caching). So a task looks here for a result
of equal code, parameters and input content, on every target. An entry is `reused/<component>/<key>.json`, which names a
folder beside it with the outputs and the digest of each file. The folder is written first, and no two writers share
one, so an entry is whole or not there. What does not fit its digests is made again.

Only for tasks whose result is a function of their inputs: what reads the world must never come from here.
"""

import logging
import os
import re
import shutil
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import Any

from ..digests import digest_file, digest_folder, digest_value
from ..errors import RetrainerError
from ..folders import local_folder
from ..moments import now_text
from ..store import Store
from ..uris import filesystem, is_local, join, list_names, read_json, remove, write_json
from ..user_code.installed_packages import digest_code
from ..user_code.user_code_digest import code_behind
from .run_failures import noting_failure

FORMAT = 1
# Set to `off`, each task does its work, and its result takes the place of an earlier one.
VARIABLE = "RETRAINER_REUSE"
# Of each component. What is older, or more, goes when a result is added.
MOST_ENTRIES = 10
MOST_AGE = timedelta(days=30)
_STAMP = "%Y%m%dT%H%M%S"
_FOLDER = re.compile(r"(?P<key>[0-9a-f]{64})\.(?P<stamp>[0-9]{8}T[0-9]{6})\.[0-9a-f]{8}")
# A folder that no entry names may still be in writing.
_UNFINISHED = timedelta(days=1)
_log = logging.getLogger("retrainer.reuse")


@dataclass(frozen=True)
class Work:
    """What a task is to do.

    Attributes:
        component: Its component's name.
        parameters: All parameters that its result depends on, as JSON has them.
        inputs: Folders of the input artifacts, by name.
        outputs: Where its output artifacts go, by name: a folder or a file each.
        salt: What else the result depends on.
    """

    component: str
    parameters: Mapping[str, Any]
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    salt: str = ""


@dataclass(frozen=True)
class Result:
    """What a task came to, besides its output artifacts.

    Attributes:
        verdict: One sentence.
        values: More of it, as JSON has it, such as metrics.
        is_lasting: Whether the same inputs always give it. What a busy machine may have caused is not kept.
    """

    verdict: str
    values: Mapping[str, Any] = field(default_factory=dict)
    is_lasting: bool = True


def is_reusing(store: str) -> bool:
    """Return whether earlier results may be taken.

    Args:
        store: URI of the store; empty if the task's caching is off.
    """
    return bool(store) and os.environ.get(VARIABLE) != "off"


def reuse_or_make(store: str, work: Work, make: Callable[[], Result]) -> Result:
    """Take the result of an earlier task from the store, or do the work and keep the result there.

    Args:
        store: URI of the store; empty to do the work and keep nothing.
        work: What is to be done.
        make: Does it, and writes the output artifacts.

    Returns:
        The result. A reused one says so in its verdict, with the time at which it was made. Why work failed is noted in
        the store, see `run_failures`.
    """
    with noting_failure(store, work.component, next(iter(work.outputs.values()), "")):
        return _reuse_or_make(store, work, make) if store else make()


def _reuse_or_make(store: str, work: Work, make: Callable[[], Result]) -> Result:
    code = code_behind(work.parameters)
    if code.unseen:
        _log.warning("%s; so this task's result is not kept for later runs.", code.unseen[0])
        return make()
    try:
        key = _key(work, code.digest)
    except (RetrainerError, OSError):
        # An input that can't be read: the work says so, in words that name where it comes from.
        return make()
    entries = _Entries(Store(store).reused_uri(work.component), key)
    if is_reusing(entries.folder) and (found := entries.take(work.outputs)):
        _log.info("reused the result of equal inputs from '%s'", entries.uri)
        return found
    result = make()
    if result.is_lasting:
        entries.keep(work, result)
    return result


def _key(work: Work, user_code: str) -> str:
    inputs = {}
    for name, path in work.inputs.items():
        with local_folder(path) as folder:
            inputs[name] = digest_folder(folder)
    return digest_value(
        {
            "format": FORMAT,
            "component": work.component,
            "parameters": work.parameters,
            "inputs": inputs,
            "outputs": sorted(work.outputs),
            "code": digest_code(),
            "user_code": user_code,
            "salt": work.salt,
        }
    )


class _BrokenError(Exception):
    """An entry that can't be used; the message says why."""


@dataclass(frozen=True)
class _Entries:
    """The entries of a component, and the one of a key.

    Attributes:
        folder: URI of the component's entries.
        key: The key.
    """

    folder: str
    key: str

    @property
    def uri(self) -> str:
        """The key's entry."""
        return join(self.folder, f"{self.key}.json")

    def take(self, outputs: Mapping[str, str]) -> Result | None:
        """Copy an earlier result's outputs to where this task's go.

        Returns:
            The result; None if there is none that is whole.
        """
        try:
            entry = self._read()
            if entry is None:
                return None
            for name, path in outputs.items():
                # What an attempt that failed has left there is no part of the result.
                _remove(path)
                self._copy(entry, name, path)
            result = entry["result"]
            made = datetime.fromisoformat(entry["made"])
            verdict = f"{result['verdict']}; reused, made {made:%Y-%m-%d %H:%M} UTC"
            return Result(verdict, dict(result["values"]))
        # Whatever is wrong with it, the work can be done.
        except Exception as error:
            _log.warning("the result '%s' is made again: %s", self.uri, error)
            for path in outputs.values():
                _remove(path)
            return None

    def keep(self, work: Work, result: Result) -> None:
        """Put a result into the store; one that can't be kept is warned of."""
        folder = f"{self.key}.{datetime.now(UTC):{_STAMP}}.{uuid.uuid4().hex[:8]}"
        try:
            earlier = None
            with suppress(RetrainerError, _BrokenError):
                earlier = self._read()
            listed = {
                name: self._add(path, join(self.folder, folder, name))
                for name, path in work.outputs.items()
            }
            entry = {
                "format": FORMAT,
                "component": work.component,
                "made": now_text(),
                "folder": folder,
                "result": {"verdict": result.verdict, "values": dict(result.values)},
                "outputs": listed,
            }
            write_json(self.uri, {**entry, "digest": digest_value(entry)})
            if earlier is not None:
                _remove_all(join(self.folder, earlier["folder"]))
            self._prune()
        # A bucket that refuses, a full disk: the task has done its work all the same.
        except Exception as error:
            _log.warning(
                "the result is not kept in the store, so a later run makes it again: %s", error
            )

    def _read(self) -> dict[str, Any] | None:
        try:
            entry = read_json(self.uri)
        except FileNotFoundError:
            return None
        if not isinstance(entry, dict) or entry.get("format") != FORMAT:
            raise _BrokenError("it has another format")
        noted = entry.pop("digest", None)
        if noted != digest_value(entry):
            raise _BrokenError("it was changed since it was written")
        folder = _FOLDER.fullmatch(str(entry.get("folder")))
        if not folder or folder["key"] != self.key:
            raise _BrokenError("it names a folder that is not its own")
        return entry

    def _copy(self, entry: Mapping[str, Any], name: str, path: str) -> None:
        files: Mapping[str, str] = entry["outputs"][name]
        for relative, digest in files.items():
            parts = PurePosixPath(relative)
            if parts.is_absolute() or ".." in parts.parts:
                raise _BrokenError(f"it names the file '{relative}'")
            source = join(self.folder, entry["folder"], name, relative).rstrip("/")
            target = os.path.join(path, relative) if relative else path
            os.makedirs(os.path.dirname(target), exist_ok=True)
            fs, remote = filesystem(source)
            fs.get_file(remote, target)
            if digest_file(target) != digest:
                raise _BrokenError(f"'{source}' is damaged")

    def _add(self, path: str, uri: str) -> dict[str, str]:
        """Copy an output artifact to a URI: digests by relative name, which is empty for a file by itself."""
        fs, target = filesystem(uri)
        root = Path(path)
        if root.is_file():
            fs.makedirs(target.rpartition("/")[0], exist_ok=True)
            fs.put_file(path, target)
            return {"": digest_file(path)}
        listed = {}
        for file in filter(Path.is_file, root.rglob("*")):
            relative = file.relative_to(root).as_posix()
            place = f"{target}/{relative}"
            fs.makedirs(place.rpartition("/")[0], exist_ok=True)
            fs.put_file(str(file), place)
            listed[relative] = digest_file(file)
        return listed

    def _prune(self) -> None:
        """Remove what is old or too many. Who reads it meanwhile misses a file, and does the work."""
        folders = sorted(
            filter(None, map(_FOLDER.fullmatch, list_names(self.folder))),
            key=lambda match: match["stamp"],
            reverse=True,
        )
        now = datetime.now(UTC)
        kept: set[str] = set()
        for match in folders:
            age = now - datetime.strptime(match["stamp"], _STAMP).replace(tzinfo=UTC)
            if match["key"] in kept:
                # An earlier result of this key, or one that another writer puts there now.
                if age > _UNFINISHED:
                    _remove_all(join(self.folder, match[0]))
            elif len(kept) < MOST_ENTRIES and age <= MOST_AGE:
                kept.add(match["key"])
            else:
                remove(join(self.folder, f"{match['key']}.json"))
                _remove_all(join(self.folder, match[0]))


def _remove(path: str) -> None:
    if os.path.isdir(path):
        shutil.rmtree(path, ignore_errors=True)
    elif os.path.exists(path):
        os.unlink(path)


def _remove_all(uri: str) -> None:
    fs, path = filesystem(uri)
    if is_local(uri):
        shutil.rmtree(path, ignore_errors=True)
        return
    for name in fs.find(path):
        with suppress(FileNotFoundError):
            fs.rm_file(name)
