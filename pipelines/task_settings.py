"""Putting a task's settings into the compiled pipeline: what both targets take, and what only Kubernetes does."""

from typing import Any

from .task_config import KubernetesTaskConfig, TaskConfig

MAX_RETRY_SECONDS = 3600


def apply_settings(task: Any, settings: TaskConfig, image: str | None) -> None:
    """Put settings into a task.

    Args:
        task: The `kfp.dsl.PipelineTask`.
        settings: What retrain.yaml says of it.
        image: The pipeline's image; the component's own if None.
    """
    if settings.image or image:
        task.set_container_image(settings.image or image)
    # Request and limit alike: Vertex chooses its machine by the limit, Kubernetes its node by the request.
    if settings.cpu:
        task.set_cpu_request(settings.cpu).set_cpu_limit(settings.cpu)
    if settings.memory:
        task.set_memory_request(settings.memory).set_memory_limit(settings.memory)
    for name, value in settings.env.items():
        task.set_env_variable(name, value)
    if settings.accelerator:
        task.set_accelerator_type(settings.accelerator).set_accelerator_limit(settings.accelerators)
    if settings.retries:
        task.set_retry(
            num_retries=settings.retries,
            backoff_duration=f"{settings.retry_seconds}s",
            backoff_factor=2.0,
            backoff_max_duration=f"{MAX_RETRY_SECONDS}s",
        )
    if settings.kubernetes.model_fields_set:
        _apply_to_kubernetes(task, settings.kubernetes)


def _apply_to_kubernetes(task: Any, settings: KubernetesTaskConfig) -> None:
    # It takes a second to import, and few pipelines need it.
    from kfp import kubernetes

    if settings.timeout_seconds:
        kubernetes.set_timeout(task, settings.timeout_seconds)
    if settings.image_pull_policy:
        kubernetes.set_image_pull_policy(task, settings.image_pull_policy)
    for key, value in settings.node_selector.items():
        kubernetes.add_node_selector(task, key, value)
    for variable, source in settings.secrets.items():
        secret, _, key = (source or "").partition("/")
        kubernetes.use_secret_as_env(task, secret, {key: variable})
    for folder, volume in settings.secret_volumes.items():
        kubernetes.use_secret_as_volume(task, volume, folder)
