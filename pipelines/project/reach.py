"""Settings that only this machine can use, and settings that only a service uses."""

import os
import re
from collections.abc import Iterable, Iterator

from ...components.lib.image import IMAGE
from ...components.lib.uris import is_local
from .config import LoadedConfig
from .formats.image_names import parse_image
from .pipelines import MONITORING, PREDICT_BATCH, WATCH_ROLLOUT, pipeline_tasks
from .sections.retrain import RetrainConfig
from .sections.tasks import TaskConfig, TasksConfig

_NOTIFY = "notify_outcome"
VERTEX, KUBEFLOW = "vertex", "kubeflow"
# Environment variables by which clients find a stand-in of a bucket's service: botocore's and gcsfs's own names.
_ENDPOINTS = {
    "s3": ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"),
    "gs": ("STORAGE_EMULATOR_HOST",),
}
_LOOPBACK = re.compile(r"(\w+://)?(localhost|127(\.\d+){3}|\[?::1\]?)(:\d+)?(/.*)?")


def local_only(loaded: LoadedConfig, target: str | None = None) -> Iterator[str]:
    """Name the settings that point at something on this machine.

    Args:
        loaded: The configuration.
        target: Name of the target, if it is known where tasks run.

    Yields:
        A line for each, with its line in retrain.yaml where it stands there.
    """
    config, places = loaded.config, loaded.places
    all_tasks = store_tasks(loaded)
    readers = reading_tasks(loaded)
    for place, uri, tasks in (
        (*source_pattern(loaded), readers),
        (("store",), config.store, all_tasks),
        (
            ("validation", "schema_uri"),
            config.validation.schema_uri,
            tuple(name for name in (*readers, "validate_examples") if name in all_tasks),
        ),
        (("data", "hash", "key_file"), config.data.hash.key_file, readers),
        (
            ("predict", "output"),
            config.predict.output if config.predict else None,
            _predicting(loaded),
        ),
        *_observed(loaded),
    ):
        if not uri or not tasks:
            continue
        where = f"{places.locate(place)}: {'.'.join(place)} is '{uri}'"
        if not is_reachable(uri, config, tasks, target):
            parameter = place[-1]
            instead = (
                f", or give the run's parameter '{parameter}'"
                if parameter in ("pattern", "store")
                else ""
            )
            yield (
                f"{where} on this machine, which tasks on a cluster can't reach. Name a bucket (gs://, s3://){instead}."
            )
        elif variable := _emulated(uri, config, tasks):
            yield (
                f"{where}, and {variable} is {os.environ[variable]}, a server on this machine alone. Set it in tasks' "
                "env to the address that tasks reach."
            )
    yield from _missing_hash_key(loaded, target)
    yield from _local_images(loaded)


def source_pattern(loaded: LoadedConfig) -> tuple[tuple[str, ...], str]:
    """Return the setting that says where the pipeline's spans are, and its value."""
    predict = loaded.config.predict
    if _predicting(loaded) and predict and predict.pattern:
        return ("predict", "pattern"), predict.pattern
    return ("data", "pattern"), loaded.config.data.pattern


def reading_tasks(loaded: LoadedConfig) -> tuple[str, ...]:
    """Name the pipeline's tasks that read spans at their source."""
    tasks = store_tasks(loaded)
    return tuple(name for name in ("ingest_spans", PREDICT_BATCH) if name in tasks)


def _predicting(loaded: LoadedConfig) -> tuple[str, ...]:
    return (PREDICT_BATCH,) if loaded.pipeline == PREDICT_BATCH else ()


def _observed(
    loaded: LoadedConfig,
) -> Iterator[tuple[tuple[str, ...], str | None, tuple[str, ...]]]:
    """List the settings that say where predictions and labels are read, their values, and the tasks."""
    rollout = loaded.config.serving.rollout
    if rollout and loaded.pipeline == WATCH_ROLLOUT:
        for key in ("observations", "labels"):
            yield ("serving", "rollout", key), getattr(rollout, key), (WATCH_ROLLOUT,)
    if loaded.config.monitoring and loaded.pipeline == MONITORING:
        for place, uri in loaded.config.monitoring.sources():
            yield (MONITORING, *place), uri, store_tasks(loaded)
        if loaded.config.retraining:
            # It counts what a retrain would have.
            yield ("data", "pattern"), loaded.config.data.pattern, ("monitor_model",)


def store_tasks(loaded: LoadedConfig) -> tuple[str, ...]:
    """Name the pipeline's tasks, all of which read or write the store."""
    return pipeline_tasks(loaded.config, loaded.pipeline)


def is_reachable(
    uri: str, config: RetrainConfig, tasks: Iterable[str], target: str | None = None
) -> bool:
    """Return whether tasks elsewhere can reach a file or folder.

    Args:
        uri: Path or URI; may be a pattern.
        config: The configuration.
        tasks: Who must reach it.
        target: Name of a target; any if not given.

    Returns:
        False for a path of this machine. A path in a folder that Kubernetes mounts in each of the tasks can be reached,
        and so can Vertex AI's own mount of Cloud Storage, `/gcs/`.
    """
    # The braces of {span} would be taken for part of a protocol.
    if not is_local(uri.replace("{", "").replace("}", "")):
        return True
    if target in (None, VERTEX) and uri.startswith("/gcs/"):
        return True
    return target in (None, KUBEFLOW) and all(
        any(uri == folder or uri.startswith(f"{folder}/") for folder in _mounts(config, task))
        for task in tasks
    )


