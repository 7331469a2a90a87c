"""A service that serves models, in a file that processes share; it fails or dies on demand.

Register it with `monkeypatch.setitem(SERVICES, "memory", "servers.memory_service")`; its settings are `{"file": ...}`.
"""

import json
import os
import signal
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from retrainer.components.lib.serving.interface import Plan, Served, ServiceError

BEFORE: list[Callable[[str], None]] = []
"""Called with the name of each call before it changes anything."""
AFTER: list[Callable[[str], None]] = []
"""Called with the name of each call once it is done."""


def open_service(settings: Mapping[str, Any], name: str) -> "MemoryService":
    return MemoryService(Path(settings["file"]), splits=settings.get("splits", True))


class MemoryService:
    """Versions and their traffic.

    Attributes:
        file: Where its state is: `traffic`, `loaded`, every split that it ever had (`history`), and how often two
            callers changed it at once (`overlaps`).
    """

    def __init__(self, file: Path, splits: bool = True) -> None:
        self.file = file
        self._splits = splits

    @property
    def state(self) -> dict[str, Any]:
        with suppress(FileNotFoundError):
            return json.loads(self.file.read_text())
        return {"traffic": {}, "loaded": [], "history": [], "overlaps": 0}

    def apply(self, plan: Plan) -> Served:
        busy = self.file.with_suffix(f".busy-{os.getpid()}")
        alive = [
            one
            for one in self.file.parent.glob(f"{self.file.stem}.busy-*")
            if os.path.exists(f"/proc/{one.suffix.partition('-')[2]}") and one != busy
        ]
        busy.touch()
        try:
            if alive:
                self._change("overlap", overlaps=self.state["overlaps"] + 1)
            return self._apply(plan)
        finally:
            busy.unlink()

    def status(self) -> Served:
        self._called("status", BEFORE)
        state = self.state
        self._called("status", AFTER)
        traffic = {int(version): share for version, share in state["traffic"].items()}
        return Served(traffic, tuple(state["loaded"]), address="memory", splits=self._splits)

    def _apply(self, plan: Plan) -> Served:
        wanted = [one.version for one in (plan.stable, plan.canary) if one]
        for version in wanted:
            if version not in self.state["loaded"]:
                self._change("load", loaded=[*self.state["loaded"], version])
        traffic = {str(version): share for version, share in plan.traffic.items()}
        if traffic != self.state["traffic"]:
            self._change("traffic", traffic=traffic, history=[*self.state["history"], traffic])
        if set(self.state["loaded"]) != set(wanted):
            self._change("unload", loaded=wanted)
        return self.status()

    def _change(self, call: str, **values: Any) -> None:
        self._called(call, BEFORE)
        aside = self.file.with_suffix(f".{os.getpid()}")
        aside.write_text(json.dumps({**self.state, **values}))
        aside.rename(self.file)
        self._called(call, AFTER)

    def _called(self, call: str, hooks: list[Callable[[str], None]]) -> None:
        for hook in list(hooks):
            hook(call)


def failing_at(number: int, error: Exception) -> Callable[[str], None]:
    """Make a hook that raises at the n-th call, from 1."""
    count = 0

    def hook(call: str) -> None:
        nonlocal count
        count += 1
        if count == number:
            raise error

    return hook


def lost_reply() -> ServiceError:
    """Make the error of a call whose reply was lost."""
    return ServiceError("memory did not answer", transient=True)


def die(*_: object) -> None:
    """End this process as `kill -9` does."""
    os.kill(os.getpid(), signal.SIGKILL)
