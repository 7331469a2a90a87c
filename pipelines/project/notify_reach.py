"""Secrets that the channels of `notify` read, and that the task which sends would miss on a cluster."""

from collections.abc import Iterator

from ...components.notify_outcome.channels import parse_channel
from .config import LoadedConfig
from .reach import given_variables, is_reachable

_TASK = "notify_outcome"


def missing_secrets(loaded: LoadedConfig, target: str | None = None) -> Iterator[str]:
    """Name the variables that no setting gives to the task, and the files that it can't reach.

    Args:
        loaded: The configuration.
        target: `vertex` or `kubeflow`, if it is known where the task runs.

    Yields:
        A line for each, with its line in retrain.yaml.
    """
    variables = given_variables(loaded.config, _TASK, target)
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
            elif secret.file and not is_reachable(secret.file, loaded.config, (_TASK,), target):
                yield (
                    f"{place} reads {secret.what} from '{secret.file}' on this machine, which tasks on a cluster can't "
                    f"reach. On Kubeflow mount it with tasks.{_TASK}.kubernetes.secret_volumes; on Vertex AI name a "
                    "file on a bucket that only its account may read."
                )
