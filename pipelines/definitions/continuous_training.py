"""The pipeline: from the newest span to a model in service, or a reason why not."""

from typing import Any

from kfp import dsl

from ...components import (
    check_serving,
    compute_statistics,
    deploy_model,
    evaluate_model,
    ingest_spans,
    push_model,
    resolve_champion,
    train_model,
    transform_features,
    validate_examples,
)
from ..project.config import LoadedConfig
from ..project.engines import engine_arguments
from .run_tasks import RUN, notified, set_up
from .task_caching import reuse_arguments


def continuous_training(loaded: LoadedConfig) -> Any:
    """Build the pipeline of a retrain.yaml.

    Args:
        loaded: The configuration.

    Returns:
        A KFP pipeline, ready for kfp's compiler. Its parameters are `span`, `pattern`, `store` and `allow_older`.
    """
    config = loaded.config
    data, model, evaluation, serving = config.data, config.model, config.evaluation, config.serving
    code = {"module": loaded.module, "module_source": loaded.module_source}

    def train(span: Any, pattern: Any, store: Any, allow_older: Any) -> None:
        ingested = ingest_spans(
            pattern=pattern,
            store=store,
            label=data.label,
            label_keys=data.label_keys,
            weight=evaluation.example_weight_key or "",
            span=span,
            window=data.window,
            split=data.split.by,
            eval_spans=data.split.eval_spans,
            eval_fraction=data.split.eval_fraction,
            key=data.key,
            key_features=data.key_features,
            columns=data.columns,
            drop=data.drop,
            hash=data.hash.columns,
            hash_key_env=data.hash.key_env,
            hash_key_file=data.hash.key_file or "",
            split_by=data.split.columns,
            format=data.format,
            csv=data.csv.model_dump(exclude_unset=True, exclude_none=True),
            query=data.query or "",
            max_bytes_billed=data.max_bytes_billed or 0,
            max_bad_rows=data.max_bad_rows,
            types=data.types,
            min_spans=data.min_spans or 0,
            marker=data.marker or "",
            schema_uri=config.validation.schema_uri or "",
            **RUN,
        )
        examples = ingested.outputs["examples"]
        champion = resolve_champion(
            store=store,
            span=ingested.outputs["newest_span"],
            pattern=pattern,
            allow_older=allow_older,
            **RUN,
        )
        statistics = compute_statistics(
            examples=examples,
            stats_options=config.statistics.stats_options,
            beam_args=engine_arguments(config, "compute_statistics"),
            **reuse_arguments("compute_statistics", loaded, store),
        )
        validated = validate_examples(
            statistics=statistics.outputs["statistics"],
            store=store,
            examples=examples,
            pattern=pattern,
            **config.validation.model_dump(exclude_none=True),
            **RUN,
        )
        transformed = transform_features(
            examples=examples,
            schema=validated.outputs["schema"],
            beam_args=engine_arguments(config, "transform_features"),
            **code,
            **reuse_arguments("transform_features", loaded, store),
        )
        # A run of an older span than the champion's stops there, before anything that takes long.
        transformed.after(champion)
        start = {"champion": champion.outputs["champion"]} if model.warm_start else {}
        trained = train_model(
            examples=examples,
            transform_graph=transformed.outputs["transform_graph"],
            steps=model.steps or 0,
            epochs=model.epochs,
            batch_size=model.batch_size,
            seed=model.seed,
            hyperparameters=model.hyperparameters,
            example_weight_key=evaluation.example_weight_key or "",
            class_weights=model.class_weights,
            balance_classes=model.balance_classes,
            validation_fraction=model.validation_fraction,
            early_stopping_patience=model.early_stopping_patience or 0,
            early_stopping_monitor=model.early_stopping_monitor,
            early_stopping_mode=model.early_stopping_mode,
            **start,
            **code,
            **reuse_arguments("train_model", loaded, store),
        )

        asked = config.gate.evaluation_settings()
        gate = {"gate": asked} if asked else {}

        def judge(against: Any) -> Any:
            return evaluate_model(
                examples=examples,
                model=trained.outputs["model"],
                champion=against,
                metrics_specs=evaluation.metrics_specs,
                slicing_specs=evaluation.slicing_specs,
                options=evaluation.options,
                example_weight_key=evaluation.example_weight_key or "",
                beam_args=engine_arguments(config, "evaluate_model"),
                **gate,
                **reuse_arguments("evaluate_model", loaded, store),
            )

        evaluated = judge(champion.outputs["champion"])
        served = check_serving(
            examples=examples,
            model=trained.outputs["model"],
            **serving.check_settings(),
            **reuse_arguments("check_serving", loaded, store),
        )

        def push(blessing: Any, **more: Any) -> Any:
            return push_model(
                model=trained.outputs["model"],
                blessing=blessing,
                serving_check=served.outputs["serving_check"],
                store=store,
                span=ingested.outputs["newest_span"],
                pattern=pattern,
                allow_older=allow_older,
                **({"approve": True} if config.gate.approve else {}),
                card={"name": config.name, **model.card.model_dump(exclude_none=True)},
                **more,
                **RUN,
            )

        pushed = push(evaluated.outputs["blessing"], champion_changed=evaluation.champion_changed)
        tasks = {
            "ingest_spans": ingested,
            "resolve_champion": champion,
            "compute_statistics": statistics,
            "validate_examples": validated,
            "transform_features": transformed,
            "train_model": trained,
            "evaluate_model": evaluated,
            "check_serving": served,
            "push_model": pushed,
        }
        for name, task in tasks.items():
            set_up(task, name, loaded)
        last = pushed
        if evaluation.champion_changed == "judge_again":
            # Always there and not under a dsl.If, on which no gate must hang; where the first push decided,
            # both pass its verdict on.
            second = judge(pushed.outputs["next_champion"])
            last = push(second.outputs["blessing"], earlier=pushed.outputs["pushed_model"])
            set_up(second.set_display_name("evaluate_model again"), "evaluate_model", loaded)
            set_up(last.set_display_name("push_model again"), "push_model", loaded)
        if services:
            deployed = deploy_model(
                store=store,
                services=services,
                pipeline=loaded.pipeline_name,
                rollout=rollout.model_dump(mode="json", exclude_none=True) if rollout else {},
                pushed_model=last.outputs["pushed_model"],
                **RUN,
            )
            set_up(deployed, "deploy_model", loaded)

    services, rollout = serving.deploy.services(), serving.rollout

    @dsl.pipeline(
        name=loaded.pipeline_name, description="Continuous training, compiled by retrainer."
    )
    def pipeline(
        span: str = "latest",
        pattern: str = data.pattern,
        store: str = config.store,
        allow_older: str = "false",
    ) -> None:
        """Retrain on the newest spans.

        Args:
            span: Name of the newest span to use; `latest` for the newest there is.
            pattern: Where the data is, with `{span}` in it.
            store: URI of the store.
            allow_older: `true` for a span that is older than the newest that the champion has seen; `false` stops the
                run then.
        """
        with notified(loaded, store, "train"):
            train(span, pattern, store, allow_older)

    return pipeline
