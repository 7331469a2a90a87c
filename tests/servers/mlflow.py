"""MLflow's REST API: a real server from PyPI in an environment of its own, and a stand-in that fails on demand.

The stand-in keeps to what the real one answered (3.17.2, in November 2026): both run the tests of what is written.
"""

import os
import re
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aiohttp import web
from servers import own_environment
from servers.local_http import Fault, LocalServer

_TAG = re.compile(r"tags\.`([^`]+)` = (?:'([^']*)'|\"([^\"]*)\")")
_PREFIX = "/api/2.0/mlflow/"


@contextmanager
def real_server(folder: Path) -> Iterator[str]:
    """Run MLflow's own server, with a database in a folder: its address."""
    python = own_environment.python("mlflow")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(python), "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--workers", "1"]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [*command, "--artifacts-destination", str(folder / "artifacts")],
            stdout=log,
            stderr=log,
            env={**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
            start_new_session=True,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 180
        while True:
            try:
                urllib.request.urlopen(f"{url}/health", timeout=5).close()
                break
            except OSError:
                if server.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError((folder / "log").read_text()[-2000:]) from None
                time.sleep(0.2)
        yield url
    finally:
        # Its parent process does not end by SIGTERM.
        os.killpg(server.pid, signal.SIGKILL)
        server.wait(30)


class FakeMLflow(LocalServer):
    """Experiments, runs, registered models and their versions, in memory.

    Attributes:
        fault: Of the request with the number `fault_at`, from 0; none if None.
        calls: Every call that is no GET.
    """

    def __init__(self) -> None:
        super().__init__()
        self.experiments: dict[str, str] = {}
        self.runs: list[dict[str, Any]] = []
        self.models: dict[str, dict[str, Any]] = {}
        self.calls: list[str] = []
        self.fault: Fault | None = None
        self.fault_at = 0

    def error(self, status: int) -> web.Response:
        return self._refused(status, "INTERNAL_ERROR", "fails on demand")

    def _take_fault(self, request: web.Request) -> Fault | None:
        if self.fault and len(self.requests) - 1 == self.fault_at:
            return self.fault
        return super()._take_fault(request)

    def routes(self) -> list[web.RouteDef]:
        return [web.route("*", _PREFIX + "{call:.*}", self._answer)]

    def _refused(self, status: int, code: str, message: str) -> web.Response:
        return web.json_response({"error_code": code, "message": message}, status=status)

    async def _answer(self, request: web.Request) -> web.Response:
        call = request.match_info["call"]
        if request.method != "GET":
            self.calls.append(call)
        name = f"_{request.method.lower()}_{re.sub('[/-]', '_', call)}"
        given = dict(request.query) if request.method == "GET" else await request.json()
        found = getattr(self, name)(given)
        return found if isinstance(found, web.Response) else web.json_response(found)

    def _get_experiments_get_by_name(self, given: dict[str, Any]) -> Any:
        if given["experiment_name"] not in self.experiments:
            return self._refused(404, "RESOURCE_DOES_NOT_EXIST", "no experiment")
        number = self.experiments[given["experiment_name"]]
        return {"experiment": {"experiment_id": number, "lifecycle_stage": "active"}}

    def _post_experiments_create(self, given: dict[str, Any]) -> Any:
        if given["name"] in self.experiments:
            return self._refused(400, "RESOURCE_ALREADY_EXISTS", "it exists")
        self.experiments[given["name"]] = str(len(self.experiments) + 1)
        return {"experiment_id": self.experiments[given["name"]]}

    def _post_runs_create(self, given: dict[str, Any]) -> Any:
        info = {"run_id": f"run{len(self.runs)}", "status": "RUNNING", "start_time": 1}
        self.runs.append({"info": info, "tags": given["tags"], "metrics": {}, "params": {}})
        return {"run": {"info": info}}

    def _post_runs_search(self, given: dict[str, Any]) -> Any:
        found = [one for one in self.runs if self._matches(given["filter"], one["tags"])]
        return {"runs": [{"info": one["info"]} for one in found]} if found else {}

    def _post_runs_log_batch(self, given: dict[str, Any]) -> Any:
        run = next(one for one in self.runs if one["info"]["run_id"] == given["run_id"])
        run["metrics"] |= {one["key"]: one["value"] for one in given.get("metrics", ())}
        run["params"] |= {one["key"]: one["value"] for one in given.get("params", ())}
        return {}

    def _post_runs_update(self, given: dict[str, Any]) -> Any:
        run = next(one for one in self.runs if one["info"]["run_id"] == given["run_id"])
        run["info"]["status"] = given["status"]
        return {"run_info": run["info"]}

    def _post_registered_models_create(self, given: dict[str, Any]) -> Any:
        if given["name"] in self.models:
            return self._refused(400, "RESOURCE_ALREADY_EXISTS", "it exists")
        self.models[given["name"]] = {"aliases": {}, "versions": []}
        return {}

    def _get_registered_models_get(self, given: dict[str, Any]) -> Any:
        if given["name"] not in self.models:
            return self._refused(404, "RESOURCE_DOES_NOT_EXIST", "no model")
        aliases = self.models[given["name"]]["aliases"].items()
        return {"registered_model": {"aliases": [{"alias": a, "version": v} for a, v in aliases]}}

    def _post_registered_models_alias(self, given: dict[str, Any]) -> Any:
        self.models[given["name"]]["aliases"][given["alias"]] = given["version"]
        return {}

    def _delete_registered_models_alias(self, given: dict[str, Any]) -> Any:
        self.models[given["name"]]["aliases"].pop(given["alias"], None)
        return {}

    def _post_model_versions_create(self, given: dict[str, Any]) -> Any:
        if given["source"].startswith("file:"):
            return self._refused(400, "INVALID_PARAMETER_VALUE", "Invalid model version source")
        versions = self.models[given["name"]]["versions"]
        versions.append({**given, "version": str(len(versions) + 1)})
        return {"model_version": versions[-1]}

    def _get_model_versions_search(self, given: dict[str, Any]) -> Any:
        found = [
            one
            for model in self.models.values()
            for one in model["versions"]
            if self._matches(given["filter"], one["tags"])
        ]
        return {"model_versions": found}

    def _get_model_versions_get(self, given: dict[str, Any]) -> Any:
        return {"model_version": self.models[given["name"]]["versions"][int(given["version"]) - 1]}

    def _matches(self, wanted: str, tags: list[dict[str, str]]) -> bool:
        there = {one["key"]: one["value"] for one in tags}
        pairs = {key: one or other for key, one, other in _TAG.findall(wanted)}
        return bool(pairs) and pairs.items() <= there.items()
