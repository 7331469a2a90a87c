"""Vertex AI's long-running operations: each is answered at once, ends later, and its effect is seen then.

Form and status codes are those of googleapis/googleapis, google/longrunning/operations.proto and google/rpc/code.proto.
"""

import itertools
import time
from collections.abc import Callable
from typing import Any

from google.cloud.aiplatform_v1.types import (
    CreateEndpointOperationMetadata,
    DeployModelOperationMetadata,
    MutateDeployedModelOperationMetadata,
    UndeployModelOperationMetadata,
    UploadModelOperationMetadata,
)
from google.longrunning.operations_pb2 import Operation
from google.protobuf.any_pb2 import Any as AnyMessage

METADATA: dict[str, Any] = {
    "createEndpoint": CreateEndpointOperationMetadata,
    "deployModel": DeployModelOperationMetadata,
    "mutateDeployedModel": MutateDeployedModelOperationMetadata,
    "undeployModel": UndeployModelOperationMetadata,
    "uploadModel": UploadModelOperationMetadata,
}
CODES = {"NOT_FOUND": 5, "FAILED_PRECONDITION": 9, "INTERNAL": 13, "RESOURCE_EXHAUSTED": 8}


class Operations:
    """Keeps operations by name.

    Attributes:
        seconds: How long an operation takes.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self._all: dict[str, Operation] = {}
        self._pending: dict[str, tuple[float, str, Callable[[], Any]]] = {}
        self._failures: dict[str, list[tuple[str, str]]] = {}
        self._ids = itertools.count(9001)

    def fail_next(self, kind: str, code: str, message: str) -> None:
        """Let the next operation of a kind, such as `deployModel`, fail when it ends."""
        self._failures.setdefault(kind, []).append((code, message))

    def start(self, resource: str, kind: str, finish: Callable[[], Any]) -> Operation:
        """Begin an operation on a resource; `finish` has its effect and returns its response."""
        name = f"{resource}/operations/{next(self._ids)}"
        self._all[name] = Operation(name=name)
        stage = {"deployment_stage": "CREATING_SERVING_CLUSTER"} if kind == "deployModel" else {}
        self._all[name].metadata.Pack(METADATA[kind].pb(METADATA[kind](**stage)))
        self._pending[name] = (time.monotonic() + self.seconds, kind, finish)
        if not self.seconds:
            self.advance()
        return self._all[name]

    def advance(self) -> None:
        """End what has lasted long enough."""
        for name, (end, kind, finish) in list(self._pending.items()):
            if time.monotonic() < end:
                continue
            del self._pending[name]
            operation = self._all[name]
            operation.done = True
            failures = self._failures.get(kind, [])
            if failures:
                code, message = failures.pop(0)
                operation.error.code = CODES[code]
                operation.error.message = message
                finish_failed = getattr(finish, "failed", None)
                if finish_failed:
                    finish_failed()
                continue
            response = AnyMessage()
            answer = finish()
            response.Pack(type(answer).pb(answer) if hasattr(type(answer), "pb") else answer)
            operation.response.CopyFrom(response)

    def end_all(self) -> None:
        """End everything now."""
        self._pending = {name: (0.0, *rest) for name, (_, *rest) in self._pending.items()}
        self.advance()

    def get(self, name: str) -> Operation | None:
        return self._all.get(name)

    def on(self, resource: str) -> list[Operation]:
        return [
            one for name, one in self._all.items() if name.startswith(f"{resource}/operations/")
        ]
