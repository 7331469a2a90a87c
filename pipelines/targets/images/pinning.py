"""Pinning container images to what they are now."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

from ....components.lib.engine.runners import image_options, runner_class
from ...project.config import LoadedConfig
from ...project.formats.image_names import ImageName, parse_image
from ...project.sections.engine import ComponentEngine, EngineConfig, EngineOverrideConfig
from .registry_api import NoDigestError, ask_digest

ENGINE_SECONDS = 20


@dataclass(frozen=True)
class Pinned:
    """An image's name, pinned or not.

    Attributes:
        image: `<repository>@sha256:...`, or the name as it was.
        reason: Why it is not named by digest, as the end of a sentence; empty if it is.
    """

    image: str
    reason: str = ""


def pin_image(image: str) -> Pinned:
    """Name an image by its digest, so that a run can't change under a moved tag.

    Its registry is asked, and never the images of this machine, which may have been pulled long ago. Where the registry
    does not answer this machine, a Docker engine is asked to ask it, since it may know a way or a login of its own.

    Args:
        image: Such as `europe-west1-docker.pkg.dev/acme-ml/images/retrainer:1`.

    Returns:
        The image by digest, or as it was with the reason.

    Raises:
        RetrainerError: If it is not an image's name.
    """
    name = parse_image(image)
    if name.digest:
        return Pinned(image)
    if not name.names_registry:
        return Pinned(image, "its name has no registry")
    try:
        digest = ask_digest(name)
    except NoDigestError as error:
        digest = _ask_engine(name)
        if not digest:
            return Pinned(image, str(error))
    return Pinned(f"{name.repository}@{digest}")


def pin_images(loaded: LoadedConfig) -> tuple[LoadedConfig, list[str]]:
    """Name every image of a configuration by its digest: the pipeline's, the tasks' own, and that of Beam's workers.

    Args:
        loaded: The configuration.

    Returns:
        The configuration, and a warning for each image that stays a tag. Tasks of such an image are not cached on
        services, which know an image by its name alone, unless the file says `caching: true`.

    Raises:
        RetrainerError: If something is not an image's name.
    """
    config = loaded.config
    known: dict[str, Pinned] = {}

    def pin(image: str) -> str:
        if image not in known:
            known[image] = pin_image(image)
        return known[image].image

    updates: dict[str, object] = {}
    if config.image:
        updates["image"] = pin(config.image)
    tasks = {}
    for name in type(config.tasks).model_fields:
        task = getattr(config.tasks, name)
        if task.image:
            tasks[name] = task.model_copy(update={"image": pin(task.image)})
    if tasks:
        updates["tasks"] = config.tasks.model_copy(update=tasks)
    updates["engine"] = _pin_engine(config.engine, pin)
    moving = {image: one.reason for image, one in known.items() if one.reason}
    pinned = dataclasses.replace(
        loaded, config=config.model_copy(update=updates), moving_images=frozenset(moving)
    )
    return pinned, [_warning(image, reason) for image, reason in moving.items()]


def _pin_engine(engine: EngineConfig, pin: Callable[[str], str]) -> EngineConfig:
    """Pin the images that the section names itself; those that it leaves to the tasks are pinned with them."""
    overrides = {
        component: one.model_copy(update=_pinned(one, engine.of(component), pin))
        for component, one in engine.overrides.items()
    }
    own = ComponentEngine(runner_class(engine.runner) or "", engine.options, engine.worker_image)
    return engine.model_copy(update={**_pinned(engine, own, pin), "overrides": overrides})


def _pinned(
    section: EngineConfig | EngineOverrideConfig, engine: ComponentEngine, pin: Callable[[str], str]
) -> dict[str, object]:
    names = image_options(engine.runner, engine.options)
    return {
        "worker_image": pin(section.worker_image) if section.worker_image else None,
        "options": {
            name: pin(value) if name in names and value else value
            for name, value in section.options.items()
        },
    }


def _warning(image: str, reason: str) -> str:
    return (
        f"image '{image}' is not pinned by digest: {reason}. Its tag may move, so the service does not cache tasks of "
        "that image. Name it by digest to have them cached, or set caching: true under tasks."
    )


def _ask_engine(image: ImageName) -> str:
    try:
        import docker
    except ImportError:
        return ""
    try:
        engine = docker.from_env(timeout=ENGINE_SECONDS)
        try:
            # The engine asks the registry, too: this is not what it has pulled.
            return str(engine.images.get_registry_data(image.whole).id)
        finally:
            engine.close()
    except docker.errors.DockerException:
        return ""
