"""What the tasks of a run note in the store: what they used, what they decided, why they stopped.

`ingest_spans`, `resolve_champion`, `validate_examples`, `push_model` and `deploy_model` are never cached, so they run
in every run that has them, on every target, whoever started it. Each replaces one small file of its own,
`runs/<run>/tasks/<task>.<job>.json`, when it starts and when it ends. Whoever submits a run puts
`submission.<job>.json` beside them. So the store knows every run, and what it used is known after the service has
forgotten it.

A task writes within `recording`; everybody else reads with `run_traces`.

The name of a run in its folder's name is not enough: Kubeflow lets two runs have the same display name. `<job>` is a
digest of what the service itself calls the run, so two runs never write to one file.
"""

import hashlib
import json
import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from ..errors import RetrainerError
from ..store import Store
from ..uris import join, write_atomic

FORMAT = 1
SUBMISSION = "submission"
RUN_FOLDER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
"""What a run's name must be to be its folder's, too."""
_MOST_SLUG, _DIGITS = 100, 12
# A placeholder that the service did not replace: Kubeflow Pipelines before 2.5 hands it on as it is.
_PLACEHOLDER = "{{$"
_log = logging.getLogger("retrainer.run_records")


class TaskState(StrEnum):
    """Where a task of a run stood when it last wrote."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


def filled_in(text: str) -> str:
    """Return what a service filled in for a placeholder of kfp; empty if it handed the placeholder on as it is.

    Args:
        text: What a task was given.
    """
    return "" if _PLACEHOLDER in text else text


@dataclass(frozen=True)
class RunKey:
    """Which run a record is of.

    Attributes:
        name: Its name: Vertex AI's job id, Kubeflow's display name, a local run's id.
        job: What the service itself calls it, which no other run is called: Vertex AI's resource name from `locations/`
            on (the project is a number in one place and an id in another), Kubeflow's run id, a local run's id.
    """

    name: str
    job: str

    @classmethod
    def of(cls, run: str, resource: str = "", uuid: str = "") -> "RunKey | None":
        """Make the key of what a service fills in for kfp's placeholders.

        Vertex AI fills in job id, resource name and a number; Kubeflow's driver the display name, the Argo workflow's
        name and the run's id (kubeflow/pipelines, backend/src/v2/driver/resolver/parameters.go); the local runner its
        run id everywhere.

        Args:
            run: What stands for `dsl.PIPELINE_JOB_NAME_PLACEHOLDER`.
            resource: What stands for `dsl.PIPELINE_JOB_RESOURCE_NAME_PLACEHOLDER`.
            uuid: What stands for `dsl.PIPELINE_JOB_ID_PLACEHOLDER`.

        Returns:
            The key; None if the run has no name, or the service did not fill it in.
        """
        if not filled_in(run):
            return None
        if "/pipelineJobs/" in resource:
            return cls(run, f"locations/{resource.rpartition('/locations/')[2]}")
        return cls(run, filled_in(uuid) or run)

    @property
    def folder(self) -> str:
        """Name of the run's folder below `runs/`: its own name if that can be one."""
        if RUN_FOLDER.fullmatch(self.name):
            return self.name
        # A display name on Kubeflow may hold anything.
        slug = re.sub(r"[^A-Za-z0-9._-]+", "-", self.name).strip("-._")[:_MOST_SLUG]
        return f"{slug or 'run'}-{_digest(self.name)}"

    @property
    def digest(self) -> str:
        """What stands for `job` in names of files."""
        return _digest(self.job)


