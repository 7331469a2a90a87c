"""Vertex AI's pipeline jobs and schedules on loopback.

Every request is read into the service's own messages (google-cloud-aiplatform, made of googleapis/googleapis,
google/cloud/aiplatform/v1), and what they do not have is refused. Nothing was seen on the live service. What the
words of those messages say is held: default times of schedules, what an update can't unset, states. By our reading
alone: which errors a wrong state, a used id or a missing project give (google.aip.dev/193, /133 and /216 are
Google's own conventions for them), lists without `job_detail`, newest first, and the task that a pipeline lists of
itself. `python tests/servers/vertex.py --port N` runs it alone.
"""

import argparse
import importlib
import itertools
import json
import re
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from aiohttp import web
from google.cloud.aiplatform_v1.types import (
    ListPipelineJobsResponse,
    ListSchedulesResponse,
    PipelineJob,
    PipelineState,
    PipelineTaskDetail,
    ResumeScheduleRequest,
    Schedule,
)
from google.protobuf import json_format
from google.protobuf.field_mask_pb2 import FieldMask

if __name__ == "__main__":  # alone, this file's folder is on the path, and not the one above
    sys.path.insert(0, str(Path(__file__).parents[1]))

from servers.local_http import LocalServer
from servers.vertex_rules import STATUS, RefusalError, check_job, check_job_id, check_schedule

PROJECT, REGION = "acme-ml", "europe-west1"
PARENT = f"projects/{PROJECT}/locations/{REGION}"
ROOT = "/{api:v1|v1beta1}/projects/{project}/locations/{region}"
LIST_QUERY = {"filter", "pageSize", "pageToken", "orderBy"}
MUTABLE = {
    "display_name",
    "cron",
    "create_pipeline_job_request",
    "max_concurrent_run_count",
    "max_concurrent_active_run_count",
    "allow_queueing",
    "start_time",
    "end_time",
    "max_run_count",
}
UNSETTABLE = {"start_time", "end_time", "max_run_count"}
State = Schedule.State


