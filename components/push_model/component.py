"""The KFP face of `push_model`."""

from typing import Dict, NamedTuple

from kfp import dsl

from ..lib.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def push_model(
    model: dsl.Input[dsl.Model],
    blessing: dsl.Input[dsl.Artifact],
    pushed_model: dsl.Output[dsl.Model],
    next_champion: dsl.Output[dsl.Model],
    store: str,
    serving_check: dsl.Input[dsl.Artifact] = None,
    run: str = "",
    span: str = "",
    alias: str = "champion",
    pattern: str = "",
    allow_older: str = "false",
    run_resource: str = "",
    run_uuid: str = "",
    champion_changed: str = "fail",
    earlier: dsl.Input[dsl.Model] = None,
    card: Dict = {},
    approve: bool = False,
) -> NamedTuple("Outputs", [("verdict", str)]):
    """Makes a blessed model the champion, and refuses any other. Do not cache this task: it changes the world.

    The gate is inside: a model is pushed only if the blessing and the serving check are of this very model and both
    say yes, only if the champion is still the one that the model was compared with, and only if the champion has seen
    no newer span.

    Args:
        model: SavedModel from `train_model`.
        blessing: Blessing from `evaluate_model`.
        pushed_model: Whether the model was pushed, as which version, and if not why.
        next_champion: The champion that the model must be judged against next, or that nothing is left to do; for a
            second evaluate_model.
        store: URI of the store, which keeps the registry.
        serving_check: Check from `check_serving`; without one, the blessing alone decides.
        run: The run that made the model; kept in the registry. By its name the store keeps what this task decided.
        span: The newest span that the model has seen; kept in the registry.
        alias: The alias that the model in service has.
        pattern: The pattern that the span was found with; it has the format of the spans' dates.
        allow_older: `true` to let a model replace a champion that has seen newer spans.
        run_resource: The run's resource name, from kfp's placeholder; it distinguishes runs of one name.
        run_uuid: The run's id, from kfp's placeholder; it distinguishes runs of one name.
        champion_changed: What to do if the champion changed while the model was judged: `fail`, or `judge_again` where
            a second evaluate_model and push_model follow.
        earlier: `pushed_model` of the run's first push. If that one decided, this one passes its verdict on.
        card: What people say of the model, for its model card: `name`, and the keys of `model.card` in retrain.yaml.
        approve: Whether the model waits for a person (`retrainer models approve`) before it goes into service.

    Returns:
        verdict: Starts with `pushed`, `pending`, `refused`, `unchanged` or `judged again`.
    """
    from retrainer.components.push_model.task import RunNames, push_or_pass_on

    verdict = push_or_pass_on(
        model.path,
        blessing.path,
        serving_check.path if serving_check else None,
        store,
        pushed_model.path,
        next_champion.path,
        RunNames(run, run_resource, run_uuid),
        span,
        alias,
        pattern,
        allow_older,
        champion_changed,
        earlier.path if earlier else None,
        model.metadata.get("training"),
        card,
        approve,
    )
    return (verdict,)
