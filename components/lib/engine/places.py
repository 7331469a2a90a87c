"""Where Beam's workers read and write: URIs that they reach, and a folder that they share with the task."""

import os
import shutil
import tempfile
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from ..errors import RetrainerError
from ..examples import SpanPart
from ..folders import remove_old_folder
from ..store import Store
from ..uris import filesystem, is_local, join, list_names

_MOUNTS = {"/gcs/": "gs://"}
# A killed task leaves its folder; nothing runs for so long.
LEFTOVER_SECONDS = 7 * 24 * 3600


def worker_uri(path: str) -> str:
    """Name a path as Beam's workers reach it.

    On Vertex AI a task sees buckets as folders below `/gcs/`, which Beam's workers do not have.

    Args:
        path: A path or URI in this task.

    Returns:
        The `gs://` URI of a path below `/gcs/`; any other path as it is.
    """
    for mount, scheme in _MOUNTS.items():
        if path.startswith(mount):
            return f"{scheme}{path.removeprefix(mount)}"
    return path


def worker_part(part: SpanPart) -> SpanPart:
    """Name a part's folder as workers reach it."""
    return replace(part, uri=worker_uri(part.uri))


def worker_files(parts: Iterable[SpanPart]) -> list[SpanPart]:
    """List each file of some parts as a part by itself, where workers reach it: a work item for each."""
    return [file for part in parts for file in worker_part(part).one_by_one()]


def check_reached(uris: Iterable[str], engine: str) -> None:
    """Check that workers on other machines reach some URIs.

    Args:
        uris: What they read or write, as `worker_uri` names it.
        engine: What to call the engine.

    Raises:
        RetrainerError: If one is on this machine alone.
    """
    for uri in uris:
        if is_local(uri):
            raise RetrainerError(
                f"the workers of {engine} can't reach '{uri}', a folder of this machine. Name a bucket (gs://, s3://) "
                "as store, or leave the engine out, so that the component runs in its own process."
            )


def store_of(version_uri: str) -> Store:
    """Return the store that a version of a span is in.

    Args:
        version_uri: Its folder, `<store>/spans/<span>/<version>`.

    Raises:
        RetrainerError: If it is in none.
    """
    root, spans, *rest = version_uri.rstrip("/").rsplit("/", 3)
    if spans != "spans" or len(rest) != 2:
        raise RetrainerError(
            f"'{version_uri}' is in no store, so there is no place for the engine's temporary files. Set temp_location "
            "in the engine's options."
        )
    return Store(root)


@contextmanager
def shared_folder(parent: str, name: str) -> Iterator[str]:
    """Name a folder that this task and its workers share, and delete it afterwards.

    Args:
        parent: A URI that both reach. What killed tasks left there is deleted after a week.
        name: What its name starts with.

    Yields:
        The folder's URI.
    """
    _remove_leftovers(parent)
    folder = join(parent, f"{name}-{uuid.uuid4().hex}")
    try:
        yield folder
    finally:
        _remove(folder)


@contextmanager
def local_scratch() -> Iterator[str]:
    """Make a temporary folder of this machine, and delete it afterwards."""
    with tempfile.TemporaryDirectory(prefix="retrainer-beam-") as folder:
        yield folder


def upload(folder: str | os.PathLike[str], uri: str) -> None:
    """Copy a local folder's files to a URI."""
    source = Path(folder)
    fs, path = filesystem(uri)
    for file in sorted(file for file in source.rglob("*") if file.is_file()):
        target = f"{path}/{file.relative_to(source).as_posix()}"
        if is_local(uri):
            os.makedirs(os.path.dirname(target), exist_ok=True)
        fs.put_file(str(file), target)


def download(uri: str, folder: str | os.PathLike[str]) -> None:
    """Copy the files at a URI to a local folder, which is made if missing."""
    fs, path = filesystem(uri)
    os.makedirs(folder, exist_ok=True)
    for source in fs.find(path):
        relative = source[len(path) :].lstrip("/")
        if relative and not relative.endswith("/"):
            target = Path(folder, relative)
            target.parent.mkdir(parents=True, exist_ok=True)
            fs.get_file(source, str(target))


def _remove(folder: str) -> None:
    if is_local(folder):
        shutil.rmtree(folder, ignore_errors=True)
        return
    fs, path = filesystem(folder)
    if fs.exists(path):
        fs.rm(path, recursive=True)


def _remove_leftovers(parent: str) -> None:
    # Another task may remove them meanwhile.
    with suppress(FileNotFoundError):
        for name in list_names(parent):
            remove_old_folder(join(parent, name), LEFTOVER_SECONDS)
