"""Beam pipelines: their options, and the paths and temporary folders that workers reach.

Importing this module imports Beam's pipeline layer, so only what runs a pipeline imports it.
"""

import shutil
import tempfile
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from apache_beam.options.pipeline_options import (
    GoogleCloudOptions,
    PipelineOptions,
    StandardOptions,
)

from .examples import SpanPart
from .library_output import written_locally
from .uris import filesystem, is_local, join

_MOUNT = "/gcs/"
_IN_PROCESS = "FnApiRunner"
_DIRECT_RUNNERS = ("directrunner", "direct", "switchingdirectrunner", _IN_PROCESS.lower())


def pipeline_options(beam_args: Sequence[str] = ()) -> PipelineOptions:
    """Read Beam's arguments.

    In place of the DirectRunner, which is also Beam's default, its in-process engine is chosen by name. The
    DirectRunner first looks for Prism, and downloads it (seen with Beam 2.72; `--direct_running_mode=in_memory` does
    not prevent that).

    Args:
        beam_args: Beam's own arguments, such as `--runner=DataflowRunner`; none runs in this process.

    Returns:
        The options for `beam.Pipeline`.
    """
    options = PipelineOptions(list(beam_args))
    if runs_here(options):
        options.view_as(StandardOptions).runner = _IN_PROCESS
    return options


def runs_here(options: PipelineOptions) -> bool:
    """Report whether a pipeline's workers run on this machine: the DirectRunner's do."""
    runner = options.view_as(StandardOptions).runner
    return not runner or runner.rpartition(".")[2].lower() in _DIRECT_RUNNERS


def worker_uri(path: str) -> str:
    """Name a path as Beam's workers reach it.

    On Vertex AI a task sees buckets as folders below `/gcs/`, which Beam's workers do not have.

    Args:
        path: A path or URI in this task.

    Returns:
        The `gs://` URI of a path below `/gcs/`; any other path as it is.
    """
    return f"gs://{path.removeprefix(_MOUNT)}" if path.startswith(_MOUNT) else path


def worker_files(parts: Iterable[SpanPart]) -> list[SpanPart]:
    """List each file of some parts as a part by itself, where workers reach it: a work item for each."""
    return [file for part in parts for file in worker_part(part).one_by_one()]


def worker_part(part: SpanPart) -> SpanPart:
    """Name a part's folder as workers reach it."""
    return replace(part, uri=worker_uri(part.uri))


@contextmanager
def shared_temporary_folder(options: PipelineOptions, beside: str) -> Iterator[str]:
    """Make a temporary folder that this process and the pipeline's workers reach, and delete it afterwards.

    Args:
        options: The pipeline's options. Workers on this machine get a local folder; others get one below
            `temp_location`, where that is set.
        beside: Where to make it otherwise: the path of what the pipeline writes, which its workers must reach too.

    Yields:
        The folder's path or URI.
    """
    if runs_here(options):
        with tempfile.TemporaryDirectory(prefix="retrainer-beam-") as folder:
            yield folder
        return
    name = f"retrainer-{uuid.uuid4().hex}"
    location = options.view_as(GoogleCloudOptions).temp_location
    folder = join(worker_uri(location), name) if location else f"{worker_uri(beside)}-{name}"
    try:
        yield folder
    finally:
        _remove(folder)


@contextmanager
def pipeline_output(options: PipelineOptions, output: str, last: str) -> Iterator[str]:
    """Choose where a pipeline writes an artifact: workers on this machine write locally, others to the artifact itself.

    Args:
        options: The pipeline's options.
        output: The artifact's folder.
        last: The file that completes the artifact; see `written_locally`.

    Yields:
        The local path to write to; its workers reach it by its `worker_uri`.
    """
    if not runs_here(options):
        yield output
        return
    with written_locally(output, last) as folder:
        yield folder


def _remove(folder: str) -> None:
    if is_local(folder):
        shutil.rmtree(folder, ignore_errors=True)
        return
    fs, path = filesystem(folder)
    if fs.exists(path):
        fs.rm(path, recursive=True)
