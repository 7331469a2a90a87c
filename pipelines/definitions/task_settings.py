"""Putting a task's settings into the compiled pipeline: what both targets take, and what only Kubernetes does."""

from typing import Any

from ..project.sections.kubernetes import SHARED_MEMORY, KubernetesTaskConfig
from ..project.sections.tasks import TaskConfig

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
        task.set_accelerator_type(settings.accelerator)
        # `set_accelerator_limit` takes the counts of Vertex AI alone (1, 2, 4, 8, 16); Kubeflow's driver hands any
        # number on to Kubernetes (kubeflow/pipelines, backend/src/v2/driver/driver.go, initPodSpecPatch).
        task.container_spec.resources.accelerator_count = str(settings.accelerators)
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
    if settings.image_pull_secrets:
        kubernetes.set_image_pull_secrets(task, settings.image_pull_secrets)
    for key, value in settings.node_selector.items():
        kubernetes.add_node_selector(task, key, value)
    for toleration in settings.tolerations:
        kubernetes.add_toleration(task, **toleration.model_dump())
    for key, value in settings.labels.items():
        kubernetes.add_pod_label(task, key, value)
    for key, value in settings.annotations.items():
        kubernetes.add_pod_annotation(task, key, value)
    _apply_volumes(task, settings)
    for use, sources in (
        (kubernetes.use_secret_as_env, settings.secrets),
        (kubernetes.use_config_map_as_env, settings.config_maps),
    ):
        for variable, source in sources.items():
            name, _, key = (source or "").partition("/")
            use(task, name, {key: variable})
    if context := settings.security_context.model_dump(exclude_none=True):
        # kfp-kubernetes 1.5 has neither a function for it nor a field, and refuses fields that it does not know when
        # it adds another: so this comes last.
        config = task.platform_config.setdefault("kubernetes", {})
        config["securityContext"] = {_to_camel(key): _to_json(one) for key, one in context.items()}


def _apply_volumes(task: Any, settings: KubernetesTaskConfig) -> None:
    from kfp import kubernetes

    for use, volumes in (
        (kubernetes.use_secret_as_volume, settings.secret_volumes),
        (kubernetes.use_config_map_as_volume, settings.config_map_volumes),
        (kubernetes.mount_pvc, settings.persistent_volumes),
    ):
        for folder, volume in volumes.items():
            use(task, volume, folder)
    if settings.shared_memory:
        kubernetes.empty_dir_mount(
            task, SHARED_MEMORY, "/dev/shm", medium="Memory", size_limit=settings.shared_memory
        )


def _to_camel(key: str) -> str:
    first, *others = key.split("_")
    return first + "".join(word.capitalize() for word in others)


def _to_json(value: bool | int) -> bool | str:
    # An int64 is text in protobuf's JSON.
    return value if isinstance(value, bool) else str(value)
