"""The registry of models: numbered versions, and aliases such as `champion` that point at one.

Both only ever grow: a version's folder is written once and its record last, and giving an alias to a version adds a
numbered file. So a reader never sees half a model, and of two writers who both saw champion 3 one is told.
"""

import json
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from .errors import RetrainerError
from .files import create_exclusive, filesystem, join, read_json, write_json

CHAMPION = "champion"
CHAMPION_FILE = "champion.json"
_RECORD = "version.json"


@dataclass(frozen=True)
class ModelVersion:
    """A version in the registry.

    Attributes:
        version: Its number, from 1.
        uri: Folder of its SavedModel.
        digest: SHA-256 of the SavedModel's content.
        info: What was told of it when it was pushed: run, span, metrics.
    """

    version: int
    uri: str
    digest: str
    info: dict[str, Any] = field(default_factory=dict)


class AliasMovedError(Exception):
    """Somebody else moved the alias since it was looked at."""


@dataclass(frozen=True)
class Registry:
    """A registry of models.

    Attributes:
        uri: Its folder, `Store(...).models_uri`.
    """

    uri: str

    def versions(self) -> list[ModelVersion]:
        """List the whole versions, oldest first."""
        found = [self._version(number) for number in self._numbers("versions")]
        return [version for version in found if version]

    def get(self, version: int) -> ModelVersion:
        """Look a version up.

        Raises:
            RetrainerError: If there is none of that number.
        """
        found = self._version(version)
        if found is None:
            known = ", ".join(str(one.version) for one in self.versions()) or "none"
            raise RetrainerError(
                f"there is no version {version} in the registry '{self.uri}' (there are: {known})."
            )
        return found

    def resolve(self, alias: str) -> ModelVersion | None:
        """Look up the version that an alias points at.

        Args:
            alias: Such as `champion`.

        Returns:
            The version, or None if the alias was never given.

        Raises:
            RetrainerError: If it points at a version that is not whole.
        """
        numbers = self._numbers(join("aliases", alias))
        if not numbers:
            return None
        return self.get(read_json(self._alias_uri(alias, numbers[-1]))["version"])

    def add(self, folder: str, digest: str, info: dict[str, Any]) -> ModelVersion:
        """Copy a SavedModel into the registry, unless a version has the same content.

        Args:
            folder: The SavedModel, a local folder.
            digest: SHA-256 of its content.
            info: What to remember of it.

        Returns:
            The version.
        """
        known = next((one for one in self.versions() if one.digest == digest), None)
        if known:
            return known
        number = max(self._numbers("versions"), default=0) + 1
        # A number is reserved before anything is copied; one whose writer died stays without a record.
        while not create_exclusive(join(self._version_uri(number), "reserved"), ""):
            number += 1
        uri = join(self._version_uri(number), "model")
        fs, path = filesystem(uri)
        for file in sorted(Path(folder).rglob("*")):
            if file.is_file():
                target = f"{path}/{file.relative_to(folder).as_posix()}"
                fs.makedirs(target.rpartition("/")[0], exist_ok=True)
                fs.put_file(str(file), target)
        version = ModelVersion(number, uri, digest, info)
        record = {key: value for key, value in asdict(version).items() if key != "uri"}
        write_json(join(self._version_uri(number), _RECORD), record)
        return version

    def give_alias(
        self, alias: str, version: int, expected: int | None, info: dict[str, Any]
    ) -> None:
        """Point an alias at a version.

        Args:
            alias: Such as `champion`.
            version: The version it shall point at.
            expected: The version it was seen to point at, None for nowhere.
            info: What to remember of the move.

        Raises:
            AliasMovedError: If it points elsewhere than `expected`.
        """
        numbers = self._numbers(join("aliases", alias))
        current = read_json(self._alias_uri(alias, numbers[-1]))["version"] if numbers else None
        entry = {"version": version, "previous": current, **info}
        number = numbers[-1] + 1 if numbers else 1
        if current != expected or not self._create_entry(alias, number, entry):
            raise AliasMovedError(f"'{alias}' points at {current}, not at {expected}")

    def _create_entry(self, alias: str, number: int, entry: dict[str, Any]) -> bool:
        return create_exclusive(self._alias_uri(alias, number), json.dumps(entry, indent=2) + "\n")

    def _version(self, number: int) -> ModelVersion | None:
        try:
            record = read_json(join(self._version_uri(number), _RECORD))
        except FileNotFoundError:
            return None
        return ModelVersion(uri=join(self._version_uri(number), "model"), **record)

    def _version_uri(self, number: int) -> str:
        return join(self.uri, "versions", f"{number:06d}")

    def _alias_uri(self, alias: str, number: int) -> str:
        return join(self.uri, "aliases", alias, f"{number:06d}.json")

    def _numbers(self, folder: str) -> list[int]:
        fs, path = filesystem(join(self.uri, folder))
        if not fs.exists(path):
            return []
        names = [name.rstrip("/").rpartition("/")[2] for name in fs.ls(path, detail=False)]
        return sorted(
            int(match[1]) for name in names if (match := re.fullmatch(r"(\d+)(?:\.json)?", name))
        )


@dataclass(frozen=True)
class Champion:
    """The champion as a run resolved it.

    Attributes:
        version: Its number in the registry.
        uri: Folder of its SavedModel.
        digest: SHA-256 of the SavedModel's content.
    """

    version: int
    uri: str
    digest: str


def read_champion(path: str) -> Champion | None:
    """Read a champion artifact.

    Args:
        path: The artifact's folder.

    Returns:
        The champion, or None if no model was in service.

    Raises:
        RetrainerError: If the artifact is not one.
    """
    uri = join(path, CHAMPION_FILE)
    try:
        content = read_json(uri)
    except FileNotFoundError as error:
        raise RetrainerError(
            f"there is no champion at '{uri}'. Champions come from resolve_champion."
        ) from error
    return Champion(**content) if content["version"] is not None else None


def write_champion(path: str, version: ModelVersion | None) -> None:
    """Write a champion artifact, into a folder that is made if missing."""
    content = {
        "version": version.version if version else None,
        "uri": version.uri if version else None,
        "digest": version.digest if version else None,
    }
    write_json(join(path, CHAMPION_FILE), content)
