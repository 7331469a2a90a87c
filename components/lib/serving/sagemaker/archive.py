"""`model.tar.gz` in S3: a SavedModel as SageMaker's container for TensorFlow Serving takes it.

The container looks for `<model>/<number>/saved_model.pb` in what the archive unpacks to
(aws/sagemaker-tensorflow-serving-container docker/build_artifacts/sagemaker/tfs_utils.py, `find_models`). The same
content gives the same bytes: files in order, without times and owners.
"""

import gzip
import hashlib
import tarfile
import tempfile
from pathlib import PurePosixPath
from typing import IO, Any, cast

from ...errors import RetrainerError
from ...progress import progress
from ...uris import filesystem
from ..interface import ServedModel
from .api_errors import ApiError
from .clients import Clients
from .settings import Settings

NAME = "model.tar.gz"
_MODEL = "model"
_DIGEST = "retrainer-digest"
# Variables compress little, and the fastest level takes a third of the default's time.
_LEVEL = 1


def archive_uri(settings: Settings, model: ServedModel) -> str:
    """Return where the archive of a version is: the version's content has a folder of its own."""
    folder = settings.model_data.rstrip("/")
    return f"{folder}/{settings.endpoint}/v{model.version}-{model.digest[:12]}/{NAME}"


def upload(clients: Clients, settings: Settings, model: ServedModel) -> None:
    """Put a version's archive in S3, unless it is there. An upload appears whole or not at all.

    Args:
        clients: The clients.
        settings: The endpoint's.
        model: The version.

    Raises:
        ServiceError: If S3 refuses or does not answer.
        RetrainerError: If the version's files are not those that were pushed.
    """
    bucket, key = split(archive_uri(settings, model))
    if _is_there(clients, bucket, key, model.digest):
        return
    progress(f"packing version {model.version} for SageMaker")
    with tempfile.TemporaryFile() as file:
        write_archive(model, file)
        file.seek(0)
        progress(f"uploading version {model.version} to s3://{bucket}")
        with clients.s3("s3:PutObject") as s3:
            s3.upload_fileobj(
                file,
                bucket,
                key,
                ExtraArgs={
                    "ContentType": "application/gzip",
                    "Metadata": {_DIGEST: model.digest, "retrainer-version": str(model.version)},
                },
            )


def remove(clients: Clients, uri: str) -> None:
    """Remove an archive; a missing one is no error.

    Raises:
        ServiceError: If S3 refuses or does not answer.
    """
    bucket, key = split(uri)
    with clients.s3("s3:DeleteObject") as s3:
        s3.delete_object(Bucket=bucket, Key=key)


def write_archive(model: ServedModel, file: IO[bytes]) -> None:
    """Write a version's archive, file by file.

    Args:
        model: The version.
        file: Where to.

    Raises:
        RetrainerError: If the version's files are not those that were pushed.
    """
    fs, root = filesystem(model.uri)
    # As `digest_folder` orders them.
    found = {
        PurePosixPath(path[len(root) :].lstrip("/")): info
        for path, info in fs.find(root, detail=True).items()
        if info["type"] == "file" and not path.endswith("/")
    }
    total = hashlib.sha256()
    with (
        gzip.GzipFile(
            filename="", mode="wb", compresslevel=_LEVEL, fileobj=file, mtime=0
        ) as packed,
        tarfile.open(fileobj=packed, mode="w|", format=tarfile.GNU_FORMAT) as tar,
    ):
        for name in sorted(found):
            entry = tarfile.TarInfo(f"{_MODEL}/{model.version}/{name}")
            entry.size, entry.mode = int(found[name]["size"]), 0o644
            with fs.open(f"{root}/{name}", "rb") as source:
                reader = _Hashed(source)
                try:
                    tar.addfile(entry, cast(IO[bytes], reader))
                except OSError as error:
                    raise _damaged(model) from error
            total.update(str(name).encode() + b"\0" + reader.digest.hexdigest().encode() + b"\n")
    if total.hexdigest() != model.digest:
        raise _damaged(model)


def split(uri: str) -> tuple[str, str]:
    """Split an `s3://` URI into bucket and key."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key


class _Hashed:
    """Hashes a file while it is read."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        block: bytes = self._file.read(size)
        self.digest.update(block)
        return block


def _is_there(clients: Clients, bucket: str, key: str, digest: str) -> bool:
    try:
        with clients.s3("s3:GetObject") as s3:
            metadata = s3.head_object(Bucket=bucket, Key=key)["Metadata"]
    except ApiError as error:
        # S3 says 403 for a missing object to an account that may not list the bucket.
        if error.is_missing or error.code == "403":
            return False
        raise
    return bool(metadata.get(_DIGEST) == digest)


def _damaged(model: ServedModel) -> RetrainerError:
    return RetrainerError(
        f"version {model.version} at '{model.uri}' is not the model that was pushed: its files have another digest. "
        "Restore the folder from a copy, or roll back to another version."
    )
