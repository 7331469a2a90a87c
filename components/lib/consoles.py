"""Pages that people open of runs and schedules, on each service."""


def vertex_page(project: str, region: str, kind: str, name: str) -> str:
    """Return a page of Google's console.

    Args:
        project: The project's id or number.
        region: The region.
        kind: `runs` or `schedules`.
        name: The id of the run or schedule.
    """
    return f"https://console.cloud.google.com/vertex-ai/locations/{region}/pipelines/{kind}/{name}?project={project}"


def kubeflow_run_page(host: str, run: str) -> str:
    """Return the page of a run in Kubeflow Pipelines' UI.

    Args:
        host: Its address.
        run: The run's id.
    """
    return f"{host.rstrip('/')}/#/runs/details/{run}"
