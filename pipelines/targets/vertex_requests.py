"""The messages that are sent to Vertex AI."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from ...components.lib.errors import RetrainerError
from ..target_config import VertexConfig
from .interface import Pipeline, RunRequest, ScheduleRequest
from .names import check_labels, check_run_id
from .schedule_changes import upcoming
from .vertex_settings import api_address, parent

if TYPE_CHECKING:
    from google.cloud import aiplatform_v1

PIPELINE_LABEL = "retrainer-pipeline"
"""Label of runs and schedules; its value names the pipeline that they are of."""
DIGEST_LABEL, APPLIED_LABEL = "retrainer-digest", "retrainer-applied"
"""Labels of a schedule's runs: what they were made of, and that retrain.yaml asks for the schedule."""
SCHEDULE_FIELDS = (
    "cron",
    "create_pipeline_job_request",
    "max_concurrent_run_count",
    "max_concurrent_active_run_count",
    "allow_queueing",
)
"""Fields of a schedule that are set here, besides its name."""
_MAX_LABEL = 63
_MAX_DISPLAY_NAME = 128
# The GAPIC clients ask for the answer's enums as numbers.
_ALT = {"$alt": "json;enum-encoding=int"}
# The answer would repeat the whole spec.
_FIELDS = {"$fields": "name,createTime"}


@dataclass(frozen=True)
class Post:
    """A request that creates something.

    Attributes:
        url: Where it is sent, query included.
        body: JSON.
    """

    url: str
    body: str


class VertexRequests:
    """Builds requests; what all have in common is built once, because a pipeline's spec takes milliseconds."""

    def __init__(self, config: VertexConfig, pipeline: Pipeline) -> None:
        from google.cloud.aiplatform_v1.types.pipeline_job import PipelineJob
        from google.protobuf import json_format

        self.parent = parent(config)
        self._address = api_address(config)
        self._pipeline = pipeline
        self._labels = {**config.labels, PIPELINE_LABEL: label_of(pipeline.name)}
        job = PipelineJob.pb(PipelineJob())
        if pipeline.template:
            job.template_uri = pipeline.template
        else:
            json_format.ParseDict(dict(pipeline.spec), job.pipeline_spec)
        job.runtime_config.gcs_output_directory = config.pipeline_root
        job.service_account = config.service_account or ""
        job.network = config.network or ""
        if config.encryption_key:
            job.encryption_spec.kms_key_name = config.encryption_key
        self._job = job
        self._frame = PipelineJob.pb(PipelineJob())
        self._frame.CopyFrom(job)
        self._frame.ClearField("pipeline_spec")
        self._spec = json.dumps(json_format.MessageToDict(job.pipeline_spec))

    def run(self, request: RunRequest) -> Post:
        """Build the request that starts a run.

        The spec is JSON already and goes into it as it is: the client library would write it anew for each run, which
        takes as long as all the rest ten times over.

        Raises:
            RetrainerError: If its id, a label or a parameter would be refused.
        """
        from google.cloud.aiplatform_v1.types.pipeline_job import PipelineJob
        from google.protobuf import json_format

        query = {"pipelineJobId": check_run_id(request.run_id), **_ALT, **_FIELDS}
        job = PipelineJob.pb(PipelineJob())
        job.CopyFrom(self._frame)
        self._fill(job, request.run_id, request.parameters, request.labels)
        body = json.dumps(json_format.MessageToDict(job, use_integers_for_enums=True))
        if not self._pipeline.template:
            body = f'{body[:-1]}, "pipelineSpec": {self._spec}}}'
        return Post(f"{self._address}/v1/{self.parent}/pipelineJobs?{urlencode(query)}", body)

    def schedule(self, request: ScheduleRequest) -> "aiplatform_v1.Schedule":
        """Build a schedule of one run at a time.

        Raises:
            RetrainerError: If its name or a parameter would be refused.
        """
        from google.cloud.aiplatform_v1.types.schedule import Schedule

        message = Schedule.pb(Schedule())
        message.display_name = check_schedule_name(request.name)
        message.cron = f"TZ={request.time_zone} {' '.join(request.cron.split())}"
        # The first bounds how many runs are being started, the second how many run. What comes meanwhile is left out.
        message.max_concurrent_run_count = 1
        message.max_concurrent_active_run_count = 1
        message.allow_queueing = False
        if start := upcoming(request.start):
            message.start_time.FromDatetime(start)
        if request.end:
            message.end_time.FromDatetime(request.end)
        if request.max_runs:
            message.max_run_count = request.max_runs
        inner = message.create_pipeline_job_request
        inner.parent = self.parent
        inner.pipeline_job.CopyFrom(self._job)
        labels = {DIGEST_LABEL: request.digest} if request.digest else {}
        if request.applied:
            labels[APPLIED_LABEL] = "true"
        self._fill(inner.pipeline_job, request.name, request.parameters, labels)
        return Schedule.wrap(message)

    def describe_run(self, request: RunRequest) -> dict[str, Any]:
        """Give the request that starts a run as it goes over the wire: `method`, `url` and `body`."""
        post = self.run(request)
        return {"method": "POST", "url": post.url, "body": json.loads(post.body)}

    def describe_schedule(self, request: ScheduleRequest) -> dict[str, Any]:
        """Give the request that creates a schedule as it goes over the wire: `method`, `url` and `body`."""
        from google.protobuf import json_format

        message = self.schedule(request)
        return {
            "method": "POST",
            "url": f"{self._address}/v1/{self.parent}/schedules?{urlencode(_ALT)}",
            "body": json_format.MessageToDict(
                type(message).pb(message), use_integers_for_enums=True
            ),
        }

    def _fill(
        self, job: Any, name: str, parameters: Mapping[str, str], labels: Mapping[str, str]
    ) -> None:
        all_labels = {**self._labels, **labels}
        try:
            check_labels(all_labels)
        except ValueError as error:
            raise RetrainerError(f"{error}.") from error
        self._check_parameters(parameters)
        job.display_name = name
        job.labels.update(all_labels)
        for key, value in parameters.items():
            job.runtime_config.parameter_values[key].string_value = value

    def _check_parameters(self, parameters: Mapping[str, str]) -> None:
        root = self._pipeline.spec.get("root", {})
        known = root.get("inputDefinitions", {}).get("parameters", {})
        for key in parameters:
            if key not in known:
                raise RetrainerError(
                    f"the pipeline '{self._pipeline.name}' has no parameter '{key}'; it has "
                    f"{', '.join(sorted(known)) or 'none'}."
                )


def label_of(pipeline: str) -> str:
    """Give the value of PIPELINE_LABEL for a pipeline: its name, or a name cut short, made unique by a hash."""
    if len(pipeline) <= _MAX_LABEL:
        return pipeline
    digest = hashlib.sha256(pipeline.encode()).hexdigest()[:12]
    return f"{pipeline[: _MAX_LABEL - len(digest) - 1].rstrip('-')}-{digest}"


def check_schedule_name(name: str) -> str:
    """Check a schedule's name.

    Returns:
        The name.

    Raises:
        RetrainerError: If it is too long, or holds what has a meaning in the service's filters.
    """
    if not name.strip() or len(name) > _MAX_DISPLAY_NAME:
        raise RetrainerError(
            f"the schedule's name '{name}' has {len(name)} characters, and Vertex AI takes 1 to {_MAX_DISPLAY_NAME}."
        )
    if not name.isprintable() or set(name) & set('"\\*'):
        raise RetrainerError(
            f"the schedule's name {name!r} can't be looked up: leave out quotes, backslashes, asterisks, line breaks."
        )
    return name
