"""Serving checks in the process that asks for them, instead of a clean one that imports TensorFlow for each.

For tests that are about something else.
"""

import json
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any


class ServerHere(AbstractContextManager["ServerHere"]):
    """What stands for the class `Server` in `check`."""

    @classmethod
    def open(cls) -> "ServerHere":
        return cls()

    def __exit__(self, *_: object) -> None:
        pass

    def ask(self, request: Mapping[str, Any], _: float) -> dict[str, Any]:
        from retrainer.components.check_serving.served_model import answer

        return dict(json.loads(json.dumps(answer(json.loads(json.dumps(request, default=str))))))
