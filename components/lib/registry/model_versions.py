"""One version of the registry: its folder, its record, and what is wrong with a folder that is none."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..digests import digest_value
from ..errors import RetrainerError
from ..record_fields import known_fields
from ..record_format import check_format
from ..uris import filesystem, join, read_json

FORMAT = 1
RECORD_FILE, MODEL_FOLDER, DELETED_FILE = "version.json", "model", "deleted.json"
CARD_FILE, CARD_PAGE = "model_card.json", "model_card.html"
_RESTORE = "Restore it from a copy, or delete the version."


@dataclass(frozen=True)
class ModelVersion:
    """A version in the registry.

    Attributes:
        version: Its number, from 1.
        uri: Folder of its SavedModel.
        digest: SHA-256 of the SavedModel's content.
        info: Metadata of the push, such as the run and the spans.
        files: Number of its model's files; None if it was not recorded.
        bytes: Size of its model; None if it was not recorded.
    """

    version: int
    uri: str
    digest: str
    info: dict[str, Any] = field(default_factory=dict)
    files: int | None = None
    bytes: int | None = None

    @property
    def newest_span(self) -> str:
        """The newest span that it trained on or was judged on; empty if unknown."""
        if self.info.get("span"):
            return str(self.info["span"])
        spans = self.info.get("eval_spans") or self.info.get("train_spans") or [""]
        return str(spans[-1])


@dataclass(frozen=True)
class Incomplete:
    """A folder among the versions that is no version.

    Attributes:
        version: Its number.
        reason: What is missing or wrong, without a full stop.
        deleted: Who deleted it, when and why, if it was deleted; empty otherwise.
    """

    version: int
    reason: str
    deleted: Mapping[str, Any] = field(default_factory=dict)


def training_digest(info: Mapping[str, Any]) -> str:
    """Hash what a training was made of, as far as a version's metadata has it.

    Args:
        info: Metadata of a version.

    Returns:
        SHA-256 of data, code, hyperparameters and settings; empty if data or code are unknown.
    """
    if not info.get("data_digest") or not info.get("code_digest"):
        return ""
    keys = ("data_digest", "code_digest", "hyperparameters", "training")
    return digest_value([info.get(key) for key in keys])


def read_version(folder: str) -> ModelVersion | None:
    """Read the record of a version.

    Args:
        folder: The version's folder.

    Returns:
        The version; None if there is no record.

    Raises:
        RetrainerError: If the record is damaged, or has another format.
    """
    uri = join(folder, RECORD_FILE)
    try:
        record = read_json(uri, _RESTORE)
    except FileNotFoundError:
        return None
    # Records from before the format number have the keys of format 1.
    numbered = {"format": FORMAT, **record} if isinstance(record, dict) else record
    check_format(numbered, FORMAT, f"'{uri}'")
    missing = [key for key in ("version", "digest") if key not in record]
    if missing:
        raise RetrainerError(f"'{uri}' lacks '{missing[0]}'. {_RESTORE}")
    try:
        known = known_fields(ModelVersion, {**record, "info": record.get("info") or {}})
        return ModelVersion(**{**known, "uri": join(folder, MODEL_FOLDER)})
    except ValueError as error:
        raise RetrainerError(
            f"'{uri}' is no record that retrainer wrote: {error}. {_RESTORE}"
        ) from error


def read_deletion(folder: str) -> Mapping[str, Any] | None:
    """Read who deleted a version, when and why; None if nobody did."""
    try:
        deleted: Mapping[str, Any] = read_json(join(folder, DELETED_FILE))
    except FileNotFoundError:
        return None
    return deleted


def examine(number: int, folder: str) -> ModelVersion | Incomplete:
    """Read a version, or find out what its folder lacks.

    Args:
        number: The version's number.
        folder: Its folder.
    """
    try:
        found = read_version(folder)
    except RetrainerError as error:
        return Incomplete(number, str(error).rstrip("."))
    if found is None:
        deleted = read_deletion(folder)
        if deleted is not None:
            return Incomplete(number, "it was deleted", deleted)
        return Incomplete(number, "it has no version.json: its push goes on, or was killed")
    missing = _missing(found)
    return Incomplete(number, f"its model '{found.uri}' {missing}") if missing else found


def _missing(version: ModelVersion) -> str:
    """Describe what the model's folder lacks, by names and sizes alone; empty if nothing."""
    fs, path = filesystem(version.uri)
    files = fs.find(path, detail=True)
    if not files:
        return "is missing"
    if version.files is None or version.bytes is None:
        return ""
    count, size = len(files), sum(int(file["size"]) for file in files.values())
    if (count, size) == (version.files, version.bytes):
        return ""
    return f"has {count:,} files of {size:,} bytes, and {version.files:,} of {version.bytes:,} were pushed"
