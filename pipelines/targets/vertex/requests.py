"""The messages that are sent to Vertex AI."""

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from ....components.lib.errors import RetrainerError
from ...definitions.compiled import Pipeline
from ...definitions.vertex_jobs import with_networks
from ...project.formats.names import check_labels, check_run_id
from ...project.sections.targets import VertexConfig
from ..schedule_changes import upcoming
from ..types import RunRequest, ScheduleRequest
from .api import Post, api_module, api_version
from .settings import api_address, parent, persistent_resource

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


class VertexRequests:
    """Builds requests; what all have in common is built once, because a pipeline's spec takes milliseconds."""

    def __init__(self, config: VertexConfig, pipeline: Pipeline) -> None:
        from google.protobuf import json_format

        self._config = config
        self.parent = parent(config)
        self._address = api_address(config)
        self._pipeline = pipeline
        self._labels = {**config.labels, PIPELINE_LABEL: label_of(pipeline.name)}
        job = self._empty("pipeline_job", "PipelineJob")
        if pipeline.template:
            job.template_uri = pipeline.template
        else:
            spec = with_networks(pipeline.vertex, config) if pipeline.vertex else pipeline.spec
            json_format.ParseDict(dict(spec), job.pipeline_spec)
        add_settings(job, config)
        self._job = job
        self._frame = self._empty("pipeline_job", "PipelineJob")
        self._frame.CopyFrom(job)
        self._frame.ClearField("pipeline_spec")
        self._spec = json.dumps(json_format.MessageToDict(job.pipeline_spec))

    def run(self, request: RunRequest) -> Post:
        """Build the request that starts a run.

        The spec is JSON already and goes into it as it is: the client library would serialize it again for each run,
        which takes ten times as long as all the rest.

        Raises:
            RetrainerError: If its id, a label or a parameter would be refused.
        """
        from google.protobuf import json_format

        query = {"pipelineJobId": check_run_id(request.run_id), **_ALT, **_FIELDS}
        job = self._empty("pipeline_job", "PipelineJob")
        job.CopyFrom(self._frame)
        self._fill(job, request.run_id, request.parameters, request.labels)
        body = json.dumps(json_format.MessageToDict(job, use_integers_for_enums=True))
        if not self._pipeline.template:
            body = f'{body[:-1]}, "pipelineSpec": {self._spec}}}'
        return Post(self._url("pipelineJobs", query), body)

    def schedule(self, request: ScheduleRequest) -> "aiplatform_v1.Schedule":
        """Build a schedule of one run at a time.

        Raises:
            RetrainerError: If its name or a parameter would be refused.
        """
        message = self._empty("schedule", "Schedule")
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
        return api_module(self._config, "types.schedule").Schedule.wrap(message)

    def describe_run(self, request: RunRequest) -> dict[str, Any]:
        """Describe the request that starts a run as it goes over the wire: `method`, `url` and `body`."""
        post = self.run(request)
        return {"method": "POST", "url": post.url, "body": json.loads(post.body)}

    def describe_schedule(self, request: ScheduleRequest) -> dict[str, Any]:
        """Describe the request that creates a schedule as it goes over the wire: `method`, `url` and `body`."""
        from google.protobuf import json_format

        message = self.schedule(request)
        return {
            "method": "POST",
            "url": self._url("schedules", _ALT),
            "body": json_format.MessageToDict(
                type(message).pb(message), use_integers_for_enums=True
            ),
        }

    def _empty(self, module: str, name: str) -> Any:
        kind = getattr(api_module(self._config, f"types.{module}"), name)
        return kind.pb(kind())

    def _url(self, collection: str, query: Mapping[str, str]) -> str:
        version = api_version(self._config)
        return f"{self._address}/{version}/{self.parent}/{collection}?{urlencode(query)}"

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


def add_settings(job: Any, config: VertexConfig) -> None:
    """Set what holds for every run: where it writes, whom it runs as, its networks and machines.

    Args:
        job: The message.
        config: The target's settings.
    """
    runtime = job.runtime_config
    runtime.gcs_output_directory = config.pipeline_root or ""
    if config.failure_policy:
        value = f"PIPELINE_FAILURE_POLICY_FAIL_{config.failure_policy.upper()}"
        field = runtime.DESCRIPTOR.fields_by_name["failure_policy"]
        runtime.failure_policy = field.enum_type.values_by_name[value].number
    job.service_account = config.service_account or ""
    job.network = config.network or ""
    job.reserved_ip_ranges.extend(config.reserved_ip_ranges)
    if config.psc_network_attachment:
        job.psc_interface_config.network_attachment = config.psc_network_attachment
    if config.encryption_key:
        job.encryption_spec.kms_key_name = config.encryption_key
    if config.persistent_resource:
        detail = runtime.default_runtime.persistent_resource_runtime_detail
        detail.persistent_resource_name = persistent_resource(config)
        detail.task_resource_unavailable_wait_time_ms = (
            config.persistent_resource_wait_seconds * 1000
        )
        detail.task_resource_unavailable_timeout_behavior = (
            detail.FALL_BACK_TO_ON_DEMAND if config.persistent_resource_fallback else detail.FAIL
        )


def label_of(pipeline: str) -> str:
    """Return the value of PIPELINE_LABEL for a pipeline: its name, or a name cut short, made unique by a hash."""
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
