"""The registry of models: numbered versions, and aliases such as `champion` that point at one.

Both are append-only: a version's folder is written once and its record last, and moving an alias adds a numbered
record. So a reader never sees a partial model, and of two writers who both read champion 3, one gets an error.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from ..digests import digest_folder
from ..errors import RetrainerError
from ..moments import now_text
from ..numbered_records import NumberedRecords
from ..uris import create_exclusive, join, list_names, read_json, write_atomic, write_json
from .aliases import RETIRE, ROLLBACK, Alias, AliasMove, AliasMovedError, Hold
from .evaluation_summary import EvaluationSummary, SliceMetrics
from .model_files import copy_model, remove_model
from .model_versions import (
    FORMAT,
    MODEL_FOLDER,
    RECORD_FILE,
    Incomplete,
    ModelVersion,
    examine,
    read_deletion,
    read_version,
)

__all__ = ["CHAMPION", "AliasMovedError", "Incomplete", "ModelVersion", "Registry"]

CHAMPION = "champion"
_READERS = 16


@dataclass(frozen=True)
class Registry:
    """A registry of models.

    Attributes:
        uri: Its folder, `Store(...).models_uri`.
    """

    uri: str

    def versions(self) -> list[ModelVersion]:
        """List the complete versions, oldest first."""
        return self.survey()[0]

    def survey(self) -> tuple[list[ModelVersion], list[Incomplete]]:
        """List the complete versions, and the folders that are none, oldest first."""
        with ThreadPoolExecutor(_READERS) as pool:
            found = list(pool.map(self.examine, self.numbers()))
        versions = [examined for examined in found if isinstance(examined, ModelVersion)]
        return versions, [examined for examined in found if isinstance(examined, Incomplete)]

    def find(self, version: int) -> ModelVersion | None:
        """Return a version; None if there is no complete one of this number."""
        found = self.examine(version)
        return found if isinstance(found, ModelVersion) else None

    def get(self, version: int) -> ModelVersion:
        """Return a version.

        Raises:
            RetrainerError: If the number is unknown, or its record can't be read.
        """
        found = read_version(self.version_uri(version))
        if found is None:
            known = ", ".join(str(one.version) for one in self.versions()) or "none"
            raise RetrainerError(
                f"there is no version {version} in the registry '{self.uri}' (there are: {known})."
            )
        return found

    def get_complete(self, version: int) -> ModelVersion:
        """Return a version that can serve.

        Raises:
            RetrainerError: If the number is unknown, its record can't be read, or its model is missing.
        """
        found = self.get(version)
        examined = self.examine(version)
        if isinstance(examined, Incomplete):
            raise RetrainerError(
                f"version {version} in '{self.uri}' is incomplete: {examined.reason}. Restore it from a copy, or name "
                "another version."
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
        newest = self.alias(alias).newest()
        return newest.version if newest else None

    def alias(self, name: str) -> Alias:
        """Open the history of an alias."""
        return Alias(name, NumberedRecords(join(self.uri, "aliases", name)))

    def aliases(self) -> list[Alias]:
        """List the aliases that were ever set."""
        return [self.alias(name) for name in list_names(join(self.uri, "aliases"))]

    def evaluation(self, version: int) -> tuple[SliceMetrics, ...]:
        """Read the metrics of a version as the gate measured them, all rows first; none if they were not kept."""
        return self.evaluation_summary(version).slices

    def evaluation_summary(self, version: int) -> EvaluationSummary:
        """Read what the gate measured of a version, and its verdict; empty if it was not kept."""
        return EvaluationSummary.read(self.version_uri(version))

    def add(
        self,
        folder: str,
        digest: str,
        info: dict[str, Any],
        describe: Callable[[ModelVersion], Mapping[str, str]] | None = None,
        check: Callable[[str], None] | None = None,
    ) -> ModelVersion:
        """Copy a SavedModel into the registry, unless a version has the same content.

        Args:
            folder: The SavedModel, a local folder.
            digest: SHA-256 of its content.
            info: Metadata to keep.
            describe: Returns the text of further files by name, which are written beside the record before it.
            check: Takes the digest of what was copied, and raises if it is another model; then nothing is added.

        Returns:
            The version.
        """
        numbers = self.numbers()
        known = self._find(digest, numbers)
        if known:
            if check:
                check(digest_folder(folder))
            return known
        number = max(numbers, default=0) + 1
        # A number is reserved before anything is copied; if its writer dies, it stays without a record.
        while not create_exclusive(join(self.version_uri(number), "reserved"), ""):
            number += 1
        uri = join(self.version_uri(number), MODEL_FOLDER)
        copied = copy_model(folder, uri)
        if check:
            try:
                check(copied.digest)
            except RetrainerError:
                remove_model(self.version_uri(number))
                raise
        version = ModelVersion(number, uri, digest, info, copied.files, copied.bytes)
        for name, text in (describe(version) if describe else {}).items():
            write_atomic(join(self.version_uri(number), name), text)
        sizes = {"files": copied.files, "bytes": copied.bytes}
        record = {"format": FORMAT, "version": number, "digest": digest, **sizes, "info": info}
        write_json(join(self.version_uri(number), RECORD_FILE), record)
        # An earlier entry names a version that is deleted or damaged.
        write_atomic(self.digest_uri(digest), f"{number}\n")
        return version

    def move_alias(
        self, alias: str, version: int | None, expected: int | None, info: Mapping[str, Any]
    ) -> None:
        """Move an alias to a version, or remove it.

        Args:
            alias: Such as `champion`.
            version: The new version; None removes the alias.
            expected: The version that the caller read; None for no version.
            info: Metadata of the move.

        Raises:
            AliasMovedError: If it points elsewhere than `expected`.
            RetrainerError: If the version is being deleted.
        """
        newest = self.alias(alias).newest()
        current = newest.version if newest else None
        if current != expected:
            raise AliasMovedError(alias, current, expected)
        self.move(alias, version, newest, info)

    def move(
        self,
        alias: str,
        version: int | None,
        after: AliasMove | None,
        info: Mapping[str, Any],
        held: Sequence[Hold] | None = None,
    ) -> None:
        """Move an alias to a version, or remove it, and change what is held.

        Args:
            alias: Such as `champion`.
            version: The new version; None removes the alias.
            after: The newest move as the caller read it; None if there was none.
            info: Metadata of the move.
            held: The versions that are held afterwards; as before if not given.

        Raises:
            AliasMovedError: If somebody else moved the alias meanwhile.
            RetrainerError: If the version is being deleted.
        """
        made = self.alias(alias).append(version, after, info, held)
        # Who deletes a version announces it and then looks at the aliases; so one of the two sees the other.
        if version is not None and read_deletion(self.version_uri(version)) is not None:
            before = after.version if after else None
            now = now_text()
            why = f"version {version} was deleted at the same time"
            undone = {"action": RETIRE if before is None else ROLLBACK, "at": now, "why": why}
            self.alias(alias).append(before, made, undone, after.held if after else ())
            raise RetrainerError(
                f"version {version} in '{self.uri}' is deleted by another command, so it was not put into service."
            )

    def numbers(self) -> list[int]:
        """List the numbers that were ever given, in order."""
        return sorted(
            int(name)
            for name in list_names(join(self.uri, "versions"))
            if re.fullmatch(r"\d+", name)
        )

    def version_uri(self, number: int) -> str:
        """Return the folder of a version's record and of what lies beside it."""
        return join(self.uri, "versions", f"{number:06d}")

    def digest_uri(self, digest: str) -> str:
        """Return the file that names the version of a content."""
        return join(self.uri, "digests", digest)

    def examine(self, number: int) -> ModelVersion | Incomplete:
        """Read a version, or find out what its folder lacks."""
        return examine(number, self.version_uri(number))

    def _find(self, digest: str, numbers: list[int]) -> ModelVersion | None:
        """Find the version with a digest that can serve, without reading every version's record."""
        try:
            number = int(read_json(self.digest_uri(digest)))
        except (FileNotFoundError, RetrainerError, TypeError, ValueError):
            # If a writer died after the record and before the entry by digest, it is the newest.
            number = numbers[-1] if numbers else 0
        found = self.find(number)
        if found is None or found.digest != digest:
            return None
        # One that is being deleted is gone soon.
        return None if read_deletion(self.version_uri(number)) is not None else found
