"""The pipeline that scores the newest spans."""

from typing import Any

from kfp import dsl

from ...components import predict_batch as predict
from ..project.config import LoadedConfig
from ..project.engines import engine_arguments
from ..project.sections.predict import PredictConfig
from .run_tasks import RUN, notified, set_up

_NAME = "predict_batch"


def predict_batch(loaded: LoadedConfig) -> Any:
    """Build the pipeline of a retrain.yaml.

    Args:
        loaded: The configuration.

    Returns:
        A KFP pipeline, ready for kfp's compiler. Its parameters are `span`, `pattern`, `store` and `model`.
    """
    config = loaded.config
    data, own = config.data, config.predict or PredictConfig()
    same = own.pattern is None

    def score(span: Any, pattern: Any, store: Any, model: Any) -> None:
        task = predict(
            pattern=pattern,
            store=store,
            model=model,
            span=span,
            window=own.window,
            output=own.output or "",
            key=data.key if own.key is None else own.key,
            keep=own.columns,
            columns=data.columns,
            drop=data.drop,
            hash=data.hash.columns,
            hash_key_env=data.hash.key_env,
            hash_key_file=data.hash.key_file or "",
            format=own.format or data.format,
            csv=data.csv.model_dump(exclude_unset=True, exclude_none=True),
            query=own.query or (data.query if same else "") or "",
            max_bytes_billed=data.max_bytes_billed or 0,
            types=data.types,
            marker=own.marker or (data.marker if same else "") or "",
            schema_uri=config.validation.schema_uri or "",
            max_errors=own.max_errors,
            beam_args=engine_arguments(config, _NAME),
            **RUN,
        )
        set_up(task, _NAME, loaded)

    @dsl.pipeline(name=loaded.pipeline_name, description="Batch prediction, compiled by retrainer.")
    def pipeline(
        span: str = "latest",
        pattern: str = own.pattern or data.pattern,
        store: str = config.store,
        model: str = own.model,
    ) -> None:
        """Score spans.

        Args:
            span: Name of the newest span to score; `latest` for the newest there is.
            pattern: Where the rows are, with `{span}` in it.
            store: URI of the store.
            model: `champion`, or the number of a version in the registry.
        """
        with notified(loaded, store, "score"):
            score(span, pattern, store, model)

    return pipeline