@dataclass
class TaskRecord:
    """What a task noted.

    Attributes:
        task: Its component's name.
        state: Where it stood when it last wrote. `running` stays if its process was killed.
        started: When it began, in ISO 8601, UTC.
        ended: When it ended; empty before.
        verdict: Its own sentence on its result.
        error: Why it failed, in a few lines.
        known: Whether the error is a `RetrainerError`, whose text is for users, and not a crash.
        notes: What it used and decided, see `note`.
    """

    task: str
    state: TaskState = TaskState.RUNNING
    started: str = ""
    ended: str = ""
    verdict: str = ""
    error: str = ""
    known: bool = False
    notes: dict[str, Any] = field(default_factory=dict)

    def note(self, **notes: Any) -> None:
        """Keep what the task used or decided.

        The keys in use: `spans` (versions by span), `newest_span` and `examples` (URI) by ingest_spans; `champion`
        (version, or None) and `newest_span` by resolve_champion; `statistics` (URI) and `warnings` by
        validate_examples; `outcome` (`pushed`, `refused`, `unchanged`), `reasons` of a refusal (`not_blessed`,
        `not_serving`, `held`, `older`), `version` (of the model), `champion` (the version that it was compared with)
        and `newest_span` by push_model; `version` (the champion), `deployed` (what
        serves by service) and `not_deployed` (why not) by deploy_model;
        `version` (of the model) and `newest_span` by predict_batch; `joined` (versions by span) and `rows` by
        join_labels; `version`, `state` and `percent` of the rollout and `rolled_back` (whether this run ended it so) by
        watch_rollout; `detected` (names of signals) and `changes` by monitor_model.
        """
        self.notes.update(notes)


@contextmanager
def recording(
    store: str, task: str, run: str, resource: str = "", uuid: str = ""
) -> Iterator[TaskRecord]:
    """Keep a record of a task while it works, and of how it ended.

    A record that can't be written is warned of in the log, and never fails the task. Only tasks that are never cached
    may use this: the run's name would be in the cache key of others.

    Args:
        store: URI of the store.
        task: The component's name.
        run: Name of the run, from `dsl.PIPELINE_JOB_NAME_PLACEHOLDER`; empty to keep no record.
        resource: From `dsl.PIPELINE_JOB_RESOURCE_NAME_PLACEHOLDER`.
        uuid: From `dsl.PIPELINE_JOB_ID_PLACEHOLDER`.

    Yields:
        The record: set its `verdict`, and `note` what the task used and decided.
    """
    key = RunKey.of(run, resource, uuid)
    record = TaskRecord(task, started=_now())
    _write(store, key, record)
    try:
        yield record
    except BaseException as error:
        record.state, record.ended = TaskState.FAILED, _now()
        record.known = isinstance(error, RetrainerError)
        record.error = str(error) if record.known else f"{type(error).__name__}: {error}"
        _write(store, key, record)
        raise
    record.state, record.ended = TaskState.SUCCEEDED, _now()
    _write(store, key, record)


def note_submission(store: str, key: RunKey, about: Mapping[str, Any]) -> None:
    """Keep that a run was submitted.

    Args:
        store: URI of the store.
        key: The run.
        about: What to keep, such as `target`, `url`, `created_at`.

    Raises:
        OSError: If it can't be written.
        RetrainerError: If the store can't be opened.
    """
    content = {"format": FORMAT, "run": key.name, "job": key.job, **about}
    _write_file(store, key, SUBMISSION, content)


def _write(store: str, key: RunKey | None, record: TaskRecord) -> None:
    if key is None:
        return
    content = {
        "format": FORMAT,
        "run": key.name,
        "job": key.job,
        **vars(record),
    }
    try:
        _write_file(store, key, record.task, content)
    # Whatever happens here, the task's own work counts.
    except Exception as error:
        _log.warning(
            "what %s did in run '%s' is not recorded in the store, so 'retrainer runs' won't show it: %s",
            record.task,
            key.name,
            error,
        )


def _write_file(store: str, key: RunKey, task: str, content: Mapping[str, Any]) -> None:
    uri = join(Store(store).run_tasks_uri(key.folder), f"{task}.{key.digest}.json")
    text = json.dumps(content, indent=2, ensure_ascii=False, default=str) + "\n"
    write_atomic(uri, text, durable=False)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
