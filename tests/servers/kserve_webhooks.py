"""KServe's webhooks as a real kube-apiserver calls them, within its chain of admission.

A denial has the status 403 (sigs.k8s.io/controller-runtime, pkg/webhook/admission, validator_custom.go). The defaulter
writes the whole object back as its Go types have it: a model is a container, whose `name` and `resources` are written
even if they are empty (k8s.io/api, core/v1/types.go, Container).
"""

import base64
import copy
import json
from pathlib import Path
from typing import Any

from aiohttp import web
from servers import kserve_schema as rules
from servers.local_http import LocalServer
from servers.proxy import Authority

_GROUP = "admissionregistration.k8s.io"


class KServeWebhooks(LocalServer):
    """The defaulter and the validator of InferenceServices.

    Attributes:
        default_mode: The deployment mode of an InferenceService that names none.
    """

    def __init__(self, folder: Path, default_mode: str) -> None:
        """Take a folder for certificates."""
        super().__init__()
        self.default_mode = default_mode
        self._authority = Authority(folder)
        self.tls = self._authority.context("localhost", grpc=False)

    def routes(self) -> list[web.RouteDef]:
        return [web.post("/mutate", self._mutate), web.post("/validate", self._validate)]

    def configurations(self) -> list[dict[str, Any]]:
        """Make the objects by which an API server calls both."""
        return [
            self._configuration("MutatingWebhookConfiguration", "defaulter", "mutate"),
            self._configuration("ValidatingWebhookConfiguration", "validator", "validate"),
        ]

    def _configuration(self, kind: str, name: str, path: str) -> dict[str, Any]:
        rule = {
            "apiGroups": ["serving.kserve.io"],
            "apiVersions": ["v1beta1"],
            "operations": ["CREATE", "UPDATE"],
            "resources": ["inferenceservices"],
        }
        bundle = base64.b64encode(self._authority.file.read_bytes()).decode()
        webhook = {
            "name": f"inferenceservice.kserve-webhook-server.{name}",
            "clientConfig": {
                "url": f"https://localhost:{self.port}/{path}",
                "caBundle": bundle,
            },
            "rules": [rule],
            "sideEffects": "None",
            "failurePolicy": "Fail",
            "admissionReviewVersions": ["v1"],
        }
        metadata = {"name": f"inferenceservice.{name}"}
        return {
            "apiVersion": f"{_GROUP}/v1",
            "kind": kind,
            "metadata": metadata,
            "webhooks": [webhook],
        }

    async def _mutate(self, request: web.Request) -> web.Response:
        asked = (await request.json())["request"]
        new = copy.deepcopy(asked["object"])
        rules.set_defaults(new, self.default_mode)
        predictors = [new["spec"].get("predictor", {})]
        predictors += [entry["predictor"] for entry in new["spec"].get("canary") or []]
        for predictor in predictors:
            if "model" in predictor:
                predictor["model"] = {"name": "", "resources": {}, **predictor["model"]}
        patch = [
            {"op": "add", "path": "/spec", "value": new["spec"]},
            {
                "op": "add",
                "path": "/metadata/annotations",
                "value": new["metadata"].get("annotations", {}),
            },
        ]
        coded = base64.b64encode(json.dumps(patch).encode()).decode()
        return _answer(asked, {"allowed": True, "patchType": "JSONPatch", "patch": coded})

    async def _validate(self, request: web.Request) -> web.Response:
        asked = (await request.json())["request"]
        try:
            rules.check_webhook(asked["object"], asked.get("oldObject"))
        except rules.InvalidError as error:
            status = {"code": 403, "reason": "Forbidden", "message": str(error)}
            return _answer(asked, {"allowed": False, "status": status})
        return _answer(asked, {"allowed": True})


def _answer(asked: dict[str, Any], response: dict[str, Any]) -> web.Response:
    body = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"}
    return web.json_response({**body, "response": {"uid": asked["uid"], **response}})
