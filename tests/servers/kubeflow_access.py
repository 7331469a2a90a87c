"""Kubeflow Pipelines in multi-user mode, which lets a cluster's API server decide who may do what.

Whose a token is says a TokenReview with the audience `pipelines.kubeflow.org`; whether that user may do what is asked,
a SubjectAccessReview with the user alone, without groups: kubeflow/pipelines 2.17.0, backend/src/apiserver,
auth/authenticator_token_review.go and resource/resource_manager.go (IsAuthorized). Which right each call needs is in
server/experiment_server.go, run_server.go and job_server.go. KFP 2.16.1's own API server asked for the same in November
2026.
"""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web
from servers.kube_apiserver import KubeApiserver
from servers.kubeflow import KubeflowServer
from servers.kubeflow_rules import Refusal

AUDIENCE = "pipelines.kubeflow.org"
_RIGHTS = {
    "_create_experiment": ("experiments", "create"),
    "_list_experiments": ("experiments", "list"),
    "_get_experiment": ("experiments", "get"),
    "_create_run": ("runs", "create"),
    "_list_runs": ("runs", "list"),
    "_get_run": ("runs", "get"),
    "_terminate_run": ("runs", "terminate"),
    "_create_recurring_run": ("jobs", "create"),
    "_list_recurring_runs": ("jobs", "list"),
    "_get_recurring_run": ("jobs", "get"),
    "_enable": ("jobs", "enable"),
    "_disable": ("jobs", "disable"),
    "_delete_recurring_run": ("jobs", "delete"),
}


class KubeflowOnKubernetes(KubeflowServer):
    """Kubeflow Pipelines in a cluster.

    Attributes:
        asked: What callers needed a right for, as (resource, verb), in order.
    """

    def __init__(self, cluster: KubeApiserver, namespace: str) -> None:
        """Take the cluster, and the namespace of all that is not created in another one."""
        super().__init__(multi_user=True)
        self.asked: list[tuple[str, str]] = []
        self._cluster, self._own_namespace = cluster, namespace

    def _guarded(self, act: Any) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        handle, right = super()._guarded(act), _RIGHTS.get(act.__name__)

        async def handle_allowed(request: web.Request) -> web.StreamResponse:
            if right:
                try:
                    self._admit(*right, await self._namespace_of(request), request)
                except Refusal as refusal:
                    return self.error(refusal.status, str(refusal))
            answer: web.StreamResponse = await handle(request)
            return answer

        return handle_allowed

    def _admit(self, resource: str, verb: str, namespace: str, request: web.Request) -> None:
        self.asked.append((resource, verb))
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        answer = self._cluster.send(
            "POST",
            "/apis/authentication.k8s.io/v1/tokenreviews",
            json.dumps({"spec": {"token": token, "audiences": [AUDIENCE]}}).encode(),
        )
        assert answer.ok, answer.text
        status = answer.json()["status"]
        if not status.get("authenticated") or AUDIENCE not in status.get("audiences", []):
            raise Refusal(401, f"Review.Status.Authenticated is false. Error {status.get('error')}")
        user = status["user"]["username"]
        if not self._cluster.may(user, verb, f"{resource}.{AUDIENCE}", namespace):
            raise Refusal(403, f"User '{user}' is not authorized to {verb} {resource}")

    async def _namespace_of(self, request: web.Request) -> str:
        sent = json.loads(await request.read() or b"{}")
        return request.query.get("namespace") or sent.get("namespace") or self._own_namespace
