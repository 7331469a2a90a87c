"""The pipeline that looks at a rollout, for a schedule."""

from typing import Any

from kfp import dsl

from ...components import watch_rollout as component
from ...components.lib.errors import RetrainerError
from ..project.config import LoadedConfig
from .run_tasks import RUN, notified, set_up


def watch_rollout(loaded: LoadedConfig) -> Any:
    """Build the pipeline of a retrain.yaml.

    Args:
        loaded: The configuration.

    Returns:
        A KFP pipeline, ready for kfp's compiler. Its parameter is `store`.

    Raises:
        RetrainerError: If the file has no `serving.rollout`.
    """
    config = loaded.config
    rollout = config.serving.rollout
    if rollout is None:
        raise RetrainerError(
            f"{loaded.path}: there is no serving.rollout, so there is nothing to watch. Set it, with the pattern of "
            "the observations at least."
        )
    section = rollout.model_dump(mode="json", exclude_none=True, exclude={"schedule"})

    def look(store: Any) -> None:
        task = component(
            store=store,
            services=config.serving.deploy.services(),
            pipeline=config.name,
            rollout=section,
            **RUN,
        )
        set_up(task, "watch_rollout", loaded)

    @dsl.pipeline(
        name=loaded.pipeline_name, description="A look at a rollout, compiled by retrainer."
    )
    def pipeline(store: str = config.store) -> None:
        """Look at a rollout.

        Args:
            store: URI of the store.
        """
        with notified(loaded, store, "watch"):
            look(store)

    return pipeline
