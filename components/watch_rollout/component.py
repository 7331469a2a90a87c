"""The KFP face of `watch_rollout`."""

from typing import Any, Dict, NamedTuple

from kfp import dsl

from ..lib.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def watch_rollout(
    store: str,
    services: Dict[str, Dict[str, Any]],
    pipeline: str,
    rollout: Dict[str, Any],
    run: str = "",
    run_resource: str = "",
    run_uuid: str = "",
) -> NamedTuple("Outputs", [("verdict", str)]):
    """Looks at a rollout, takes it to its next step or back. Do not cache this task: it changes the world.

    It reads what both versions answered since the last look, decides, records the decision, and brings the services to
    it. It goes on only where every guard has data, and may be run as often as one likes: its test allows that. Killed
    at any moment, the next look goes on from the record.

    Args:
        store: URI of the store, which keeps the registry and the rollout's state.
        services: Settings by service, as under `serving.deploy` in retrain.yaml.
        pipeline: Name of the project, which what is made in a service is labelled with.
        rollout: The section `serving.rollout`.
        run: Name of the run, by which the store keeps what this task did; empty to keep nothing.
        run_resource: The run's resource name, from kfp's placeholder; it distinguishes runs of one name.
        run_uuid: The run's id, from kfp's placeholder; it distinguishes runs of one name.

    Returns:
        verdict: Where the rollout stands, and why.
    """
    from retrainer.components.lib.runs.run_records import filled_in, recording
    from retrainer.components.watch_rollout.watch import watch

    with recording(store, "watch_rollout", run, run_resource, run_uuid) as record:
        record.verdict = watch(store, services, pipeline, rollout, filled_in(run), record)
    return (record.verdict,)
