"""What Vertex AI refuses, and how.

Sources, in googleapis/googleapis, google/cloud/aiplatform/v1 (the same words stand in the classes of
aiplatform_v1.types):
- a job's id: pipeline_service.proto, CreatePipelineJobRequest ("less than 128 characters", of a-z, 0-9 and "-");
  and python-aiplatform's own pattern, which takes 128 and a letter first:
  google/cloud/aiplatform/constants/pipeline.py;
- names of at most 128 characters, networks with the project's number, `gcs_output_directory`: pipeline_job.proto;
- labels: pipeline_job.proto (at most 64 characters) and, which is stricter and held here, 63 and at most 64 of
  them: cloud.google.com/resource-manager/docs/labels-overview#requirements;
- keys of the region: encryption_spec.proto; cron with its zone and the number of concurrent runs: schedule.proto;
- templates: cloud.google.com/vertex-ai/docs/pipelines/create-pipeline-template.
The words of the refusals, the form of service accounts, and what happens to parameters that a pipeline does not
have, are our reading. So is each rule until it is seen on the live service.
"""

import re
import time
from typing import Any

from aiohttp import web

STATUS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ALREADY_EXISTS",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
}
FORMATS = {
    "service_account": r"[^@\s]+@[^@\s]+\.gserviceaccount\.com",
    "network": r"projects/[0-9]+/global/networks/[a-z][a-z0-9-]*",
}
ATTACHMENT = r"projects/[^/]+/regions/{region}/networkAttachments/[a-z][a-z0-9-]*"
PERSISTENT = r"projects/[^/]+/locations/{region}/persistentResources/[a-z][a-z0-9-]*"
TEMPLATE = r"https://[\w-]+-kfp\.pkg\.dev/[\w-]+/[\w-]+/[\w-]+/.+"


class RefusalError(Exception):
    """An error in Google's JSON form."""

    def __init__(self, code: int, message: str, status: str = "") -> None:
        super().__init__(message)
        self.code, self.status = code, status or STATUS[code]

    def response(self) -> web.Response:
        error = {"code": self.code, "message": str(self), "status": self.status}
        return web.json_response({"error": error}, status=self.code)


def check_job_id(job_id: str) -> None:
    if not re.fullmatch(r"[a-z][-a-z0-9]{0,127}", job_id):
        raise RefusalError(400, f"PipelineJob ID {job_id} must match [a-z][-a-z0-9]{{0,127}}.")


def check_job(job: Any, region: str) -> None:
    _check_display_name(job.display_name)
    check_labels(job.labels)
    if not job.runtime_config.gcs_output_directory.startswith("gs://"):
        raise RefusalError(400, "gcs_output_directory must be a Cloud Storage path.")
    for field, rule in FORMATS.items():
        value = getattr(job, field)
        if value and not re.fullmatch(rule, value):
            raise RefusalError(400, f"Invalid {field}: {value}.")
    attachment = job.psc_interface_config.network_attachment
    if attachment and not re.fullmatch(ATTACHMENT.format(region=region), attachment):
        raise RefusalError(400, f"Invalid network_attachment: {attachment}.")
    if attachment and job.network:
        # Google's own components refuse both (google_cloud_pipeline_components/v1/custom_job/utils.py).
        raise RefusalError(400, "network and psc_interface_config cannot be set at the same time.")
    if hasattr(job.runtime_config, "default_runtime"):
        runtime = job.runtime_config.default_runtime.persistent_resource_runtime_detail
        name = runtime.persistent_resource_name
        if name and not re.fullmatch(PERSISTENT.format(region=region), name):
            raise RefusalError(400, f"Invalid persistent_resource_name: {name}.")
    key = job.encryption_spec.kms_key_name
    if key and f"/locations/{region}/keyRings/" not in key:
        raise RefusalError(400, f"The key {key} is not in {region}.")
    if job.template_uri:
        if not re.fullmatch(TEMPLATE, job.template_uri):
            raise RefusalError(400, f"Invalid template_uri: {job.template_uri}.")
    else:
        _check_spec(job)


def check_schedule(schedule: Any, parent: str, region: str) -> None:
    _check_display_name(schedule.display_name)
    if not schedule.display_name:
        raise RefusalError(400, "display_name is required.")
    zone, _, cron = schedule.cron.rpartition("=")[2].partition(" ")
    if not re.fullmatch(r"(CRON_)?TZ=\S+( \S+){5}", schedule.cron):
        raise RefusalError(400, f"Invalid cron: {zone} {cron}.")
    if schedule.max_concurrent_run_count < 1:
        raise RefusalError(400, "max_concurrent_run_count is required.")
    if schedule.HasField("end_time"):
        ends = schedule.end_time.ToSeconds()
        # Our reading: no page says what happens to a schedule that has ended before it begins.
        if ends <= max(schedule.start_time.ToSeconds(), time.time()):
            raise RefusalError(400, "end_time must be after start_time and in the future.")
    inner = schedule.create_pipeline_job_request
    if inner.parent != parent:
        raise RefusalError(400, f"The request's parent {inner.parent} is not {parent}.")
    check_job(inner.pipeline_job, region)


def _check_spec(job: Any) -> None:
    if "root" not in job.pipeline_spec.fields or "schemaVersion" not in job.pipeline_spec.fields:
        raise RefusalError(400, "pipeline_spec or template_uri is required.")
    root = job.pipeline_spec["root"].fields
    known = (
        root["inputDefinitions"].struct_value["parameters"] if "inputDefinitions" in root else {}
    )
    for name, value in job.runtime_config.parameter_values.items():
        if name not in known:
            raise RefusalError(400, f"The parameter {name} is not found in the pipeline.")
        if known[name]["parameterType"] == "STRING" and value.WhichOneof("kind") != "string_value":
            raise RefusalError(400, f"The parameter {name} must be a string.")
    if job.runtime_config.parameters:
        raise RefusalError(400, "parameters are for schema version 2.0.0; use parameter_values.")


def _check_display_name(name: str) -> None:
    if len(name) > 128:
        raise RefusalError(400, "display_name has more than 128 characters.")


def check_labels(labels: Any) -> None:
    if len(labels) > 64:
        raise RefusalError(400, "More than 64 labels.")
    for key, value in labels.items():
        if not re.fullmatch(r"[a-z][a-z0-9_-]{0,62}", key) or not re.fullmatch(
            r"[a-z0-9_-]{0,63}", value
        ):
            raise RefusalError(400, f"Invalid label {key}={value}.")
