"""The cluster's API server: reading objects, and changing one by server-side apply."""

import json
import re
import time
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ...network import use_proxy
from ..interface import ServiceError
from .settings import KServeSettings

if TYPE_CHECKING:
    from kubernetes.client import ApiClient, ApiException

MANAGER = "retrainer"
"""The name under which Kubernetes keeps which fields are ours."""
GROUP = "serving.kserve.io/v1beta1"
_TIMEOUT = (5, 30)
"""Seconds to connect, and to read."""
_PAUSES = (0.5, 1.0, 2.0, 4.0)
"""Seconds before each further try of a call. All can be sent twice: a read, and a change of one resourceVersion."""
_POD_NAMESPACE = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"
_APPLY = "application/apply-patch+yaml"
_DENIED = re.compile(r'cannot (\w+) resource "([\w/]+)"')
"""k8s.io/apiserver, pkg/endpoints/handlers/responsewriters/errors.go (forbiddenMessage)."""


class ChangedError(Exception):
    """Somebody else changed the object since it was read."""


class Cluster:
    """A namespace of a cluster.

    Attributes:
        namespace: Its name.
    """

    def __init__(self, settings: KServeSettings) -> None:
        """Take the settings; the cluster is asked at the first call."""
        self._settings = settings

    @cached_property
    def namespace(self) -> str:
        """Return the namespace of the settings, else of the pod, else of the kubeconfig's context."""
        if self._settings.namespace:
            return self._settings.namespace
        assert self._client is not None
        return self._default_namespace or "default"

    def get(self, group: str, plural: str, name: str, namespace: str = "") -> dict[str, Any] | None:
        """Read an object.

        Args:
            group: Group and version, such as `apps/v1`; `v1` for the core group.
            plural: Kind of object, such as `deployments`.
            name: Its name.
            namespace: Its namespace; by default the one of the settings.

        Returns:
            The object; None if it, or its kind, is missing.

        Raises:
            ServiceError: If the cluster refuses or does not answer.
        """
        found: dict[str, Any] | None = self._call(
            "GET",
            self._path(group, plural, namespace) + f"/{name}",
            unless=404,
        )
        return found

    def list(self, group: str, plural: str, labels: Mapping[str, str]) -> list[dict[str, Any]]:
        """List the objects that have labels; see `get`."""
        selector = ",".join(f"{key}={value}" for key, value in labels.items())
        found = self._call(
            "GET",
            self._path(group, plural),
            {"labelSelector": selector},
            unless=404,
        )
        return list(found["items"]) if found else []

    def apply(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Create or change the InferenceService by server-side apply.

        Args:
            body: Every field that is to be ours; fields that were, and are not in it, are removed. With a
                resourceVersion the object must still be at that version.

        Returns:
            The object as it is now.

        Raises:
            ChangedError: If it was changed since that version.
            ServiceError: If the cluster refuses or does not answer.
        """
        query = {"fieldManager": MANAGER, "fieldValidation": "Strict"}
        if self._settings.take_over:
            query["force"] = "true"
        path = self._path(GROUP, "inferenceservices") + f"/{body['metadata']['name']}"
        applied: dict[str, Any] = self._call("PATCH", path, query, body)
        return applied

    def delete(self, found: Mapping[str, Any]) -> None:
        """Delete the InferenceService, if it is still as it was read.

        Raises:
            ChangedError: If it was changed since.
            ServiceError: If the cluster refuses or does not answer.
        """
        metadata = found["metadata"]
        same = {key: metadata[key] for key in ("uid", "resourceVersion") if key in metadata}
        path = self._path(GROUP, "inferenceservices") + f"/{metadata['name']}"
        self._call(
            "DELETE",
            path,
            body={"preconditions": same},
            unless=404,
        )

    @cached_property
    def _client(self) -> "ApiClient":
        from kubernetes import client, config

        settings, self._default_namespace = self._settings, ""
        configuration = client.Configuration()
        try:
            if not settings.kubeconfig and not settings.context:
                try:
                    config.load_incluster_config(client_configuration=configuration)
                    with open(_POD_NAMESPACE, encoding="utf-8") as file:
                        self._default_namespace = file.read().strip()
                    return self._connect(configuration)
                except config.ConfigException:
                    pass
            file_name, context = settings.kubeconfig or None, settings.context or None
            config.load_kube_config(file_name, context, configuration)
            contexts, active = config.list_kube_config_contexts(file_name)
            chosen = next((one for one in contexts if one["name"] == context), active)
            self._default_namespace = chosen["context"].get("namespace", "")
        except config.ConfigException as error:
            raise ServiceError(
                f"no cluster to deploy to: {str(error).rstrip('.')}. Run in a pod, set KUBECONFIG, or set "
                "serving.deploy.kserve.kubeconfig and serving.deploy.kserve.context."
            ) from error
        return self._connect(configuration)

    def _connect(self, configuration: Any) -> "ApiClient":
        from kubernetes import client

        # As kubectl does; a pod's own cluster is asked directly (network.prepare).
        use_proxy(configuration, configuration.host)
        # `_call` tries again; urllib3 would wait four times in each of its tries for a server that is silent.
        configuration.retries = 0
        return client.ApiClient(configuration)

    def _path(self, group: str, plural: str, namespace: str = "") -> str:
        root = f"/apis/{group}" if "/" in group else f"/api/{group}"
        return f"{root}/namespaces/{namespace or self.namespace}/{plural}"

    def _call(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        unless: int = 0,
    ) -> Any:
        for pause in _PAUSES:
            try:
                return self._send(method, path, query or {}, body, unless)
            except ServiceError as error:
                if not error.transient:
                    raise
                time.sleep(pause)
        return self._send(method, path, query or {}, body, unless)

    def _send(
        self, method: str, path: str, query: Mapping[str, str], body: Any, unless: int
    ) -> Any:
        from kubernetes.client import ApiException
        from urllib3.exceptions import HTTPError

        kind = _APPLY if method == "PATCH" else "application/json"
        client = self._client
        try:
            return client.call_api(
                path,
                method,
                query_params=list(query.items()),
                header_params={"Accept": "application/json", "Content-Type": kind},
                body=body,
                response_type="object",
                auth_settings=["BearerToken"],
                _return_http_data_only=True,
                _request_timeout=_TIMEOUT,
            )
        except ApiException as error:
            if error.status == unless:
                return None
            raise self._explain(error) from error
        except HTTPError as error:
            raise ServiceError(
                f"the Kubernetes API server '{client.configuration.host}' can't be reached: {error}.",
                transient=True,
            ) from error

    def _explain(self, error: "ApiException") -> Exception:
        status = _status(error)
        said = str(status.get("message") or error.reason or "it gives no reason").rstrip(".")
        causes = status.get("details", {}).get("causes") or []
        conflicts = [cause for cause in causes if cause.get("reason") == "FieldManagerConflict"]
        if error.status == 409 and conflicts:
            return ServiceError(_conflict(self._settings.service, conflicts))
        if error.status == 409:
            return ChangedError(said)
        what = f"KServe's InferenceService '{self._settings.service}' in the namespace '{self.namespace}'"
        if error.status == 401:
            return ServiceError(
                f"{what}: the cluster does not know this account (401: {said}). Renew the kubeconfig's login, or "
                "mount the task's service account token."
            )
        if error.status == 403 and "exceeded quota" in said:
            return ServiceError(f"{what}: {said}. Raise the ResourceQuota, or free some.", True)
        # Webhooks and policies deny with 403, too, and say so themselves.
        if error.status == 403 and (denied := _DENIED.search(said)):
            # Not always that of the call: an apply that creates needs a second verb.
            right = " ".join(denied.groups())
            return ServiceError(
                f"{what}: access denied ({said}). Grant the account the verb '{right}' in the namespace; "
                "docs/deploy/kubeflow/overlays/kserve has the role."
            )
        if error.status == 404:
            return ServiceError(
                f"{what}: the cluster has no such namespace, or KServe is not installed there ({said})."
            )
        if error.status == 429 or error.status >= 500:
            unknown_field = "field not declared in schema" in said
            return ServiceError(f"{what}: {error.status} {said}.", transient=not unknown_field)
        return ServiceError(f"{what}: {said}.")


def _conflict(service: str, causes: list[dict[str, Any]]) -> str:
    fields = ", ".join(dict.fromkeys(str(cause.get("field", "")).lstrip(".") for cause in causes))
    managers = ", ".join(dict.fromkeys(str(cause.get("message", "")) for cause in causes))
    return (
        f"the InferenceService '{service}' has fields that somebody else manages: {fields} ({managers}). Remove them "
        "there, or set serving.deploy.kserve.take_over: true to take them over."
    )


def _status(error: "ApiException") -> dict[str, Any]:
    try:
        found = json.loads(error.body or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
