"""Beam pipelines of components: in this process, or on an engine whose workers are elsewhere.

Importing this module imports Beam's pipeline layer, so only what runs a pipeline imports it.
"""

import re
import signal
import threading
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import apache_beam as beam
from apache_beam.options.pipeline_options import (
    FlinkRunnerOptions,
    GoogleCloudOptions,
    PipelineOptions,
    PortableOptions,
    SetupOptions,
    StandardOptions,
)

from ..errors import RetrainerError
from ..progress import progress
from ..uris import join
from .arguments import check_arguments
from .beam_files import FsspecFileSystem
from .endpoint import check_endpoint
from .failures import explain_failure, job_named
from .places import check_reached, local_scratch, shared_folder, store_of, worker_uri
from .runners import works_here
from .worker_image import check_image

_IN_PROCESS = "FnApiRunner"
_DIRECT_RUNNERS = ("directrunner", "direct", "switchingdirectrunner", _IN_PROCESS.lower())
_DATAFLOW = ("dataflowrunner", "dataflow")
_JOB_NAME = 63
_PLUGIN = f"{FsspecFileSystem.__module__}.{FsspecFileSystem.__name__}"


@dataclass(frozen=True)
class Engine:
    """An engine for one component's pipelines.

    Attributes:
        component: The component's name.
        is_here: Whether the workers are in this process.
        folder: A folder that this process and the workers share; its `worker_uri` is itself.
    """

    component: str
    is_here: bool
    folder: str
    _beam_args: tuple[str, ...]

    @contextmanager
    def pipeline(self) -> Iterator[beam.Pipeline]:
        """Run what the block builds.

        Yields:
            The pipeline, which is run when the block ends.

        Raises:
            RetrainerError: If it fails on an engine, in a few lines. What the DirectRunner raises is raised as it is.
        """
        options = self._options()
        name = _name(options)
        try:
            pipeline = beam.Pipeline(options=options)
        except ValueError as error:
            # Beam checks what a runner needs: an unknown runner, a missing project.
            said = str(error).rstrip(".")
            raise RetrainerError(
                f"{self.component} can't run on {name}. {said}. See engine in retrain.yaml."
            ) from error
        yield pipeline
        if _is_direct(options):
            pipeline.run().wait_until_finish()
            return
        job = None
        try:
            with _ending_by_exit():
                job = pipeline.run()
                progress(f"{self.component} runs on {name} {job_named(job, options)}".rstrip())
                job.wait_until_finish()
        except RetrainerError:
            raise
        except Exception as error:
            raise explain_failure(self.component, name, error, job, options) from error
        except BaseException:
            if job is not None:
                # Nobody waits for it any longer, and an engine's machines cost.
                with suppress(Exception):
                    job.cancel()
            raise

    def _options(self) -> PipelineOptions:
        options = pipeline_options(self._beam_args)
        if _is_direct(options):
            return options
        setup = options.view_as(SetupOptions)
        if setup.save_main_session is None:
            # The task's own program is nothing that a worker needs.
            setup.save_main_session = False
        setup.beam_plugins = [*(setup.beam_plugins or ()), _PLUGIN]
        cloud = options.view_as(GoogleCloudOptions)
        cloud.job_name = job_name(cloud.job_name, self.component)
        if _runner(options) in _DATAFLOW:
            cloud.temp_location = cloud.temp_location or join(self.folder, "beam")
            cloud.staging_location = cloud.staging_location or join(self.folder, "staging")
        return options


@contextmanager
def _ending_by_exit() -> Iterator[None]:
    """Let SIGTERM, by which Kubernetes and Vertex AI stop a task, end this process by an exception."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, _: object) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def open_engine(
    component: str, beam_args: Sequence[str], uris: Iterable[str], temporary: str = ""
) -> Iterator[Engine]:
    """Prepare an engine for a component's pipelines.

    Args:
        component: The component's name.
        beam_args: Beam's own arguments; none runs in this process.
        uris: What the workers read and write.
        temporary: Where the files go that workers and task share, unless there is a `temp_location`; empty for the
            store that the first of `uris` is a span's version in.

    Yields:
        The engine. Its folder is deleted afterwards.

    Raises:
        RetrainerError: If the arguments can't be used, the engine does not answer, or workers can't reach something.
    """
    arguments = check_arguments(beam_args)
    check_endpoint(*arguments)
    if works_here(*arguments):
        with local_scratch() as folder:
            yield Engine(component, True, folder, tuple(beam_args))
        return
    options = pipeline_options(beam_args)
    name = _name(options)
    read = [worker_uri(uri) for uri in uris]
    check_reached(read, name)
    check_image(arguments, name)
    location = options.view_as(GoogleCloudOptions).temp_location
    parent = worker_uri(location or temporary or store_of(read[0]).temporary_uri)
    check_reached([parent], name)
    with shared_folder(parent, component) as folder:
        yield Engine(component, False, folder, tuple(beam_args))


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
    if _is_direct(options):
        options.view_as(StandardOptions).runner = _IN_PROCESS
    return options


def runs_here(beam_args: Sequence[str]) -> bool:
    """Report whether the workers of a pipeline run in this process.

    Args:
        beam_args: Beam's own arguments.

    Raises:
        RetrainerError: If they can't be used.
    """
    return works_here(*check_arguments(beam_args))


def job_name(given: str | None, component: str) -> str:
    """Name a job: by the name that was given, if any, the component, and at random.

    Dataflow takes lower case, digits and hyphens, from a letter to a letter or digit
    (apache_beam/options/pipeline_options_validator.py, `JOB_PATTERN`), at most 63 characters
    (apache_beam/runners/dataflow/internal/apiclient.py, `Job._build_default_job_name`).
    """
    end = f"-{component}-{uuid.uuid4().hex[:8]}"
    start = (given or "retrainer")[: _JOB_NAME - len(end)]
    name = re.sub(r"[^a-z0-9]+", "-", f"{start}{end}".lower()).strip("-")
    return name if name[0].isalpha() else f"r{name[1:]}"


def _is_direct(options: PipelineOptions) -> bool:
    return _runner(options) in ("", *_DIRECT_RUNNERS)


def _runner(options: PipelineOptions) -> str:
    return (options.view_as(StandardOptions).runner or "").rpartition(".")[2].lower()


def _name(options: PipelineOptions) -> str:
    """Name an engine for messages, such as `PortableRunner at localhost:8099`."""
    runner = (options.view_as(StandardOptions).runner or "").rpartition(".")[2]
    endpoint = options.view_as(PortableOptions).job_endpoint
    if endpoint:
        return f"{runner} at {endpoint}"
    master = options.view_as(FlinkRunnerOptions).flink_master
    return f"{runner} at {master}" if runner == "FlinkRunner" else runner
