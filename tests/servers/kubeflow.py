"""Kubeflow Pipelines' API v2beta1 on loopback, as far as runs, experiments and recurring runs go.

Bodies are parsed into KFP's own models. What the real service would ignore is refused here: fields and query
parameters that it does not know. Within tests/, `python -m servers.kubeflow --port 8888` starts it by hand.

Where its rules come from, in kubeflow/pipelines:
- Seen in November 2026 on KFP 2.16.1's own API server, driver, launcher, ScheduledWorkflow controller and persistence
  agent: a new run is PENDING, then has no state for some seconds, then is RUNNING; `finished_at` is 1970 until it has
  ended; `task_details` has each task, its driver, and for each task with caching an entry with neither name nor state;
  a run that a schedule started bears the name of its Workflow and has no service account.
- By reading backend/src/apiserver: namespaces (server/experiment_server.go, canAccessExperiment), names of experiments
  that are taken (storage/experiment_store.go), pages of 20 and of 200 at most (list/list.go), filters that are
  unquoted once more and fields to sort by (server/list_request_util.go), specs that are refused
  (template/v2_template.go), concurrency from 1 to 10 (server/api_converter.go).
- By reading go.mod and backend/src/crd/controller/scheduledworkflow/util/cron_schedule.go: robfig/cron v1.2.0, whose
  expressions have six fields.
"""

import argparse
import email
import json
import re
import time
import uuid
from datetime import UTC, datetime
from typing import Any

import yaml
from aiohttp import web
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2
from servers.kubeflow_rules import (
    LISTING,
    Refusal,
    check_cron,
    find,
    make_page,
    read_body,
    read_query,
    required,
)
from servers.local_http import LocalServer

_API = "/apis/v2beta1"
_NEVER = "1970-01-01T00:00:00Z"
# gRPC's codes by HTTP status.
_CODES = {400: 3, 401: 16, 403: 7, 404: 5, 409: 6, 429: 8, 500: 13, 501: 12, 503: 14, 504: 4}


# A pipeline of one task, with settings that only Kubernetes takes.
SMALL_PIPELINE = """\
components: {comp-train-model: {executorLabel: exec-train-model}}
deploymentSpec: {executors: {exec-train-model: {container: {image: "registry.example.com/train:1"}}}}
pipelineInfo: {name: orders}
root:
  dag:
    tasks:
      train-model:
        cachingOptions: {}
        componentRef: {name: comp-train-model}
        taskInfo: {name: train-model}
  inputDefinitions:
    parameters:
      span: {defaultValue: latest, isOptional: true, parameterType: STRING}
schemaVersion: 2.1.0
sdkVersion: kfp-2.13.0
---
platforms:
  kubernetes:
    deploymentSpec:
      executors: {exec-train-model: {nodeSelector: {labels: {pool: training}}}}
"""


