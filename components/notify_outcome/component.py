"""The KFP face of `notify_outcome`."""

from typing import Any, Dict, List, NamedTuple

from kfp import dsl

from ..lib.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def notify_outcome(
    store: str,
    pipeline: str,
    channels: List[Dict[str, Any]],
    run: str,
    run_resource: str = "",
    run_uuid: str = "",
    kubeflow_url: str = "",
) -> NamedTuple("Outputs", [("verdict", str), ("warnings", List[str])]):
    """Sends the outcome of a run, once on each channel. It never fails, and is never cached.

    It is the exit task of a `dsl.ExitHandler`, and reads from the store what the other tasks noted there.

    Args:
        store: URI of the store.
        pipeline: Name of the pipeline.
        channels: Where to, a mapping each: `kind` (`webhook`, `slack`, `email`, `pubsub`), `name`, `on` (outcomes),
            and what the kind takes, as under `notify` in retrain.yaml.
        run: Name of the run, from kfp's placeholder.
        run_resource: The run's resource name, from kfp's placeholder; it has the link to its page on Vertex AI.
        run_uuid: The run's id, from kfp's placeholder; it is in the link to its page on Kubeflow.
        kubeflow_url: Address of Kubeflow Pipelines that people open, for that link.

    Returns:
        verdict: The outcome, and on which channels it was sent.
        warnings: A line for each channel that failed; empty for none.
    """
    from retrainer.components.notify_outcome.notify import notify
    from retrainer.components.notify_outcome.run_page import RunPage

    page = RunPage(run_resource, run_uuid, kubeflow_url)
    sent = notify(store, pipeline, channels, run, page)
    return sent.verdict, sent.warnings
