"""What Kubeflow Pipelines needs in its section of retrain.yaml, checked before anything is sent."""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from ....components.lib.errors import RetrainerError
from ...project.sections.targets import KubeflowConfig
from ..precedence import flag, variable

# The rules of Kubernetes' API server for a namespace's and a service account's name: kubernetes/apimachinery,
# pkg/util/validation/validation.go (IsDNS1123Label, IsDNS1123Subdomain).
_RULES = {
    "namespace": (
        r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?",
        "a namespace of at most 63 lower case letters, digits and '-'",
    ),
    "service_account": (
        r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?",
        "the name of a Kubernetes service account, such as default-editor",
    ),
    "pipeline_root": (r"[a-z][a-z0-9+.-]*://[^/].*", "a URI such as s3://bucket/folder"),
}


def wrong_values(config: KubeflowConfig) -> Iterator[tuple[str, str]]:
    """Find values that Kubeflow Pipelines would refuse; missing ones are ignored.

    Args:
        config: The settings.

    Yields:
        The key, and what is wrong with its value.
    """
    for key, (pattern, rule) in _RULES.items():
        value = getattr(config, key)
        if value and not re.fullmatch(pattern, value):
            yield (
                key,
                f"targets.kubeflow.{key} ({flag(key)}, {variable('kubeflow', key)}) is '{value}', and must be {rule}.",
            )
    if config.host:
        try:
            check_host(config.host)
        except RetrainerError as error:
            yield "host", str(error)


def check_kubeflow(config: KubeflowConfig) -> None:
    """Check the settings of runs on Kubeflow Pipelines.

    Args:
        config: The settings, as flags, environment variables and retrain.yaml give them.

    Raises:
        RetrainerError: If one is wrong, with its key, flag, environment variable and rule.
    """
    for _, text in wrong_values(config):
        raise RetrainerError(text)


def check_host(host: str) -> str:
    """Check the API's address.

    Returns:
        The address, without a slash at its end.

    Raises:
        RetrainerError: If it is missing, or no address.
    """
    if not host:
        raise RetrainerError(
            "targets.kubeflow.host is not set, and runs need to go somewhere: set it in retrain.yaml to the address of "
            "Kubeflow Pipelines' API, or give --host or the variable RETRAINER_KUBEFLOW_HOST."
        )
    try:
        parts = urlsplit(host)
        right = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        right = False
    if not right or parts.query or parts.fragment:
        raise RetrainerError(
            f"targets.kubeflow.host is '{host}': an address such as https://kubeflow.example.com/pipeline is expected."
        )
    return host.rstrip("/")
