"""Records as Kubernetes Leases, for services that run in a cluster and have no bucket."""

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from ....components.lib.errors import RetrainerError
from ....components.lib.network import use_proxy
from ...project.formats.names import to_run_id
from ...targets.errors import RefusedError, UnauthenticatedError, UnavailableError
from .store import KEEP, Record

if TYPE_CHECKING:
    from kubernetes.client import CoordinationV1Api

_ANNOTATION = "retrainer/record"
_LABELS = {"app.kubernetes.io/managed-by": "retrainer"}
_NAMESPACE = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_TIMEOUT = (5, 10)
"""Seconds to connect, and to read."""
_GRANT = "This account needs the verbs get, create, update, list and delete on leases of coordination.k8s.io there."
_MICRO_TIME = "%Y-%m-%dT%H:%M:%S.%fZ"
"""How Kubernetes writes a Lease's times (k8s.io/apimachinery, pkg/apis/meta/v1/micro_time.go)."""
_PAGE_SIZE = 500
_T = TypeVar("_T")


class LeaseClaims:
    """One Lease for each key. Its `resourceVersion` is the compare-and-swap, `leaseTransitions` counts the records.

    Args:
        namespace: Namespace of the Leases.
        api: Client of the cluster; by default that of the pod, else of the current context.

    Raises:
        RetrainerError: If the namespace is none, or no cluster is configured.
    """

    def __init__(self, namespace: str, api: "CoordinationV1Api | None" = None) -> None:
        if not _NAMESPACE.fullmatch(namespace):
            raise RetrainerError(
                f"trigger_service.claims is 'lease://{namespace}' and must name a namespace, as in "
                "'lease://kubeflow': at most 63 lower case letters, digits and dashes."
            )
        self._namespace = namespace
        self._api = api or _connect()

    def read(self, key: str) -> Record | None:
        """Return a key's newest record; see Claims."""
        lease = self._call(
            lambda: self._api.read_namespaced_lease(
                _lease_name(key), self._namespace, _request_timeout=_TIMEOUT
            ),
            404,
        )
        return _read_record(lease) if lease else None

    def write(self, key: str, content: Mapping[str, Any], after: Record | None) -> Record | None:
        """Write a key's next record; see Claims."""
        number = after.number + 1 if after else 1
        metadata: dict[str, Any] = {
            "name": _lease_name(key),
            "labels": _LABELS,
            "annotations": {_ANNOTATION: json.dumps(content)},
        }
        body = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": metadata,
            "spec": {
                "leaseTransitions": number - 1,
                "renewTime": datetime.now(UTC).strftime(_MICRO_TIME),
            },
        }
        if after:
            # If somebody has deleted it since it was read, the first to write creates it
            # (kubernetes/kubernetes, pkg/registry/coordination/lease/strategy.go, AllowCreateOnUpdate).
            metadata["resourceVersion"] = after.version
            lease = self._call(
                lambda: self._api.replace_namespaced_lease(
                    metadata["name"], self._namespace, body, _request_timeout=_TIMEOUT
                ),
                409,
            )
        else:
            lease = self._call(
                lambda: self._api.create_namespaced_lease(
                    self._namespace, body, _request_timeout=_TIMEOUT
                ),
                409,
            )
        if lease:
            return _read_record(lease)
        # A client that sends again after a lost reply meets the record that it wrote itself.
        newest = self.read(key)
        return newest if newest and newest.content == content else None

    def sweep(self, now: datetime) -> int:
        """Delete Leases that nobody has written to for long; see Claims."""
        deleted, token = 0, ""
        while True:
            page = self._call(partial(self._list, token), 410)
            for lease in page.items if page else []:
                written = lease.spec.renew_time or lease.metadata.creation_timestamp
                if written < now - KEEP:
                    # Not there any more, or written to since it was listed: it is somebody else's by now.
                    deleted += (
                        self._call(partial(self._delete, lease.metadata), 404, 409) is not None
                    )
            token = page.metadata._continue if page else ""
            if not token:
                return deleted

    def _list(self, token: str) -> Any:
        return self._api.list_namespaced_lease(
            self._namespace,
            label_selector=",".join(f"{key}={value}" for key, value in _LABELS.items()),
            limit=_PAGE_SIZE,
            _continue=token or None,
            _request_timeout=_TIMEOUT,
        )

    def _delete(self, metadata: Any) -> Any:
        # Not one that was written to since it was listed.
        same = {"preconditions": {"resourceVersion": metadata.resource_version}}
        return self._api.delete_namespaced_lease(
            metadata.name, self._namespace, body=same, _request_timeout=_TIMEOUT
        )

    def _call(self, request: Callable[[], _T], *unless: int) -> _T | None:
        """Call the API server; None if it answers with one of the statuses `unless`."""
        from kubernetes.client import ApiException
        from urllib3.exceptions import HTTPError

        try:
            return request()
        except ApiException as error:
            if error.status in unless:
                return None
            said = f"{error.status} {error.reason}: {_message(error)}"
            if error.status == 429 or error.status >= 500:
                raise UnavailableError(f"Kubernetes can't answer now: {said}") from error
            if error.status == 401:
                raise UnauthenticatedError(
                    f"Kubernetes does not know this account: {said} Mount the token of the pod's service account, or "
                    "renew the kubeconfig's login."
                ) from error
            # A namespace that is being deleted refuses, too, and says so itself.
            fix = f" {_GRANT}" if " cannot " in said else ""
            raise RefusedError(
                f"Kubernetes refuses Leases in the namespace '{self._namespace}': {said}{fix}"
            ) from error
        except HTTPError as error:
            raise UnavailableError(f"Kubernetes can't be reached: {error}.") from error


def _connect() -> "CoordinationV1Api":
    from kubernetes import client, config

    try:
        config.load_incluster_config()
    except config.ConfigException:
        try:
            config.load_kube_config()
        except config.ConfigException as error:
            raise RetrainerError(
                f"trigger_service.claims names Kubernetes Leases, and there is no cluster to connect to: {error}. Run "
                "in a pod, or set KUBECONFIG."
            ) from error
    configuration = client.Configuration.get_default_copy()
    # As kubectl does; a pod's own cluster is asked directly (network.prepare).
    use_proxy(configuration, configuration.host)
    # For a connection that was closed meanwhile. By default urllib3 waits four times for a server that is silent.
    configuration.retries = 1
    return client.CoordinationV1Api(client.ApiClient(configuration))


def _lease_name(key: str) -> str:
    return to_run_id("retrainer", key)


def _read_record(lease: Any) -> Record:
    metadata = lease.metadata
    try:
        content = json.loads(metadata.annotations[_ANNOTATION])
    except (TypeError, KeyError, ValueError) as error:
        raise RetrainerError(
            f"the Lease '{metadata.name}' in the namespace '{metadata.namespace}' is not as retrainer wrote it: its "
            f"annotation '{_ANNOTATION}' is missing or no JSON. Delete it to have it made again."
        ) from error
    return Record((lease.spec.lease_transitions or 0) + 1, content, metadata.resource_version)


def _message(error: Any) -> str:
    try:
        return str(json.loads(error.body)["message"]).rstrip(".") + "."
    except (TypeError, KeyError, ValueError):
        return "it gives no reason."
