"""The settings of Vertex AI, checked before anything is sent."""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from ....components.lib import vertex_api
from ....components.lib.consoles import vertex_page
from ....components.lib.errors import RetrainerError
from ...project.sections.targets import VertexConfig
from ..precedence import flag, variable

# What a setting is, what it must match, and how that is said. The rules are those of the API reference.
_RULES: dict[str, tuple[str, str, str]] = {
    "project": (
        "the Google Cloud project",
        r"([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]|[0-9]+",
        "a project's id such as acme-ml",
    ),
    "region": ("the region", r"[a-z]+-[a-z]+[0-9]+", "a region such as europe-west1"),
    "pipeline_root": (
        "the folder of the runs' artifacts",
        r"gs://[a-z0-9][a-z0-9._-]+[a-z0-9](/.*)?",
        "a folder on Cloud Storage such as gs://acme-ml/pipeline-root",
    ),
    "service_account": (
        "the account that tasks run as",
        r"[^@\s]+@[^@\s]+\.gserviceaccount\.com",
        "a service account's e-mail such as trainer@acme-ml.iam.gserviceaccount.com",
    ),
    "network": (
        "the VPC",
        r"projects/[0-9]+/global/networks/[a-z]([a-z0-9-]{0,61}[a-z0-9])?",
        "projects/<project number>/global/networks/<name>, with the project's number and not its id",
    ),
    "psc_network_attachment": (
        "the network attachment",
        r"projects/[^/\s]+/regions/[a-z0-9-]+/networkAttachments/[a-z]([a-z0-9-]{0,61}[a-z0-9])?",
        "projects/<project number>/regions/<region>/networkAttachments/<name>",
    ),
    "persistent_resource": (
        "the persistent resource",
        r"(projects/[^/\s]+/locations/[a-z0-9-]+/persistentResources/)?[a-z]([a-z0-9-]{0,61}[a-z0-9])?",
        "its id, or projects/<project>/locations/<region>/persistentResources/<id>",
    ),
    "encryption_key": (
        "the encryption key",
        r"projects/[^/\s]+/locations/[^/\s]+/keyRings/[^/\s]+/cryptoKeys/[^/\s]+",
        "projects/<project>/locations/<region>/keyRings/<ring>/cryptoKeys/<key>",
    ),
}
_NEEDED_TO_READ = ("project", "region")
_NEEDED = (*_NEEDED_TO_READ, "pipeline_root")


def wrong_values(config: VertexConfig) -> Iterator[tuple[str, str]]:
    """Find values that Vertex AI would refuse; missing ones are ignored.

    Args:
        config: The settings.

    Yields:
        The key, and what is wrong with its value.
    """
    for key, (_, pattern, rule) in _RULES.items():
        value = getattr(config, key)
        if value and not re.fullmatch(pattern, value):
            yield key, f"{_origin(key)} is '{value}', and must be {rule}."


def clashes(config: VertexConfig) -> Iterator[tuple[str, str]]:
    """Find values that are right by themselves, and that Vertex AI would refuse together.

    Args:
        config: The settings.

    Yields:
        The key, and what is wrong with its value.
    """
    for key in ("encryption_key", "psc_network_attachment", "persistent_resource"):
        name = getattr(config, key) or ""
        region = name.split("/")[3] if "/" in name else config.region
        if config.region and region != config.region:
            yield (
                key,
                f"{_origin(key)} is in '{region}' and runs are in '{config.region}'; Vertex AI takes one of the runs' "
                "own region only.",
            )
    if config.network and config.psc_network_attachment:
        # kubeflow/pipelines, components/google-cloud/google_cloud_pipeline_components/v1/custom_job/utils.py.
        yield (
            "psc_network_attachment",
            f"{_origin('network')} and {_origin('psc_network_attachment')} are both set, and a task takes one of them.",
        )
    if config.reserved_ip_ranges and not config.network:
        yield (
            "reserved_ip_ranges",
            f"{_origin('reserved_ip_ranges')} names ranges of a VPC, and {_origin('network')} names none. Set it, or "
            "leave the ranges out.",
        )


def check_vertex(config: VertexConfig, starts_runs: bool = True) -> None:
    """Check the settings of runs on Vertex AI.

    Args:
        config: The settings, as flags, environment variables and retrain.yaml give them.
        starts_runs: Whether runs will be started, which need a folder for their artifacts.

    Raises:
        RetrainerError: If one is missing or wrong, with its key, flag, environment variable and rule.
    """
    for _, text in wrong_values(config):
        raise RetrainerError(text)
    for key, (thing, _, rule) in _RULES.items():
        value = getattr(config, key)
        if not value and key in (_NEEDED if starts_runs else _NEEDED_TO_READ):
            raise RetrainerError(
                f"Vertex AI needs {thing}: set targets.vertex.{key} in retrain.yaml, {flag(key)} or the variable "
                f"{variable('vertex', key)} to {rule}."
            )
    for _, text in clashes(config):
        raise RetrainerError(text)
    url = urlsplit(api_address(config))
    if not url.hostname or (url.scheme != "https" and not is_emulator(config)):
        raise RetrainerError(
            f"{_origin('endpoint')} is '{config.endpoint}', and must be an https:// address (http:// for an emulator "
            "on this machine), because credentials go over it."
        )


def check_image(image: str) -> None:
    """Check that Vertex AI can pull an image.

    Args:
        image: Its name; empty for a local build.

    Raises:
        RetrainerError: If it names no registry.
    """
    if "/" not in image or "." not in image.partition("/")[0]:
        shown = f"'{image}'" if image else "not set, which means a local build"
        raise RetrainerError(
            f"image is {shown}, and Vertex AI pulls from a registry. Build one (make image), push it, and name it with "
            "its registry as `image` in retrain.yaml, or with --image."
        )


def persistent_resource(config: VertexConfig) -> str:
    """Return the full name of the persistent resource."""
    name = config.persistent_resource or ""
    return name if "/" in name else f"{parent(config)}/persistentResources/{name}"


def api_address(config: VertexConfig) -> str:
    """Return the API's address, without a slash at its end."""
    return vertex_api.address_of(config.region or "", config.endpoint)


def is_emulator(config: VertexConfig) -> bool:
    """Return whether the API is a program on this machine that speaks plain HTTP and wants no credentials."""
    return vertex_api.is_emulator(config.endpoint or "")


def parent(config: VertexConfig) -> str:
    """Return the resource name that runs and schedules lie under."""
    return f"projects/{config.project}/locations/{config.region}"


def console_url(config: VertexConfig, kind: str, reference: str) -> str:
    """Return the page of a run or a schedule in Google's console.

    Args:
        config: Where it is.
        kind: `runs` or `schedules`.
        reference: Its resource name, or its id.
    """
    name = reference.rpartition("/")[2]
    return vertex_page(config.project or "", config.region or "", kind, name)


def _origin(key: str) -> str:
    return f"targets.vertex.{key} ({flag(key)}, {variable('vertex', key)})"
