"""The KFP face of `deploy_model`."""

from typing import Any, Dict, NamedTuple

from kfp import dsl

from ..lib.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def deploy_model(
    store: str,
    services: Dict[str, Dict[str, Any]],
    pipeline: str,
    rollout: Dict[str, Any] = {},
    pushed_model: dsl.Input[dsl.Model] = None,
    run: str = "",
    run_resource: str = "",
    run_uuid: str = "",
) -> NamedTuple("Outputs", [("verdict", str)]):
    """Brings every service to what should serve by the registry. Do not cache this task: it changes the world.

    The registry leads: a service that is down fails this task after the others had their turn, and never changes the
    registry. The next run, or `retrainer deploy`, makes up for it, also where that run pushes no model.

    Args:
        store: URI of the store, which keeps the registry and what was asked of each service.
        services: Settings by service, as under `serving.deploy` in retrain.yaml.
        pipeline: Name of the pipeline, which what is made in a service is labelled with.
        rollout: The section `serving.rollout`; empty: a new champion gets all requests at once.
        pushed_model: `pushed_model` of `push_model`, after which this task runs. What is deployed is the registry's
            champion.
        run: Name of the run, by which the store keeps what this task did; empty to keep nothing.
        run_resource: The run's resource name, from kfp's placeholder; it distinguishes runs of one name.
        run_uuid: The run's id, from kfp's placeholder; it distinguishes runs of one name.

    Returns:
        verdict: What serves, and where.
    """
    from retrainer.components.deploy_model.deploy import deploy
    from retrainer.components.lib.runs.run_records import filled_in, recording

    with recording(store, "deploy_model", run, run_resource, run_uuid) as record:
        record.verdict = deploy(store, services, pipeline, rollout, filled_in(run), record)
    return (record.verdict,)
