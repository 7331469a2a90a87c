"""Whether the workers of an engine reach what the components that run on it read and write."""

import shutil
from collections.abc import Iterator
from typing import Any

from ...components.lib.engine.endpoint import check_endpoint
from ...components.lib.engine.runners import DATAFLOW, FLINK, SPARK, image_option, works_here
from ...components.lib.errors import RetrainerError
from ...components.lib.evaluation.config_checks import Problem
from ...components.lib.uris import is_local
from .config import LoadedConfig
from .engines import component_engine, option_place, worker_image
from .formats.image_names import parse_image
from .pipelines import CONTINUOUS_TRAINING, PREDICT_BATCH
from .reach import store_tasks
from .sections.engine import BEAM_COMPONENTS, ComponentEngine
from .sections.retrain import RetrainConfig

_MOUNT = "/gcs/"
_SECRETS = ("s3_secret_access_key", "s3_session_token", "azure_connection_string")
_UBER_JARS = {FLINK: "flink_submit_uber_jar", SPARK: "spark_submit_uber_jar"}


def reach_problems(loaded: LoadedConfig, here: bool) -> Iterator[Problem]:
    """Find what workers can't reach.

    Args:
        loaded: The configuration.
        here: Whether the pipeline runs on this machine now.

    Yields:
        A problem for each, with its place.
    """
    config = loaded.config
    tasks = list(store_tasks(loaded))
    if config.predict and loaded.pipeline == CONTINUOUS_TRAINING and not here:
        tasks.append(PREDICT_BATCH)
    for component in BEAM_COMPONENTS:
        if component in tasks:
            yield from _problems_of(component, config, here)


def check_engines(loaded: LoadedConfig) -> None:
    """Check that the engines of a pipeline's components answer, before a run begins.

    Args:
        loaded: The configuration.

    Raises:
        RetrainerError: If one does not within ten seconds; the option that names it is given with its line.
    """
    asked: list[tuple[str, dict[str, Any]]] = []
    for component in BEAM_COMPONENTS:
        engine = component_engine(loaded.config, component)
        if component not in store_tasks(loaded) or (engine.runner, engine.options) in asked:
            continue
        asked.append((engine.runner, engine.options))
        try:
            check_endpoint(engine.runner, engine.options)
        except RetrainerError as error:
            place = loaded.places.locate((*engine.place, "options"))
            raise RetrainerError(f"{place}: {component} can't run: {error}") from error


def _problems_of(component: str, config: RetrainConfig, here: bool) -> Iterator[Problem]:
    engine = component_engine(config, component)
    yield from _needs_java(engine, here)
    yield from _secrets(component, config, engine)
    if works_here(engine.runner, engine.options):
        if engine.worker_image:
            yield _unused_image(engine)
        return
    where = f"the workers of {engine.runner}"
    folders = {"store": config.store}
    if component == PREDICT_BATCH and config.predict and config.predict.output:
        folders["predict.output"] = config.predict.output
    for place, folder in folders.items():
        # Vertex AI's mount of Cloud Storage is the one folder of a task that has another name for workers.
        if is_local(folder) and not folder.startswith(_MOUNT):
            yield Problem(
                f"{place} is '{folder}', a folder that {where} do not have. Name a bucket (gs://, s3://), or run "
                f"{component} in process.",
                place=place,
            )
    if engine.runner == DATAFLOW:
        yield from _of_dataflow(component, config, engine)
    if engine.worker_image and not image_option(engine.runner, engine.options):
        yield _unused_image(engine)


def _secrets(component: str, config: RetrainConfig, engine: ComponentEngine) -> Iterator[Problem]:
    """Describe options that are secrets: whoever may look at the pipeline may read them."""
    for name in _SECRETS:
        if engine.options.get(name):
            yield Problem(
                f"the option {name} is a secret, and whoever may see the pipeline can read it there. Leave it out: "
                "workers read and write by fsspec, with the credentials of their own environment.",
                False,
                ".".join(option_place(config, component, name)),
            )


def _needs_java(engine: ComponentEngine, here: bool) -> Iterator[Problem]:
    """Describe that Beam starts a job server of its own, which is a Java program."""
    uber_jar = _UBER_JARS.get(engine.runner)
    if not uber_jar or engine.options.get(uber_jar) or engine.options.get("job_endpoint"):
        return
    if not (here and shutil.which(engine.options.get("job_server_java_launcher") or "java")):
        where = "this machine" if here else "the task's image (retrainer's has none)"
        yield Problem(
            f"with {engine.runner} and no job_endpoint Beam starts a job server in the task, for which {where} needs "
            f"Java. Set the option {uber_jar}: true, or job_endpoint.",
            False,
            ".".join(engine.place),
        )


def _of_dataflow(
    component: str, config: RetrainConfig, engine: ComponentEngine
) -> Iterator[Problem]:
    on_bucket = config.store.startswith(("gs://", _MOUNT))
    if not on_bucket and not (
        engine.options.get("temp_location") or engine.options.get("staging_location")
    ):
        yield Problem(
            "Dataflow needs a folder on Cloud Storage for temporary files, and the store is not there: set the option "
            "temp_location to gs://<bucket>/<folder>.",
            place=".".join(engine.place),
        )
    if not image_option(engine.runner, engine.options):
        return
    image = worker_image(config, component)
    if not parse_image(image).names_registry:
        yield Problem(
            f"Dataflow's workers start from '{image}', which names no registry that they can pull it from. Push it to "
            "Artifact Registry and name it there, as image or engine.worker_image.",
            place=".".join(engine.place),
        )


def _unused_image(engine: ComponentEngine) -> Problem:
    return Problem(
        f"worker_image has no effect with {engine.runner} as its options are: its workers start from no image, or from "
        "one that an option names. Leave it out.",
        place=".".join((*engine.place, "worker_image")),
    )
