"""Reading from Vertex AI's answers where a run stands."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from google.cloud.aiplatform_v1.types.pipeline_job import PipelineJob, PipelineTaskDetail
from google.cloud.aiplatform_v1.types.pipeline_state import PipelineState
from google.protobuf import json_format

from ...project.sections.targets import VertexConfig
from ..spec_tasks import task_names
from ..types import RemoteRun, RemoteState, RunStatus, Submission, TaskStatus
from .settings import console_url

_RUN_STATES = {
    PipelineState.PIPELINE_STATE_SUCCEEDED: RemoteState.SUCCEEDED,
    PipelineState.PIPELINE_STATE_FAILED: RemoteState.FAILED,
    PipelineState.PIPELINE_STATE_CANCELLED: RemoteState.CANCELLED,
    PipelineState.PIPELINE_STATE_PAUSED: RemoteState.PAUSED,
    PipelineState.PIPELINE_STATE_RUNNING: RemoteState.RUNNING,
    PipelineState.PIPELINE_STATE_CANCELLING: RemoteState.RUNNING,
}
_TASK_STATES = {
    PipelineTaskDetail.State.RUNNING: RemoteState.RUNNING,
    PipelineTaskDetail.State.CANCEL_PENDING: RemoteState.RUNNING,
    PipelineTaskDetail.State.CANCELLING: RemoteState.RUNNING,
    PipelineTaskDetail.State.SUCCEEDED: RemoteState.SUCCEEDED,
    PipelineTaskDetail.State.CANCELLED: RemoteState.CANCELLED,
    PipelineTaskDetail.State.FAILED: RemoteState.FAILED,
    # Skipped, in Vertex's words, is what a cache hit saved; a condition that did not hold is not triggered.
    PipelineTaskDetail.State.SKIPPED: RemoteState.CACHED,
    PipelineTaskDetail.State.NOT_TRIGGERED: RemoteState.SKIPPED,
}
LISTED_FIELDS = ("name", "state", "error", "labels", "create_time", "end_time", "schedule_name")
"""What is read of jobs in a list: the whole would hold each job's spec.

google-cloud-aiplatform lists with a mask, too (google/cloud/aiplatform/pipeline_jobs.py, _READ_MASK_FIELDS).
"""


def to_remote_run(job: PipelineJob, submission: Submission) -> RemoteRun:
    """Return the state of a run in a list.

    Args:
        job: The run as the service lists it.
        submission: The run.
    """
    message = type(job).pb(job)
    return RemoteRun(
        submission,
        _RUN_STATES.get(message.state, RemoteState.PENDING),
        to_time(message, "end_time"),
        message.error.message,
        dict(message.labels),
        message.schedule_name,
    )


def to_status(job: PipelineJob, config: VertexConfig, spec: Mapping[str, Any]) -> RunStatus:
    """Return the state of a run.

    Args:
        job: The run as the service has it.
        config: Where it is.
        spec: The pipeline's spec, for where the job does not carry its own.

    Returns:
        Its state and its tasks'. The service lists groups of tasks as tasks, too, the pipeline itself among them; these
        are left out.
    """
    message = type(job).pb(job)
    own = json_format.MessageToDict(message.pipeline_spec)
    names = task_names(own if "root" in own else spec)
    details = [detail for detail in message.job_detail.task_details if detail.task_name in names]
    tasks = [_to_task(detail, job, config) for detail in details]
    never = datetime.max.replace(tzinfo=UTC)
    return RunStatus(
        state=_RUN_STATES.get(message.state, RemoteState.PENDING),
        tasks=sorted(tasks, key=lambda task: task.started or never),
        error=message.error.message,
    )


def to_time(message: Any, field: str) -> datetime | None:
    """Return a message's timestamp; None if it is not set."""
    if not message.HasField(field):
        return None
    moment: datetime = getattr(message, field).ToDatetime(tzinfo=UTC)
    return moment


def _to_task(detail: Any, job: PipelineJob, config: VertexConfig) -> TaskStatus:
    return TaskStatus(
        name=detail.task_name,
        state=_TASK_STATES.get(detail.state, RemoteState.PENDING),
        started=to_time(detail, "start_time"),
        ended=to_time(detail, "end_time"),
        error=detail.error.message,
        url=_logs_url(detail, config) or console_url(config, "runs", job.name),
    )


def _logs_url(detail: Any, config: VertexConfig) -> str:
    executor = detail.executor_detail
    name = executor.container_detail.main_job or executor.custom_job_detail.job
    if not name:
        return ""
    query = f'resource.type="ml_job"\nresource.labels.job_id="{name.rpartition("/")[2]}"'
    return (
        f"https://console.cloud.google.com/logs/query;query={quote(query)}?project={config.project}"
    )