class KubeflowServer(LocalServer):
    """Kubeflow Pipelines.

    Attributes:
        experiments: Experiments, as the service returns them.
        runs: Runs, in the order of their creation.
        recurring_runs: Recurring runs, in the order of their creation.
        pipelines: Texts of uploaded pipelines, by name.
        version: What it says its version is: `unknown`, or a release such as `2.5.0`.
        token: The bearer token that requests must carry; empty for none.
        cookie: The cookie that requests must carry, else they are sent to a login page; empty for none.
        multi_user: Whether experiments need a namespace.
    """

    def __init__(self, port: int = 0, token: str = "", multi_user: bool = False) -> None:
        super().__init__(port)
        self.experiments: list[dict[str, Any]] = []
        self.runs: list[dict[str, Any]] = []
        self.recurring_runs: list[dict[str, Any]] = []
        self.pipelines: dict[str, str] = {}
        self.version = "unknown"
        self.token = token
        self.cookie = ""
        self.multi_user = multi_user
        self._seen_specs: set[str] = set()

    def routes(self) -> list[web.RouteDef]:
        one_run, one_recurring = f"{_API}/runs/{{id}}", f"{_API}/recurringruns/{{id}}"
        table = [
            ("GET", f"{_API}/healthz", self._healthz),
            ("POST", f"{_API}/experiments", self._create_experiment),
            ("GET", f"{_API}/experiments", self._list_experiments),
            ("GET", f"{_API}/experiments/{{id}}", self._get_experiment),
            ("POST", f"{_API}/runs", self._create_run),
            ("GET", f"{_API}/runs", self._list_runs),
            ("GET", one_run, self._get_run),
            ("POST", f"{one_run}:terminate", self._terminate_run),
            ("POST", f"{_API}/recurringruns", self._create_recurring_run),
            ("GET", f"{_API}/recurringruns", self._list_recurring_runs),
            ("GET", one_recurring, self._get_recurring_run),
            ("POST", f"{_API}/pipelines/upload", self._upload_pipeline),
            ("POST", f"{one_recurring}:enable", self._enable),
            ("POST", f"{one_recurring}:disable", self._disable),
            ("DELETE", one_recurring, self._delete_recurring_run),
        ]
        return [web.route(method, path, self._guarded(act)) for method, path, act in table]

    def error(self, status: int, message: str = "fails on demand") -> web.Response:
        body = {"error": message, "code": _CODES.get(status, 2), "message": message, "details": []}
        return web.json_response(body, status=status)

    def advance(
        self, run: dict[str, Any], state: str, tasks: dict[str, str] | None = None, error: str = ""
    ) -> None:
        """Bring a run further.

        Args:
            run: One of `runs`.
            state: Its state, such as `RUNNING`; empty for none, as between PENDING and RUNNING.
            tasks: States of tasks by name. Each has a driver beside it, and a task with caching an entry with neither
                name nor state.
            error: Why it and its failed tasks failed.
        """
        known = run.get("run_details", {}).get("task_details", [])
        details = {its.get("display_name", its["task_id"]): its for its in known}
        for name, task_state in (tasks or {}).items():
            if name not in details and _is_cached(run, name):
                nameless = _task(run, "", "", _now(), "")
                details[nameless["task_id"]] = nameless
            for node in (name, f"{name}-driver"):
                before = details.get(node, {"start_time": _now()})
                details[node] = _task(run, node, task_state, before["start_time"], error)
        run["state"] = state
        if not state:
            del run["state"]
        if details:
            run["run_details"] = {"task_details": list(details.values())}
        if state in ("SUCCEEDED", "FAILED", "CANCELED"):
            run["finished_at"] = _now()
        if error:
            run["error"] = {"code": 2, "message": error, "details": []}

    def fire(self, recurring: dict[str, Any]) -> dict[str, Any]:
        """Start a run of a recurring run, as the ScheduledWorkflow controller does.

        Args:
            recurring: One of `recurring_runs`.

        Returns:
            The run.
        """
        name = re.sub(r"[^a-z0-9]", "", recurring["display_name"].lower())
        number = 1 + sum(
            its.get("recurring_run_id") == recurring["recurring_run_id"] for its in self.runs
        )
        shared = ("experiment_id", "pipeline_spec", "runtime_config")
        made = {
            **{key: recurring[key] for key in shared if key in recurring},
            "display_name": f"{name[:15]}niay-{number}-{int(time.time())}",
            "recurring_run_id": recurring["recurring_run_id"],
            "run_id": str(uuid.uuid4()),
            "storage_state": "AVAILABLE",
            "state": "PENDING",
            "created_at": _now(),
            "scheduled_at": _now(),
            "finished_at": _NEVER,
        }
        self.runs.append(made)
        return made

    def _guarded(self, act: Any) -> Any:
        async def handle(request: web.Request) -> web.Response:
            if self.token and request.headers.get("Authorization") != f"Bearer {self.token}":
                return self.error(401, "Request header error: there is no valid token")
            if self.cookie and request.headers.get("Cookie") != self.cookie:
                # oidc-authservice and oauth2-proxy, which Kubeflow's manifests put before it, redirect to Dex.
                raise web.HTTPFound("/dex/auth")
            try:
                return web.json_response(await act(request))
            except Refusal as refusal:
                return self.error(refusal.status, str(refusal))

        return handle

    async def _healthz(self, request: web.Request) -> dict[str, Any]:
        read_query(request)
        # kubeflow/pipelines 2.17.0, backend/src/apiserver/main.go, healthzResponse.
        return {"commit_sha": "unknown", "tag_name": self.version, "multi_user": self.multi_user}

    async def _create_experiment(self, request: web.Request) -> dict[str, Any]:
        body = await read_body(request, "V2beta1Experiment")
        namespace = self._namespace(body.get("namespace", ""))
        if any(_same_experiment(its, body, namespace) for its in self.experiments):
            raise Refusal(409, f"The name {body['display_name']} already exist.")
        made = {
            "experiment_id": str(uuid.uuid4()),
            "display_name": required(body, "display_name"),
            "description": body.get("description", ""),
            "namespace": namespace,
            "created_at": _now(),
            "storage_state": "AVAILABLE",
        }
        self.experiments.append(made)
        return made

    async def _list_experiments(self, request: web.Request) -> dict[str, Any]:
        query = read_query(request, *LISTING, "namespace")
        namespace = self._namespace(query.get("namespace", ""))
        found = [its for its in self.experiments if its["namespace"] == namespace]
        return make_page("experiments", found, query)

    async def _get_experiment(self, request: web.Request) -> dict[str, Any]:
        return find(self.experiments, "experiment_id", request)

    async def _create_run(self, request: web.Request) -> dict[str, Any]:
        body = await read_body(request, "V2beta1Run")
        self._check(body, "run_id", "state", "created_at", "recurring_run_id")
        made = {
            **body,
            "run_id": str(uuid.uuid4()),
            "storage_state": "AVAILABLE",
            "state": "PENDING",
            "created_at": _now(),
            "scheduled_at": _now(),
            "finished_at": _NEVER,
        }
        self.runs.append(made)
        return made

    async def _list_runs(self, request: web.Request) -> dict[str, Any]:
        return make_page("runs", *self._of_experiment(self.runs, request))

    async def _get_run(self, request: web.Request) -> dict[str, Any]:
        return find(self.runs, "run_id", request, "experiment_id")

    async def _terminate_run(self, request: web.Request) -> dict[str, Any]:
        # kubeflow/pipelines, backend/src/apiserver/storage/run_store.go, TerminateRun: one statement updates the run if
        # it is in one of these states, and "not found" is any other.
        run = find(self.runs, "run_id", request, "experiment_id")
        if run.get("state") not in (None, "PAUSED", "PENDING", "RUNNING"):
            raise Refusal(400, f"Failed to terminate a run {run['run_id']}. Row not found")
        run["state"] = "CANCELING"
        return {}

    async def _create_recurring_run(self, request: web.Request) -> dict[str, Any]:
        body = await read_body(request, "V2beta1RecurringRun")
        self._check(body, "recurring_run_id", "status", "created_at")
        trigger = body.get("trigger", {})
        if "cron_schedule" in trigger:
            check_cron(trigger["cron_schedule"].get("cron", ""))
        if not 1 <= int(body.get("max_concurrency", 0)) <= 10:
            raise Refusal(
                400, "Max concurrency of a recurring run must be at least 1 and at most 10"
            )
        made = {**body, "recurring_run_id": str(uuid.uuid4()), "created_at": _now()}
        made["max_concurrency"] = str(body["max_concurrency"])
        self.recurring_runs.append(made)
        return self._switched(made, body.get("mode", "MODE_UNSPECIFIED") == "ENABLE")

    async def _list_recurring_runs(self, request: web.Request) -> dict[str, Any]:
        return make_page("recurringRuns", *self._of_experiment(self.recurring_runs, request))

    async def _get_recurring_run(self, request: web.Request) -> dict[str, Any]:
        return find(self.recurring_runs, "recurring_run_id", request)

    async def _enable(self, request: web.Request) -> dict[str, Any]:
        self._switched(find(self.recurring_runs, "recurring_run_id", request), True)
        return {}

    async def _disable(self, request: web.Request) -> dict[str, Any]:
        self._switched(find(self.recurring_runs, "recurring_run_id", request), False)
        return {}

    async def _delete_recurring_run(self, request: web.Request) -> dict[str, Any]:
        self.recurring_runs.remove(
            find(self.recurring_runs, "recurring_run_id", request, "propagation_policy")
        )
        return {}

    async def _upload_pipeline(self, request: web.Request) -> dict[str, Any]:
        """Read a file as kubeflow/pipelines 2.16.1 does, backend/src/apiserver/template/v2_template.go."""
        query = read_query(request, "name", "display_name", "description", "namespace")
        form = email.message_from_bytes(
            f"Content-Type: {request.headers['Content-Type']}\r\n\r\n".encode()
            + await request.read()
        )
        (part,) = form.get_payload()
        text = part.get_payload(decode=True).decode()
        spec, platforms = None, pipeline_spec_pb2.PlatformSpec()
        for document in yaml.load_all(text, Loader=yaml.CSafeLoader):
            try:
                if "pipelineInfo" in document:
                    if spec:
                        raise Refusal(400, "multiple pipeline specs provided")
                    spec = json_format.ParseDict(document, pipeline_spec_pb2.PipelineSpec())
                else:
                    json_format.ParseDict(document, platforms)
            except json_format.ParseError as error:
                raise Refusal(400, f"invalid v2 pipeline spec: {error}") from error
        if spec is None:
            raise Refusal(400, "no pipeline spec is provided")
        self.pipelines[query.get("name", spec.pipeline_info.name)] = text
        return {"pipeline_id": str(uuid.uuid4()), "display_name": query.get("name", "")}

    def _switched(self, its: dict[str, Any], on: bool) -> dict[str, Any]:
        its["mode"], its["status"] = ("ENABLE", "ENABLED") if on else ("DISABLE", "DISABLED")
        its["updated_at"] = _now()
        return its

    def _namespace(self, namespace: str) -> str:
        if self.multi_user and not namespace:
            raise Refusal(400, "An experiment cannot have an empty namespace in multi-user mode")
        if namespace and not self.multi_user:
            # The service takes it and forgets it (resource/resource_manager.go, ReplaceNamespace).
            raise Refusal(400, "in single-user mode a namespace is ignored")
        return namespace

    def _of_experiment(
        self, things: list[dict[str, Any]], request: web.Request
    ) -> tuple[list[dict[str, Any]], dict[str, str]]:
        query = read_query(request, *LISTING, "experiment_id", "namespace")
        experiment = query.get("experiment_id", "")
        if experiment:
            self._experiment(experiment)
        return [its for its in things if experiment in ("", its["experiment_id"])], query

    def _experiment(self, experiment: str) -> dict[str, Any]:
        for its in self.experiments:
            if its["experiment_id"] == experiment:
                return its
        raise Refusal(404, f"Experiment {experiment} not found.")

    def _check(self, body: dict[str, Any], *output_only: str) -> None:
        """Check what runs and recurring runs have in common."""
        for key in output_only:
            if key in body:
                raise Refusal(400, f"{key} is set by the service")
        required(body, "display_name")
        self._experiment(required(body, "experiment_id"))
        document = required(body, "pipeline_spec")
        spec = document.get("pipeline_spec", document)
        digest = json.dumps(document)
        if digest not in self._seen_specs:
            try:
                json_format.ParseDict(spec, pipeline_spec_pb2.PipelineSpec())
                json_format.ParseDict(
                    document.get("platform_spec", {}), pipeline_spec_pb2.PlatformSpec()
                )
            except json_format.ParseError as error:
                raise Refusal(400, f"invalid pipeline spec: {error}") from error
            self._seen_specs.add(digest)
        known = spec.get("root", {}).get("inputDefinitions", {}).get("parameters", {})
        given = body.get("runtime_config", {}).get("parameters", {})
        for name in given:
            if name not in known:
                raise Refusal(400, f"parameter {name} is not defined in the pipeline spec")
        for name, its in known.items():
            if name not in given and "defaultValue" not in its and not its.get("isOptional"):
                raise Refusal(400, f"parameter {name} has no value")


