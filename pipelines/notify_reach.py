"""Secrets that the channels of `notify` read, and that the task which sends would miss on a cluster."""

from collections.abc import Iterator

from ..components.lib.files import is_local
from ..components.notify_outcome.channels import parse_channel
from .config import LoadedConfig

_TASK = "notify_outcome"


def missing_secrets(loaded: LoadedConfig) -> Iterator[str]:
    """Name the variables that no setting gives to the task, and the files that no volume brings.

    Args:
        loaded: The configuration.

    Yields:
        A line for each, with its line in retrain.yaml.
    """
    task = loaded.config.tasks.of(_TASK)
    kubernetes = task.kubernetes.model_dump()
    variables = {*task.env, *task.kubernetes.secrets}
    folders = [
        folder
        for key, volumes in kubernetes.items()
        if key.endswith("volumes") and isinstance(volumes, dict)
        for folder in volumes
    ]
    for settings in loaded.config.notify.channels():
        channel = parse_channel(settings)
        place = f"{loaded.places.locate(('notify', settings['kind']))}: notify.{channel.name}"
        for secret in channel.secrets():
            if secret.env and secret.env not in variables:
                yield (
                    f"{place} reads {secret.what} from {secret.env}, which no setting gives to the task {_TASK}. On "
                    f"Kubeflow set tasks.{_TASK}.kubernetes.secrets.{secret.env} to <secret>/<key>; on Vertex AI name "
                    "a file on a bucket that only its account may read."
                )
            elif secret.file and is_local(secret.file) and not _is_below(secret.file, folders):
                yield (
                    f"{place} reads {secret.what} from '{secret.file}' on this machine, which tasks on a cluster can't "
                    f"reach. On Kubeflow mount it with tasks.{_TASK}.kubernetes.secret_volumes; on Vertex AI name a "
                    "file on a bucket that only its account may read."
                )


def _is_below(file: str, folders: list[str]) -> bool:
    return any(file.startswith(f"{folder.rstrip('/')}/") for folder in folders)