class VertexServer(LocalServer):
    """Keeps jobs and schedules as the service does.

    Attributes:
        jobs: Jobs by id.
        schedules: Schedules by id.
        page_size: How many a page of a list has at most.
        stats: How many requests, created jobs and refused second ones of the same id.
    """

    def __init__(self, port: int = 0) -> None:
        super().__init__(port)
        self.jobs: dict[str, Any] = {}
        self.schedules: dict[str, Any] = {}
        self.page_size = 100
        self.stats = {"created": 0, "requests": 0, "duplicates": 0}
        self._ids = itertools.count(1001)

    def routes(self) -> list[web.RouteDef]:
        jobs, job = f"{ROOT}/pipelineJobs", f"{ROOT}/pipelineJobs/{{id:[a-z][a-z0-9-]*}}"
        schedules, schedule = f"{ROOT}/schedules", f"{ROOT}/schedules/{{id:[0-9]+}}"
        table: list[tuple[str, str, set[str], Callable[..., Any]]] = [
            ("POST", jobs, {"pipelineJobId", "$fields"}, self._create_job),
            ("GET", jobs, LIST_QUERY | {"readMask"}, self._list_jobs),
            ("GET", job, set(), self._get_job),
            ("POST", f"{job}:cancel", set(), self._cancel_job),
            ("POST", schedules, set(), self._create_schedule),
            ("GET", schedules, LIST_QUERY, self._list_schedules),
            ("GET", schedule, set(), self._get_schedule),
            ("PATCH", schedule, {"updateMask"}, self._patch_schedule),
            ("POST", f"{schedule}:pause", set(), self._pause_schedule),
            ("POST", f"{schedule}:resume", set(), self._resume_schedule),
            ("DELETE", schedule, set(), self._delete_schedule),
        ]
        routes = [
            web.route(method, path, self._checked(query, handler))
            for method, path, query, handler in table
        ]
        return [*routes, web.get("/stats", self._stats)]

    def error(self, status: int) -> web.Response:
        return RefusalError(
            status, f"fails on demand with {status}", STATUS.get(status, "UNKNOWN")
        ).response()

    def advance(
        self, job_id: str, state: str, tasks: Mapping[str, str] | None = None, error: str = ""
    ) -> None:
        """Bring a job into another state.

        Args:
            job_id: Its id.
            state: Such as `RUNNING`.
            tasks: States of tasks by name, such as `{"train-model": "FAILED"}`. The service lists the pipeline itself
                as a task, too, under the name of the pipeline, so it is added.
            error: Message of what failed: the job, and its failed tasks.
        """
        job = self.jobs[job_id]
        job.state = PipelineState[f"PIPELINE_STATE_{state}"]
        job.error.message = error
        del job.job_detail.task_details[:]
        root = job.job_detail.task_details.add(
            task_id=1, task_name=job.pipeline_spec["pipelineInfo"]["name"], state=2
        )
        root.start_time.GetCurrentTime()
        for number, (name, task_state) in enumerate((tasks or {}).items(), start=2):
            task = job.job_detail.task_details.add(task_id=number, parent_task_id=1, task_name=name)
            task.state = PipelineTaskDetail.State[task_state]
            begun = datetime.now(UTC) + timedelta(seconds=number)
            if task_state not in ("PENDING", "NOT_TRIGGERED"):
                task.start_time.FromDatetime(begun)
                task.executor_detail.container_detail.main_job = (
                    f"projects/123/locations/{REGION}/customJobs/{7000 + number}"
                )
            if task_state in ("SUCCEEDED", "FAILED", "SKIPPED", "CANCELLED"):
                task.end_time.FromDatetime(begun + timedelta(seconds=30))
            if task_state == "FAILED":
                task.error.message = error

    def _checked(self, query: set[str], handler: Callable[..., Any]) -> Callable[..., Any]:
        async def handle(request: web.Request) -> web.Response:
            self.stats["requests"] += 1
            try:
                for name in request.query:
                    if name not in query | {"$alt"}:
                        raise RefusalError(
                            400, f'Invalid JSON payload received. Unknown name "{name}".'
                        )
                place = request.match_info
                if place["project"] != PROJECT:
                    raise RefusalError(
                        403, f"Permission denied on resource project {place['project']}."
                    )
                if place["region"] != REGION:
                    raise RefusalError(404, f"Location {place['region']} is not found.")
                answer: web.Response = handler(request, await request.read())
            except RefusalError as error:
                return error.response()
            return answer

        return handle

    def _create_job(self, request: web.Request, body: bytes) -> web.Response:
        job = _parse(_kind(request, PipelineJob), body)
        job_id = request.query.get("pipelineJobId") or f"pipeline-{next(self._ids)}"
        check_job_id(job_id)
        check_job(job, REGION)
        if job_id in self.jobs:
            self.stats["duplicates"] += 1
            raise RefusalError(
                409, f"The PipelineJob {PARENT}/pipelineJobs/{job_id} already exists."
            )
        job.name = f"{PARENT}/pipelineJobs/{job_id}"
        job.create_time.GetCurrentTime()
        job.state = PipelineState.PIPELINE_STATE_PENDING
        self.stats["created"] += 1
        self.jobs[job_id] = job
        answer = {
            **json.loads(body),
            "name": job.name,
            "createTime": job.create_time.ToJsonString(),
            "state": int(job.state),
        }
        if "$fields" in request.query:
            answer = {key: answer[key] for key in request.query["$fields"].split(",")}
        if not self.keeps_requests:
            # What is cleared stays in the message's memory, and what is copied has none of it.
            job.ClearField("pipeline_spec")
            self.jobs[job_id] = type(job)()
            self.jobs[job_id].CopyFrom(job)
        return web.json_response(answer)

    def _get_job(self, request: web.Request, body: bytes) -> web.Response:
        return _answer(_as(_kind(request, PipelineJob), self._job(request)))

    def _list_jobs(self, request: web.Request, body: bytes) -> web.Response:
        answer = ListPipelineJobsResponse.pb(ListPipelineJobsResponse())
        self._page(request, self.jobs.values(), answer, answer.pipeline_jobs)
        return _answer(answer)

    def _cancel_job(self, request: web.Request, body: bytes) -> web.Response:
        job = self._job(request)
        # As for training pipelines (GoogleCloudPlatform/java-docs-samples, issue 9281): what has ended is refused.
        if PipelineState(job.state).name.rpartition("_")[2] in ("SUCCEEDED", "FAILED", "CANCELLED"):
            name = PipelineState(job.state).name
            raise RefusalError(
                400,
                f'The PipelineJob "{job.name}" is in state {name} and cannot be canceled.',
                "FAILED_PRECONDITION",
            )
        job.state = PipelineState.PIPELINE_STATE_CANCELLING
        return web.json_response({})

    def _create_schedule(self, request: web.Request, body: bytes) -> web.Response:
        schedule = _parse(_kind(request, Schedule), body)
        check_schedule(schedule, PARENT, REGION)
        number = str(next(self._ids))
        schedule.name = f"{PARENT}/schedules/{number}"
        schedule.create_time.GetCurrentTime()
        if not schedule.HasField("start_time"):
            # "Default to Schedule create time if not specified" (aiplatform_v1 types.Schedule).
            schedule.start_time.CopyFrom(schedule.create_time)
        self.schedules[number] = schedule
        self._set_state(schedule, State.ACTIVE)
        return _answer(schedule)

    def _get_schedule(self, request: web.Request, body: bytes) -> web.Response:
        return _answer(_as(_kind(request, Schedule), self._schedule(request)))

    def _list_schedules(self, request: web.Request, body: bytes) -> web.Response:
        answer = ListSchedulesResponse.pb(ListSchedulesResponse())
        self._page(request, self.schedules.values(), answer, answer.schedules)
        return _answer(answer)

    def _patch_schedule(self, request: web.Request, body: bytes) -> web.Response:
        kind = _kind(request, Schedule)
        schedule, change = _as(kind, self._schedule(request)), _parse(kind, body)
        mask = FieldMask()
        mask.FromJsonString(request.query.get("updateMask", ""))
        if not mask.paths or set(mask.paths) - MUTABLE:
            raise RefusalError(400, f"Invalid update_mask: {list(mask.paths)}.")
        if schedule.state == State.COMPLETED:
            raise RefusalError(400, "The schedule is completed.", "FAILED_PRECONDITION")
        for path in mask.paths:
            # "The non-empty fields cannot be unset" (aiplatform_v1 types.UpdateScheduleRequest); the words are ours.
            if _is_set(schedule, path) and not _is_set(change, path) and path in UNSETTABLE:
                raise RefusalError(400, f"{path} cannot be unset.")
        changed = type(schedule)()
        changed.CopyFrom(schedule)
        for path in mask.paths:
            changed.ClearField(path)
            part = type(schedule)()
            part.CopyFrom(change)
            for other in [field.name for field, _ in part.ListFields() if field.name != path]:
                part.ClearField(other)
            changed.MergeFrom(part)
        check_schedule(changed, PARENT, REGION)
        schedule.CopyFrom(changed)
        schedule.update_time.GetCurrentTime()
        self.schedules[request.match_info["id"]] = schedule
        return _answer(schedule)

    def _pause_schedule(self, request: web.Request, body: bytes) -> web.Response:
        schedule = self._schedule(request)
        if schedule.state != State.ACTIVE:
            raise RefusalError(400, "The schedule is not active.", "FAILED_PRECONDITION")
        self._set_state(schedule, State.PAUSED)
        return web.json_response({})

    def _resume_schedule(self, request: web.Request, body: bytes) -> web.Response:
        schedule, message = self._schedule(request), _parse(ResumeScheduleRequest, body)
        if schedule.state != State.PAUSED:
            raise RefusalError(400, "The schedule is not paused.", "FAILED_PRECONDITION")
        schedule.catch_up = message.catch_up
        self._set_state(schedule, State.ACTIVE)
        return web.json_response({})

    def _delete_schedule(self, request: web.Request, body: bytes) -> web.Response:
        del self.schedules[self._schedule(request).name.rpartition("/")[2]]
        empty = {"@type": "type.googleapis.com/google.protobuf.Empty"}
        name = f"{PARENT}/operations/{next(self._ids)}"
        return web.json_response({"name": name, "done": True, "response": empty})

    async def _stats(self, request: web.Request) -> web.Response:
        return web.json_response(self.stats)

    def _job(self, request: web.Request) -> Any:
        job = self.jobs.get(request.match_info["id"])
        if job is None:
            raise RefusalError(404, f"The PipelineJob {request.match_info['id']} does not exist.")
        return job

    def _schedule(self, request: web.Request) -> Any:
        schedule = self.schedules.get(request.match_info["id"])
        if schedule is None:
            raise RefusalError(404, f"The Schedule {request.match_info['id']} does not exist.")
        return schedule

    def _set_state(self, schedule: Any, state: int) -> None:
        schedule.state = state
        if state == State.ACTIVE:
            schedule.next_run_time.FromDatetime(datetime.now(UTC) + timedelta(hours=1))
        else:
            schedule.ClearField("next_run_time")

    def _page(self, request: web.Request, messages: Iterable[Any], answer: Any, into: Any) -> None:
        matches = _filter(request.query.get("filter", ""))
        newest_first = [one for one in reversed(list(messages)) if matches(one)]
        first = int(request.query.get("pageToken") or 0)
        size = min(int(request.query.get("pageSize") or self.page_size), self.page_size)
        mask = FieldMask()
        mask.FromJsonString(request.query.get("readMask", ""))
        for one in newest_first[first : first + size]:
            into.add().ParseFromString(one.SerializeToString())
            if mask.paths:
                kept = type(into[-1])()
                mask.MergeMessage(into[-1], kept)
                into[-1].CopyFrom(kept)
            if hasattr(one, "job_detail"):
                into[-1].ClearField("job_detail")
        if first + size < len(newest_first):
            answer.next_page_token = str(first + size)


