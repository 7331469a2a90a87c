"""The KFP face of `push_model`."""

from typing import NamedTuple

from kfp import dsl

from ..lib.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def push_model(
    model: dsl.Input[dsl.Model],
    blessing: dsl.Input[dsl.Artifact],
    pushed_model: dsl.Output[dsl.Model],
    store: str,
    serving_check: dsl.Input[dsl.Artifact] = None,
    run: str = "",
    span: str = "",
    alias: str = "champion",
    pattern: str = "",
    allow_older: str = "false",
    run_resource: str = "",
    run_uuid: str = "",
) -> NamedTuple("Outputs", [("verdict", str)]):
    """Makes a blessed model the champion, and refuses any other. Do not cache this task: it changes the world.

    The gate is inside: a model is pushed only if the blessing and the serving check are of this very model and both
    say yes, only if the champion is still the one that the model was compared with, and only if the champion has seen
    no newer span.

    Args:
        model: SavedModel from `train_model`.
        blessing: Blessing from `evaluate_model`.
        pushed_model: Whether the model was pushed, as which version, and if not why.
        store: URI of the store, which keeps the registry.
        serving_check: Check from `check_serving`; without one, the blessing alone decides.
        run: The run that made the model; kept in the registry. By its name the store keeps what this task decided.
        span: The newest span that the model has seen; kept in the registry.
        alias: The alias that the model in service has.
        pattern: The pattern that the span was found with; it has the format of the spans' dates.
        allow_older: `true` to let a model replace a champion that has seen newer spans.
        run_resource: The run's resource name, from kfp's placeholder; it tells runs of one name apart.
        run_uuid: The run's id, from kfp's placeholder; it tells runs of one name apart.

    Returns:
        verdict: Starts with `pushed`, `refused` or `unchanged`.
    """
    from retrainer.components.lib.run_records import recording
    from retrainer.components.push_model.push import push

    check = serving_check.path if serving_check else None
    info = {"run": run, "span": span}
    with recording(store, "push_model", run, run_resource, run_uuid) as record:
        record.verdict = push(
            model.path,
            blessing.path,
            check,
            store,
            pushed_model.path,
            info,
            alias,
            pattern,
            allow_older,
            record,
        )
    return (record.verdict,)
