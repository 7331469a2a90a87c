"""Running a retrain.yaml on this machine."""

from collections.abc import Iterator
from contextlib import contextmanager

from ...components.lib.errors import RetrainerError
from ...components.lib.uris import filesystem, is_local
from ..definitions.compiling import compile_spec
from ..local.observer import RunObserver
from ..local.runner import LocalRunner
from ..project.config import LoadedConfig
from ..project.installed import check_libraries
from ..project.sections.notify import NotifyConfig
from ..runs.records import RunRecord, find_run
from ..runs.run_ids import new_run_id


@contextmanager
def warm_runner() -> Iterator[LocalRunner]:
    """Start a runner that loads the libraries while the caller gets ready.

    Yields:
        The runner; its processes end with the block.

    Raises:
        RetrainerError: If the libraries are not installed.
    """
    check_libraries()
    with LocalRunner() as local:
        local.warm_up()
        yield local


def run_locally(
    local: LocalRunner,
    loaded: LoadedConfig,
    observer: RunObserver,
    *,
    span: str = "latest",
    allow_older: bool = False,
    run_id: str | None = None,
    resume: str | None = None,
    caching: bool | None = None,
    notify: bool = True,
) -> RunRecord:
    """Compile a retrain.yaml and run what was compiled.

    Args:
        local: The runner.
        loaded: The configuration.
        observer: Who is told what happens.
        span: The window's newest span, or `latest`.
        allow_older: Whether the model may replace a champion that has seen newer spans.
        run_id: Name of the run; made of the pipeline's name and the time if not given.
        resume: The failed run to go on with, or `last`.
        caching: False to do every task anew.
        notify: Whether those are notified whom `notify` names.

    Returns:
        The run's record, whatever became of it.

    Raises:
        RetrainerError: If the run can't start.
        RunInterrupted: On SIGINT, SIGTERM or SIGHUP, after every task was ended.
    """
    if not notify:
        quiet = loaded.config.model_copy(update={"notify": NotifyConfig()})
        loaded = loaded.model_copy(update={"config": quiet})
    config = loaded.config
    if not is_local(config.artifacts_uri):
        raise RetrainerError(
            f"pipeline_root is '{config.artifacts_uri}', and a run on this machine writes its artifacts to a local "
            "folder. Set pipeline_root to one; the store may stay where it is."
        )
    parameters = {"span": span, "allow_older": str(allow_older).lower()}
    if resume:
        earlier = find_run(config.store, resume)
        run_id = earlier.run_id
        parameters |= {
            name: earlier.parameters[name] for name in parameters if name in earlier.parameters
        }
    return local.run(
        compile_spec(loaded),
        store=config.store,
        pipeline_root=filesystem(config.artifacts_uri)[1],
        run_id=run_id or new_run_id(config.name),
        parameters=parameters,
        resume=bool(resume),
        caching=caching,
        observer=observer,
    )
