"""Tasks that run as custom jobs of Vertex AI, which have a machine type, a disk and spot machines.

A task's executor becomes Google's launcher of custom jobs, and what it ran becomes the job's worker. Inputs,
outputs and placeholders are those that google-cloud-pipeline-components 2.22.0 writes (kubeflow/pipelines,
components/google-cloud/google_cloud_pipeline_components/v1/custom_job: component.py and utils.py,
create_custom_training_job_from_component). Vertex AI runs that launcher itself, and fills the placeholders with the
pipeline job's own account, networks and key.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from ...components.lib.errors import RetrainerError
from ..project.sections.targets import VertexConfig
from ..project.sections.tasks import TaskConfig

RUN_UUID, RUN_RESOURCE = "run_uuid", "run_resource"
"""Inputs of tasks that know of their run: what each service calls it, and what Vertex AI calls it."""
IMAGE = "gcr.io/ml-pipeline/google-cloud-pipeline-components:2.22.0"
_COMMAND = [
    "python3",
    "-u",
    "-m",
    "google_cloud_pipeline_components.container.v1.custom_job.launcher",
]
_LONGEST_SECONDS = 604800
_WORKERS, _PSC, _RANGES = "worker_pool_specs", "psc_interface_config", "reserved_ip_ranges"
# The job's settings: type, and the value where none is given.
_INPUTS: dict[str, tuple[str, Any]] = {
    "display_name": ("STRING", ""),
    _WORKERS: ("LIST", []),
    "timeout": ("STRING", ""),
    "restart_job_on_worker_restart": ("BOOLEAN", False),
    "strategy": ("STRING", "STANDARD"),
    "max_wait_duration": ("STRING", "86400s"),
    "service_account": ("STRING", "{{$.pipeline_service_account}}"),
    "tensorboard": ("STRING", ""),
    "enable_web_access": ("BOOLEAN", False),
    "network": ("STRING", "{{$.pipeline_network}}"),
    _RANGES: ("LIST", []),
    "base_output_directory": ("STRING", ""),
    "labels": ("STRUCT", {}),
    "encryption_spec_key_name": ("STRING", "{{$.pipeline_encryption_key_name}}"),
    "persistent_resource_id": ("STRING", "{{$.pipeline_persistent_resource_id}}"),
    _PSC: ("STRUCT", {}),
    "project": ("STRING", "{{$.pipeline_google_cloud_project_id}}"),
    "location": ("STRING", "{{$.pipeline_google_cloud_location}}"),
}


def as_custom_jobs(
    spec: Mapping[str, Any], tasks: Mapping[str, TaskConfig], config: VertexConfig
) -> dict[str, Any]:
    """Let tasks with settings of Vertex AI's own run as custom jobs.

    Args:
        spec: The compiled pipeline.
        tasks: Every task's settings, by its name.
        config: The target's settings.

    Returns:
        Another pipeline, or the same if no task has such settings.
    """
    changed: dict[str, Any] = json.loads(json.dumps(spec))
    executors = changed["deploymentSpec"]["executors"]
    for label, component in changed["components"].items():
        # A component's second use has a number behind its name.
        name = re.sub(r"-[0-9]+$", "", label.removeprefix("comp-"))
        task = tasks.get(name.replace("-", "_"))
        if task and task.vertex.machine_type:
            executor = executors[component["executorLabel"]]
            _add_inputs(component, name, executor["container"], task)
            executor["container"] = _launcher()
    return with_networks(changed, config)


def with_resource_names(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Pass tasks the resource name of their run.

    Vertex AI fills in its placeholder, Kubeflow's has no use, and kfp's local runner fails at it (kfp/local/
    placeholder_utils.py of kfp 2.13 and 2.16, PLACEHOLDERS lacks it).

    Args:
        spec: The compiled pipeline, whose tasks have the run's id already, where they may know of it.

    Returns:
        Another pipeline.
    """
    from kfp import dsl

    changed: dict[str, Any] = json.loads(json.dumps(spec))
    value = {"runtimeValue": {"constant": dsl.PIPELINE_JOB_RESOURCE_NAME_PLACEHOLDER}}
    for component in (changed["root"], *changed["components"].values()):
        for task in component.get("dag", {}).get("tasks", {}).values():
            inputs = task.get("inputs", {}).get("parameters", {})
            if RUN_UUID in inputs:
                inputs[RUN_RESOURCE] = value
    return changed