def _now() -> str:
    # The service's database keeps seconds.
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _is_cached(run: dict[str, Any], task: str) -> bool:
    document = run["pipeline_spec"]
    tasks = document.get("pipeline_spec", document)["root"]["dag"]["tasks"]
    return bool(tasks.get(task, {}).get("cachingOptions", {}).get("enableCache"))


def _task(run: dict[str, Any], name: str, state: str, started: str, error: str) -> dict[str, Any]:
    task = {
        "run_id": run["run_id"],
        "task_id": str(uuid.uuid4()),
        "create_time": run["created_at"],
        "start_time": started,
        "end_time": _NEVER if state in ("", "PENDING", "RUNNING") else _now(),
    }
    task |= {"display_name": name} if name else {}
    task |= {"state": state} if state else {}
    if error and state == "FAILED":
        task["error"] = {"code": 2, "message": error, "details": []}
    return task


def _same_experiment(its: dict[str, Any], body: dict[str, Any], namespace: str) -> bool:
    return its["display_name"] == body.get("display_name") and its["namespace"] == namespace


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8888)
    parser.add_argument("--token", default="")
    parser.add_argument("--multi-user", action="store_true")
    arguments = parser.parse_args()
    with KubeflowServer(arguments.port, arguments.token, arguments.multi_user) as server:
        print(f"Kubeflow Pipelines at {server.url}", flush=True)
        while True:
            time.sleep(3600)


if __name__ == "__main__":
    main()
