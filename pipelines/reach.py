"""What of a retrain.yaml holds on this machine alone, and what holds everywhere but here."""

import os
from collections.abc import Iterator

from ..components.lib.files import is_local
from ..components.lib.image import IMAGE
from .config import LoadedConfig
from .task_config import TaskConfig, TasksConfig


def local_only(loaded: LoadedConfig) -> Iterator[str]:
    """Name the settings that point at something on this machine.

    Args:
        loaded: The configuration.

    Yields:
        A line for each, with its line in retrain.yaml where it stands there.
    """
    config, places = loaded.config, loaded.places
    for place, uri in (
        (("data", "pattern"), config.data.pattern),
        (("store",), config.store),
        (("validation", "schema_uri"), config.validation.schema_uri),
        (("data", "hash", "key_file"), config.data.hash.key_file),
    ):
        # The braces of {span} would be taken for part of a protocol.
        if uri and is_local(uri.replace("{", "").replace("}", "")):
            parameter = place[-1]
            instead = (
                f", or give the run's parameter '{parameter}'"
                if parameter in ("pattern", "store")
                else ""
            )
            yield (
                f"{places.locate(place)}: {'.'.join(place)} is '{uri}' on this machine, which tasks on a cluster can't "
                f"reach. Name a bucket (gs://, s3://){instead}."
            )
    image = config.image or IMAGE
    host = image.partition("/")[0]
    if "/" not in image or not ("." in host or ":" in host):
        yield (
            f"{places.locate(('image',))}: image is '{image}', which names no registry, so that only machines that "
            "have built it can run it. Push it to one and name it with that, in retrain.yaml or with --image."
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
        for key in kubernetes.model_fields_set:
            ignored[f"{task}.kubernetes.{key}"] = None
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
