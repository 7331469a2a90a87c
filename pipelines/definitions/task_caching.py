"""Which tasks' earlier results may be used, by whoever runs the pipeline and by the tasks themselves."""

from typing import Any

from ...components.lib.digests import digest_value
from ...components.lib.engine.runners import image_options
from ...components.lib.runs.reuse import VARIABLE
from ..project.config import LoadedConfig
from ..project.engines import component_engine
from ..project.sections.tasks import NEVER_CACHED


def is_cached(task: str, loaded: LoadedConfig) -> bool:
    """Return whether the service that runs the pipeline may use a task's earlier result.

    Args:
        task: Name of its component.
        loaded: The configuration.
    """
    config = loaded.config
    settings = config.tasks.of(task)
    if task in NEVER_CACHED:
        return False
    if settings.caching is None:
        # Its cache knows an image by its name alone, so a tag that moved would bring results of other code.
        moves = (settings.image or config.image) in loaded.moving_images
        engine = component_engine(config, task)
        names = image_options(engine.runner, engine.options)
        workers = {engine.worker_image, *(engine.options[name] for name in names)}
        return not moves and not workers & loaded.moving_images
    return settings.caching


def reuse_arguments(task: str, loaded: LoadedConfig, store: Any) -> dict[str, Any]:
    """Return the arguments by which a task finds its earlier results in the store.

    Args:
        task: Name of its component.
        loaded: The configuration.
        store: The pipeline's parameter.

    Returns:
        `store` and `reuse_salt`; nothing if the task's caching is off. An image that is not pinned does not matter
        here: the key holds the code that the image really has.
    """
    settings = loaded.config.tasks.of(task)
    if settings.caching is False:
        return {}
    # The user's code may read them, and the services' caches have them in their keys, too.
    env = {name: value for name, value in settings.env.items() if name != VARIABLE}
    return {"store": store, **({"reuse_salt": digest_value(env)} if env else {})}
