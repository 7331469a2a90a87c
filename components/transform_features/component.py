"""The KFP face of `transform_features`."""

from typing import List, NamedTuple

from kfp import dsl

from ..lib.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def transform_features(
    examples: dsl.Input[dsl.Dataset],
    schema: dsl.Input[dsl.Artifact],
    transform_graph: dsl.Output[dsl.Artifact],
    module: str = "",
    module_source: str = "",
    beam_args: List[str] = [],
    store: str = "",
    reuse_salt: str = "",
) -> NamedTuple("Outputs", [("verdict", str)]):
    """Analyses the training split with the user's `preprocessing_fn`, by TensorFlow Transform.

    `preprocessing_fn(inputs)` gets a dense tensor of shape (rows, 1) for each column: int64 for integers that are
    never missing, float32 with NaN for missing cells for other numbers, string with "" for missing text.

    Args:
        examples: Examples from `ingest_spans`; the training split is analysed.
        schema: Schema from `validate_examples`.
        transform_graph: The transform graph, as `tft.TFTransformOutput` reads it.
        module: Importable module with `preprocessing_fn`, installed in the image.
        module_source: Text of such a module, in place of `module`.
        beam_args: Beam's own arguments, such as `--runner=DataflowRunner`; without any it runs in the task's process.
        store: URI of the store, where a result of equal inputs is found again, and this one kept; empty for neither.
        reuse_salt: What else the result depends on, such as the task's environment variables.

    Returns:
        verdict: What was analysed, in one sentence.
    """
    from retrainer.components.transform_features.task import digest_schema, transform_or_reuse

    # The registry keeps of a model which schema its data fitted.
    transform_graph.metadata["schema"] = digest_schema(schema.path)
    verdict = transform_or_reuse(
        examples.path,
        schema.path,
        transform_graph.path,
        module,
        module_source,
        beam_args,
        store,
        reuse_salt,
    )
    return (verdict,)