def _missing_hash_key(loaded: LoadedConfig, target: str | None) -> Iterator[str]:
    hashed = loaded.config.data.hash
    for task in reading_tasks(loaded):
        given = given_variables(loaded.config, task, target)
        if hashed.columns and not hashed.key_file and hashed.key_env not in given:
            yield (
                f"{loaded.places.locate(('data', 'hash'))}: data.hash needs its key in {hashed.key_env}, which no "
                f"setting gives to the task {task}. On Kubeflow set tasks.{task}.kubernetes.secrets.{hashed.key_env} "
                "to <secret>/<key>; on Vertex AI name a file on a bucket that only its account may read, as "
                "data.hash.key_file."
            )


def given_variables(config: RetrainConfig, task: str, target: str | None = None) -> set[str]:
    """Name the environment variables that settings give to a task elsewhere.

    Args:
        config: The configuration.
        task: The task.
        target: Name of a target; any if not given.
    """
    settings = config.tasks.of(task)
    of_kubernetes = {*settings.kubernetes.secrets, *settings.kubernetes.config_maps}
    return {*settings.env, *(of_kubernetes if target in (None, KUBEFLOW) else ())}


def missing_secrets(loaded: LoadedConfig, target: str | None = None) -> Iterator[str]:
    """Name the variables that no setting gives to the task, and the files that it can't reach.

    Args:
        loaded: The configuration.
        target: `vertex` or `kubeflow`, if it is known where the task runs.

    Yields:
        A line for each, with its line in retrain.yaml.
    """
    # It brings the templates of messages, which most callers do not need.
    from ...components.notify_outcome.channels import parse_channel

    if _NOTIFY not in store_tasks(loaded):
        return
    variables = given_variables(loaded.config, _NOTIFY, target)
    for settings in loaded.config.notify.channels():
        channel = parse_channel(settings)
        place = f"{loaded.places.locate(('notify', settings['kind']))}: notify.{channel.name}"
        for secret in channel.secrets():
            if secret.env and secret.env not in variables:
                yield (
                    f"{place} reads {secret.what} from {secret.env}, which no setting gives to the task {_NOTIFY}. On "
                    f"Kubeflow set tasks.{_NOTIFY}.kubernetes.secrets.{secret.env} to <secret>/<key>; on Vertex AI "
                    "name a file on a bucket that only its account may read."
                )
            elif secret.file and not is_reachable(secret.file, loaded.config, (_NOTIFY,), target):
                yield (
                    f"{place} reads {secret.what} from '{secret.file}' on this machine, which tasks on a cluster can't "
                    f"reach. On Kubeflow mount it with tasks.{_NOTIFY}.kubernetes.secret_volumes; on Vertex AI name a "
                    "file on a bucket that only its account may read."
                )


def _mounts(config: RetrainConfig, task: str) -> list[str]:
    kubernetes = config.tasks.of(task).kubernetes
    return [
        *kubernetes.persistent_volumes,
        *kubernetes.secret_volumes,
        *kubernetes.config_map_volumes,
    ]


def _emulated(uri: str, config: RetrainConfig, tasks: Iterable[str]) -> str:
    """Name the variable by which a bucket is one of this machine, if tasks do not have another value of it."""
    for variable in _ENDPOINTS.get(uri.partition("://")[0], ()):
        if _LOOPBACK.fullmatch(os.environ.get(variable, "")):
            elsewhere = all(variable in config.tasks.of(task).env for task in tasks)
            return "" if elsewhere else variable
    return ""


def _local_images(loaded: LoadedConfig) -> Iterator[str]:
    config, places = loaded.config, loaded.places
    images: dict[tuple[str, ...], str] = {("image",): config.image or IMAGE}
    for task in TasksConfig.model_fields:
        if own := getattr(config.tasks, task).image:
            images["tasks", task, "image"] = own
    for place, image in images.items():
        where = f"{places.locate(place)}: {'.'.join(place)} is '{image}'"
        name = parse_image(image)
        if not name.names_registry:
            yield (
                f"{where}, which names no registry, so that only machines that have built it can run it. Push it to "
                "one and name it with that, in retrain.yaml or with --image."
            )
        elif _LOOPBACK.fullmatch(name.registry):
            yield (
                f"{where}, in a registry on this machine, which only a cluster on it reaches, if it is set up so."
            )


def ignored_here(loaded: LoadedConfig) -> Iterator[str]:
    """Name the settings of tasks that a run on this machine ignores.

    Args:
        loaded: The configuration.

    Yields:
        One line, if there are any.
    """
    ignored: dict[str, None] = {}
    missing: dict[str, None] = {}
    for task in TasksConfig.model_fields:
        own: TaskConfig = getattr(loaded.config.tasks, task)
        kubernetes = own.kubernetes
        for key in ("cpu", "memory", "accelerator", "image"):
            if getattr(own, key):
                ignored[f"{task}.{key}"] = None
        for section in ("kubernetes", "vertex"):
            for key in getattr(own, section).model_fields_set:
                ignored[f"{task}.{section}.{key}"] = None
        for variable in (*kubernetes.secrets, *kubernetes.config_maps):
            if variable not in os.environ:
                missing[variable] = None
    if ignored:
        advice = (
            f" Set {' and '.join(missing)} in this shell, which {'a task' if len(missing) == 1 else 'tasks'} may need."
            if missing
            else ""
        )
        yield f"a run on this machine ignores tasks.{', tasks.'.join(sorted(ignored))}.{advice}"