def with_networks(spec: Mapping[str, Any], config: VertexConfig) -> dict[str, Any]:
    """Name to custom jobs the networks that no placeholder has.

    Args:
        spec: A pipeline with custom jobs, or without.
        config: The target's settings.

    Returns:
        The pipeline.
    """
    components = dict(spec["components"])
    for name, component in components.items():
        inputs = component.get("inputDefinitions", {}).get("parameters", {})
        if _WORKERS not in inputs:
            continue
        attachment = config.psc_network_attachment
        values = {
            _PSC: {"network_attachment": attachment} if attachment else {},
            _RANGES: config.reserved_ip_ranges,
        }
        inputs = {
            **inputs,
            **{key: {**inputs[key], "defaultValue": value} for key, value in values.items()},
        }
        definitions = {**component["inputDefinitions"], "parameters": inputs}
        components[name] = {**component, "inputDefinitions": definitions}
    return {**spec, "components": components}


def _add_inputs(
    component: dict[str, Any], name: str, container: Mapping[str, Any], task: TaskConfig
) -> None:
    vertex = task.vertex
    values = {
        "display_name": name,
        _WORKERS: [_worker(container, task)],
        "timeout": f"{vertex.timeout_seconds or _LONGEST_SECONDS}s",
        "strategy": "SPOT" if vertex.spot else "STANDARD",
    }
    inputs = component.setdefault("inputDefinitions", {}).setdefault("parameters", {})
    if taken := sorted(_INPUTS.keys() & inputs.keys()):
        raise RetrainerError(
            f"tasks.{name.replace('-', '_')}.vertex: the task has an input '{taken[0]}' of its own, which a custom job "
            "has, too."
        )
    for key, (kind, default) in _INPUTS.items():
        inputs[key] = {
            "parameterType": kind,
            "isOptional": True,
            "defaultValue": values.get(key, default),
        }
    outputs = component.setdefault("outputDefinitions", {}).setdefault("parameters", {})
    outputs["gcp_resources"] = {"parameterType": "STRING"}


def _worker(container: Mapping[str, Any], task: TaskConfig) -> dict[str, Any]:
    vertex = task.vertex
    machine: dict[str, Any] = {"machine_type": vertex.machine_type}
    if task.accelerator:
        machine |= {"accelerator_type": task.accelerator, "accelerator_count": task.accelerators}
    worker: dict[str, Any] = {
        "machine_spec": machine,
        "replica_count": 1,
        "container_spec": {
            "image_uri": container["image"],
            "command": _escaped(container.get("command", [])),
            "args": _escaped(container.get("args", [])),
            "env": container.get("env", []),
        },
    }
    if vertex.boot_disk_gb or vertex.boot_disk_type:
        worker["disk_spec"] = {
            "boot_disk_type": vertex.boot_disk_type or "pd-ssd",
            "boot_disk_size_gb": vertex.boot_disk_gb or 100,
        }
    return worker


def _escaped(words: list[str]) -> list[str]:
    # What the placeholder stands for is put into text that is JSON already.
    return ["{{$.json_escape[1]}}" if word == "{{$}}" else word for word in words]


def _launcher() -> dict[str, Any]:
    def given(name: str) -> str:
        text = f"{{{{$.inputs.parameters['{name}']}}}}"
        return f'"{text}"' if _INPUTS[name][0] == "STRING" else text

    scheduling = ("timeout", "restart_job_on_worker_restart", "strategy", "max_wait_duration")
    job = ", ".join(
        [
            f'"{_WORKERS}": {given(_WORKERS)}',
            f'"scheduling": {{{", ".join(f"{json.dumps(key)}: {given(key)}" for key in scheduling)}}}',
            *(f'"{key}": {given(key)}' for key in ("service_account", "tensorboard")),
            *(f'"{key}": {given(key)}' for key in ("enable_web_access", "network", _RANGES)),
            f'"base_output_directory": {{"output_uri_prefix": {given("base_output_directory")}}}',
            *(f'"{key}": {given(key)}' for key in ("persistent_resource_id", _PSC)),
        ]
    )
    payload = (
        f'{{"display_name": {given("display_name")}, "job_spec": {{{job}}}, "labels": {given("labels")}, '
        f'"encryption_spec": {{"kms_key_name": {given("encryption_spec_key_name")}}}}}'
    )
    return {
        "image": IMAGE,
        "command": _COMMAND,
        "args": [
            "--type",
            "CustomJob",
            "--payload",
            payload,
            "--project",
            given("project").strip('"'),
            "--location",
            given("location").strip('"'),
            "--gcp_resources",
            "{{$.outputs.parameters['gcp_resources'].output_file}}",
        ],
    }