def _is_set(message: Any, name: str) -> bool:
    return any(field.name == name for field, _ in message.ListFields())


def _kind(request: web.Request, kind: Any) -> Any:
    """Return a message's class of the version of the API that a request goes to."""
    package = kind.__module__.replace("aiplatform_v1.", f"aiplatform_{request.match_info['api']}.")
    return getattr(importlib.import_module(package), kind.__name__)


def _as(kind: Any, message: Any) -> Any:
    """Return a message as a version of the API has it: what that version does not know stays out of its JSON."""
    pb = kind.pb(kind())
    pb.ParseFromString(message.SerializeToString())
    return pb


def _parse(kind: Any, body: bytes) -> Any:
    message = kind.pb(kind())
    try:
        return json_format.Parse(body or b"{}", message, ignore_unknown_fields=False)
    except json_format.ParseError as error:
        raise RefusalError(400, f"Invalid JSON payload received. {error}") from error


def _answer(message: Any) -> web.Response:
    text = json_format.MessageToJson(message, use_integers_for_enums=True, indent=None)
    return web.Response(text=text, content_type="application/json")


def _filter(text: str) -> Callable[[Any], bool]:
    """Read a filter: conditions `field="value"`, `labels.key="value"` and `field:*`, joined by AND."""
    tests: list[Callable[[Any], bool]] = []
    for condition in text.split(" AND ") if text else ():
        match = re.fullmatch(r'([a-z_]+)(?:\.([a-z_-]+))?\s*(?:=\s*"([^"*]*)"|:\*)', condition)
        if not match:
            raise RefusalError(400, f"Invalid filter: {condition}.")
        tests.append(_condition(match[1], match[2], match[3]))
    return lambda one: all(test(one) for test in tests)


def _condition(field: str, key: str | None, value: str | None) -> Callable[[Any], bool]:
    if value is None:
        return lambda one: bool(one.HasField(field))
    if key:
        return lambda one: getattr(one, field).get(key) == value
    return lambda one: getattr(one, field) == value


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    server = VertexServer(parser.parse_args().port)
    server.keeps_requests = False
    with server:
        print(f"serving {PARENT} at {server.url}", flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
