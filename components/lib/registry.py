"""The registry of models: numbered versions, and aliases such as `champion` that point at one.

Both are append-only: a version's folder is written once and its record last, and moving an alias adds a numbered
record. So a reader never sees a partial model, and of two writers who both read champion 3, one gets an error.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from .errors import RetrainerError
from .evaluation_summary import EvaluationSummary, SliceMetrics
from .numbered_records import NumberedRecords
from .uris import create_exclusive, filesystem, join, read_json, write_atomic, write_json

CHAMPION = "champion"
FORMAT = 1
_RECORD = "version.json"


@dataclass(frozen=True)
class ModelVersion:
    """A version in the registry.

    Attributes:
        version: Its number, from 1.
        uri: Folder of its SavedModel.
        digest: SHA-256 of the SavedModel's content.
        info: Metadata of the push, such as the run and the spans.
    """

    version: int
    uri: str
    digest: str
    info: dict[str, Any] = field(default_factory=dict)

    @property
    def newest_span(self) -> str:
        """The newest span that it trained on or was judged on; empty if unknown."""
        if self.info.get("span"):
            return str(self.info["span"])
        spans = self.info.get("eval_spans") or self.info.get("train_spans") or [""]
        return str(spans[-1])


class AliasMovedError(Exception):
    """Somebody else moved the alias since it was read.

    Attributes:
        current: The version that the alias points at now; None for no version.
    """

    def __init__(self, alias: str, current: int | None, expected: int | None) -> None:
        super().__init__(
            f"'{alias}' points at {_version_words(current)} now, not at {_version_words(expected)}"
        )
        self.current = current


@dataclass(frozen=True)
class Registry:
    """A registry of models.

    Attributes:
        uri: Its folder, `Store(...).models_uri`.
    """

    uri: str

    def versions(self) -> list[ModelVersion]:
        """List the complete versions, oldest first."""
        found = [self._version(number) for number in self._numbers()]
        return [version for version in found if version]

    def get(self, version: int) -> ModelVersion:
        """Return a version.

        Raises:
            RetrainerError: If the number is unknown.
        """
        found = self._version(version)
        if found is None:
            known = ", ".join(str(one.version) for one in self.versions()) or "none"
            raise RetrainerError(
                f"there is no version {version} in the registry '{self.uri}' (there are: {known})."
            )
        return found

    def resolve(self, alias: str) -> ModelVersion | None:
        """Return the version that an alias points at.

        Args:
            alias: Such as `champion`.

        Returns:
            The version; None if the alias was never set, or was removed.

        Raises:
            RetrainerError: If it points at a version that is not complete.
        """
        version = self.version_of(alias)
        return None if version is None else self.get(version)

    def version_of(self, alias: str) -> int | None:
        """Return the number that an alias points at, even if that version is broken; None for no version."""
        newest = self._alias(alias).newest()
        return newest.content["version"] if newest else None

    def evaluation(self, version: int) -> tuple[SliceMetrics, ...]:
        """Read the metrics of a version as the gate measured them, all rows first; none if they were not kept."""
        return self.evaluation_summary(version).slices

    def evaluation_summary(self, version: int) -> EvaluationSummary:
        """Read what the gate measured of a version, and its verdict; empty if it was not kept."""
        return EvaluationSummary.read(self._version_uri(version))

    def add(
        self,
        folder: str,
        digest: str,
        info: dict[str, Any],
        describe: Callable[[ModelVersion], Mapping[str, str]] | None = None,
    ) -> ModelVersion:
        """Copy a SavedModel into the registry, unless a version has the same content.

        Args:
            folder: The SavedModel, a local folder.
            digest: SHA-256 of its content.
            info: Metadata to keep.
            describe: Returns the text of further files by name, which are written beside the record before it.

        Returns:
            The version.
        """
        numbers = self._numbers()
        known = self._find(digest, numbers)
        if known:
            return known
        number = max(numbers, default=0) + 1
        # A number is reserved before anything is copied; if its writer dies, it stays without a record.
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
        for name, text in (describe(version) if describe else {}).items():
            write_atomic(join(self._version_uri(number), name), text)
        record = {"format": FORMAT, "version": number, "digest": digest, "info": info}
        write_json(join(self._version_uri(number), _RECORD), record)
        create_exclusive(self._digest_uri(digest), f"{number}\n")
        return version

    def move_alias(
        self, alias: str, version: int | None, expected: int | None, info: dict[str, Any]
    ) -> None:
        """Move an alias to a version, or remove it.

        Args:
            alias: Such as `champion`.
            version: The new version; None removes the alias.
            expected: The version that the caller read; None for no version.
            info: Metadata of the move.

        Raises:
            AliasMovedError: If it points elsewhere than `expected`.
        """
        records = self._alias(alias)
        newest = records.newest()
        current = newest.content["version"] if newest else None
        if current != expected:
            raise AliasMovedError(alias, current, expected)
        # The id distinguishes this call's entry from another writer's with the same content.
        entry = {"version": version, "previous": current, "id": uuid4().hex, **info}
        if records.append(entry, newest) is None:
            winner = records.newest()
            raise AliasMovedError(alias, winner.content["version"] if winner else None, expected)

    def _alias(self, alias: str) -> NumberedRecords:
        return NumberedRecords(join(self.uri, "aliases", alias))

    def _find(self, digest: str, numbers: list[int]) -> ModelVersion | None:
        """Find the version with a digest, without reading every version's record."""
        try:
            return self._version(int(read_json(self._digest_uri(digest))))
        except FileNotFoundError:
            # If a writer died after the record and before the entry by digest, it is the newest.
            newest = self._version(numbers[-1]) if numbers else None
            return newest if newest and newest.digest == digest else None

    def _version(self, number: int) -> ModelVersion | None:
        uri = join(self._version_uri(number), _RECORD)
        try:
            record = read_json(uri)
        except FileNotFoundError:
            return None
        # Records from before the format number have the keys of format 1.
        found = record.get("format", FORMAT)
        if found != FORMAT:
            raise RetrainerError(
                f"'{uri}' has format {found}, and this version of retrainer reads format {FORMAT}. Use the version of "
                "retrainer that pushed it, or a newer one."
            )
        model = join(self._version_uri(number), "model")
        return ModelVersion(record["version"], model, record["digest"], record.get("info") or {})

    def _version_uri(self, number: int) -> str:
        return join(self.uri, "versions", f"{number:06d}")

    def _digest_uri(self, digest: str) -> str:
        return join(self.uri, "digests", digest)

    def _numbers(self) -> list[int]:
        fs, path = filesystem(join(self.uri, "versions"))
        fs.invalidate_cache(path)
        try:
            found = fs.ls(path, detail=False)
        except FileNotFoundError:
            return []
        names = [name.rstrip("/").rpartition("/")[2] for name in found]
        return sorted(int(name) for name in names if re.fullmatch(r"\d+", name))


def _version_words(version: int | None) -> str:
    return "no version" if version is None else f"version {version}"
