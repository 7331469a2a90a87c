"""Deploys to a local Vertex AI by processes that are killed at each of their calls, and go on afterwards.

`python tests/servers/vertex_killed_deploys.py URL FOLDER` prints how many were killed. Each has an endpoint and a
pipeline of its own, `live-<n>` and `orders-<n>`, and is killed after its n-th request that changes something was done.
"""

import os
import signal
import sys
from pathlib import Path
from typing import Any

import requests

sys.path.insert(0, str(Path(__file__).parents[1]))

from servers.vertex_serving_cases import WHOLE, model, section

from retrainer.components.lib import vertex_api
from retrainer.components.lib.serving.interface import Plan, ServingService
from retrainer.components.lib.serving.vertex import api, open_service

PLANS = (
    Plan(model(7, WHOLE)),
    Plan(model(7, WHOLE), model(8, WHOLE), 10),
    Plan(model(8, WHOLE)),
)


def main() -> None:
    api.FIRST_POLL_SECONDS = vertex_api._FIRST_WAIT_SECONDS = 0.005
    # Forked processes find the library imported.
    _ = api.VertexApi.models, vertex_api.load_module("services.model_service")
    vertex_api.load_module("services.endpoint_service")
    count = 1
    while _deploy_killed_at(count):
        for plan in PLANS[_reached(count) :]:
            _open(count).apply(plan)
        count += 1
    print(count - 1)


def _deploy_killed_at(count: int) -> bool:
    """Deploy in a process that is killed after a request; returns whether it came to that."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    send, sent = requests.Session.send, 0

    def send_or_die(self: Any, request: Any, **options: Any) -> Any:
        nonlocal sent
        answer = send(self, request, **options)
        if request.method != "GET":
            sent += 1
            if sent == count:
                os.kill(os.getpid(), signal.SIGKILL)
        return answer

    requests.Session.send = send_or_die  # type: ignore[method-assign]
    try:
        for number, plan in enumerate(PLANS):
            _progress(count).write_text(str(number))
            _open(count).apply(plan)
    finally:
        os._exit(0)


def _open(count: int) -> ServingService:
    settings = section(endpoint=f"live-{count}", api_address=sys.argv[1])
    return open_service(settings, f"orders-{count}")


def _reached(count: int) -> int:
    return int(_progress(count).read_text())


def _progress(count: int) -> Path:
    return Path(sys.argv[2]) / str(count)


if __name__ == "__main__":
    main()
