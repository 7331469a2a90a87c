"""Which version of Kubeflow Pipelines a pipeline needs, and whether the service is one.

A version that lacks a setting of Kubernetes fails each task that has it after some minutes (up to 2.3), runs it without
the setting (2.4, 2.5), or refuses the run in words about protobuf (from 2.14 on). See `portable.py`.
"""

import re
from collections.abc import Iterator
from typing import Any

from ..errors import RefusedError
from .api import Calls, KubeflowClient

Version = tuple[int, ...]

# What each release reads: kubernetes_platform/proto/kubernetes_executor_config.proto and backend/src/v2/driver of
# kubeflow/pipelines at its tag.
_SETTINGS: dict[str, tuple[Version, str]] = {
    "activeDeadlineSeconds": ((2, 1), "timeout_seconds"),
    "imagePullPolicy": ((2, 1), "image_pull_policy"),
    "imagePullSecret": ((2, 1), "image_pull_secrets"),
    "tolerations": ((2, 1), "tolerations"),
    "podMetadata": ((2, 1), "labels or annotations"),
    "configMapAsEnv": ((2, 1), "config_maps"),
    "configMapAsVolume": ((2, 1), "config_map_volumes"),
    "emptyDirMounts": ((2, 3), "shared_memory"),
    "securityContext": ((2, 16), "security_context"),
}


class VersionCheck:
    """Asks the service for its version, once, if a pipeline has settings that not every version supports."""

    def __init__(self, client: KubeflowClient, platforms: Any) -> None:
        """Prepare, without a request.

        Args:
            client: Where.
            platforms: The pipeline's settings for Kubernetes; empty if there are none.
        """
        self._client = client
        self._needs = sorted(set(_find_needs(platforms)), reverse=True)
        self._done = False

    def check(self, calls: Calls) -> None:
        """Compare the service's version with what the pipeline needs.

        Nothing is said where the service does not know its version, as builds of one's own do not.

        Args:
            calls: Sends the request.

        Raises:
            RefusedError: If the service is too old.
        """
        if self._done or not self._needs:
            return
        try:
            said = calls.read(self._client.health).get("tag_name", "")
        except RefusedError:
            # Some gateways let nobody ask.
            said = ""
        version = _parse(str(said))
        for needed, setting, task in self._needs:
            if version and version < needed:
                raise RefusedError(
                    f"{self._client.host} is Kubeflow Pipelines {said}, and tasks.{task}.kubernetes has {setting}, "
                    f"which needs {'.'.join(map(str, needed))} or later. Leave it out, or upgrade the cluster."
                )
        self._done = True


def _find_needs(platforms: Any) -> Iterator[tuple[Version, str, str]]:
    kubernetes = (platforms or {}).get("platforms", {}).get("kubernetes", {})
    for executor, settings in kubernetes.get("deploymentSpec", {}).get("executors", {}).items():
        for field in settings:
            if field in _SETTINGS:
                needed, setting = _SETTINGS[field]
                # A component's second use has a number behind its name.
                task = re.sub(r"-[0-9]+$", "", executor.removeprefix("exec-"))
                yield needed, setting, task.replace("-", "_")


def _parse(tag: str) -> Version:
    """Read a release's tag; empty for one that says nothing, such as `unknown` and the `1.0-dev` of test builds."""
    found = re.match(r"v?([0-9]+)\.([0-9]+)", tag)
    version = tuple(map(int, found.groups())) if found else ()
    return version if version >= (2, 0) else ()
