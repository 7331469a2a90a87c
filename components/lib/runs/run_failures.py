"""Why a task failed that may be cached, and so must not know the run's name: noted with the place of its output.

A service puts the run into the path of each artifact: Vertex AI `<root>/<project number>/<job id>/<task>/...`
(cloud.google.com/vertex-ai/docs/pipelines/output-directory), Kubeflow `<root>/<pipeline>/<run id>/<task>/...`
(kubeflow/pipelines, backend/src/v2/metadata/client.go, GetPipeline), the local runner `<root>/<run id>/<task>/...`. So
whoever knows the run finds its failures, and no run's name is in a cache key.
"""

import json
import logging
import re
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from ..errors import RetrainerError
from ..store import Store
from ..uris import join, list_names, read_json, remove, write_atomic

FORMAT = 1
MOST_AGE = timedelta(days=30)
_STAMP = "%Y%m%dT%H%M%S"
_FILE = re.compile(r"(?P<stamp>[0-9]{8}T[0-9]{6})-[0-9a-f]{8}\.json")
_log = logging.getLogger("retrainer.run_failures")


@dataclass(frozen=True)
class Failure:
    """A task that failed.

    Attributes:
        task: Its component's name.
        at: When, in ISO 8601, UTC.
        path: Where one of its outputs would have gone.
        error: Why, in a few lines.
        known: Whether that is the text of a `RetrainerError`, and not of a crash.
    """

    task: str
    at: str
    path: str
    error: str
    known: bool


@contextmanager
def noting_failure(store: str, task: str, path: str) -> Iterator[None]:
    """Note in the store that a task failed, and why; a note that can't be written is warned of in the log.

    Args:
        store: URI of the store; empty to note nothing.
        task: The component's name.
        path: Where one of its outputs goes.
    """
    try:
        yield
    except Exception as error:
        if store:
            _note(store, task, path, error)
        raise


def check_moment(text: Any) -> str:
    """Check a time that was read: whoever compares or shows it relies on it.

    Args:
        text: What stands there; nothing is right, too.

    Returns:
        The same as text; empty for nothing.

    Raises:
        ValueError: If it is no time in ISO 8601 with an offset.
    """
    moment = str(text or "")
    if moment and datetime.fromisoformat(moment).tzinfo is None:
        raise ValueError(f"the time '{moment}' has no offset")
    return moment


def read_failures(store: str, since: str = "") -> list[Failure]:
    """Read the failures that are noted in a store, oldest first; a damaged note is left out.

    Args:
        store: URI of the store.
        since: The earliest time that matters, in ISO 8601, UTC; empty for any.
    """
    folder = Store(store).failures_uri
    start = f"{datetime.fromisoformat(since):{_STAMP}}" if since else ""
    return [
        failure
        for name, stamp in _names(folder)
        if stamp >= start and (failure := _read(join(folder, name)))
    ]


def failures_of(failures: Sequence[Failure], job: str) -> list[Failure]:
    """Pick a run's failures.

    Args:
        failures: Those of a store.
        job: What the service calls the run, `RunKey.job`.
    """
    segment = job.rpartition("/")[2]
    return [failure for failure in failures if segment in failure.path.split("/")]


def _note(store: str, task: str, path: str, error: Exception) -> None:
    now = datetime.now(UTC)
    known = isinstance(error, RetrainerError)
    content = {
        "format": FORMAT,
        "task": task,
        "at": now.isoformat(timespec="milliseconds"),
        "path": path,
        "error": str(error) if known else f"{type(error).__name__}: {error}",
        "known": known,
    }
    folder = Store(store).failures_uri
    try:
        text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
        name = f"{now:{_STAMP}}-{uuid.uuid4().hex[:8]}.json"
        write_atomic(join(folder, name), text, durable=False)
        oldest = f"{now - MOST_AGE:{_STAMP}}"
        for name, stamp in _names(folder):
            if stamp < oldest:
                remove(join(folder, name))
    # The task's own error is the one to report.
    except Exception as failed:
        _log.warning("why %s failed is not noted in the store: %s", task, failed)


def _names(folder: str) -> list[tuple[str, str]]:
    matches = map(_FILE.fullmatch, list_names(folder))
    return [(match[0], match["stamp"]) for match in matches if match]


def _read(uri: str) -> Failure | None:
    try:
        content: Any = read_json(uri)
        if content["format"] != FORMAT:
            return None
        texts = {name: str(content[name]) for name in ("task", "at", "path", "error")}
        check_moment(texts["at"])
        return Failure(**texts, known=bool(content["known"]))
    except (RetrainerError, FileNotFoundError, KeyError, TypeError, ValueError) as error:
        _log.warning("'%s' is left out: %s", uri, error)
        return None
