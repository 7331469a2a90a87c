"""What the tasks of every pipeline share: the run they are of, their settings, and the exit task that notifies."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from kfp import dsl

from ...components import notify_outcome
from ..project.config import LoadedConfig
from .task_caching import is_cached
from .task_settings import apply_settings

RUN = {
    "run": dsl.PIPELINE_JOB_NAME_PLACEHOLDER,
    "run_uuid": dsl.PIPELINE_JOB_ID_PLACEHOLDER,
}
"""Which run a task is of: only for tasks that are never cached, since it is another one in each run."""


def set_up(task: Any, component: str, loaded: LoadedConfig) -> None:
    """Give a task the settings of its component.

    Args:
        task: A task of the pipeline that is being built.
        component: Name of its component.
        loaded: The configuration.
    """
    config = loaded.config
    task.set_caching_options(is_cached(component, loaded))
    apply_settings(task, config.tasks.of(component), config.image)


@contextmanager
def notified(loaded: LoadedConfig, store: Any, name: str) -> Iterator[None]:
    """Put the tasks that are made in the block before an exit task that notifies, if there is a channel to notify.

    Args:
        loaded: The configuration.
        store: The pipeline's parameter of that name.
        name: Name of the group of tasks.

    Yields:
        Nothing.
    """
    config = loaded.config
    channels = config.notify.channels()
    if not channels:
        yield
        return
    last = notify_outcome(
        store=store,
        pipeline=loaded.pipeline_name,
        channels=channels,
        kubeflow_url=config.targets.kubeflow.host or "",
        **RUN,
    )
    set_up(last, "notify_outcome", loaded)
    with dsl.ExitHandler(last, name=name):
        yield
