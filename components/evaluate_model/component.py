"""The face of `evaluate_model`."""

from typing import Dict, List, NamedTuple

from kfp import dsl

from ..lib.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def evaluate_model(
    examples: dsl.Input[dsl.Dataset],
    model: dsl.Input[dsl.Model],
    champion: dsl.Input[dsl.Model],
    evaluation: dsl.Output[dsl.Artifact],
    blessing: dsl.Output[dsl.Artifact],
    metrics: dsl.Output[dsl.Metrics],
    report: dsl.Output[dsl.HTML],
    metrics_specs: List[Dict],
    slicing_specs: List[Dict] = [],
    options: Dict = {},
    example_weight_key: str = "",
    beam_args: List[str] = [],
    batch_rows: int = 65536,
    gate: Dict = {},
    store: str = "",
    reuse_salt: str = "",
) -> NamedTuple("Outputs", [("verdict", str)]):
    """Judges a model by TFMA's metrics, slices and thresholds, and against the champion.

    Challenger and champion score the same rows. A refusal does not fail the task; push_model
    then refuses the model.

    Args:
        examples: Examples from ingest_spans; the eval split is judged on.
        model: The challenger, a SavedModel whose `serving_default` takes named raw columns of
            shape (rows,).
        champion: The champion's record from resolve_champion; there may be none.
        evaluation: TFMA's result files, for tfma.load_eval_result and tfma.load_validation_result.
        blessing: blessing.json: whether it is blessed, the reasons, its digest, the champion's version and the spans;
            evaluation.json: its metrics by slice, which the registry keeps.
        metrics: The metrics on all eval rows, the champion's with `champion_` before their names.
        report: The evaluation as one HTML page.
        metrics_specs: tfma.MetricsSpec as a list of mappings: metrics with their thresholds.
        slicing_specs: tfma.SlicingSpec as a list of mappings. The overall slice is always there.
        options: tfma.Options as a mapping.
        example_weight_key: Column with the rows' weights; empty for none.
        beam_args: Beam's own options. Empty: compute in this process.
        batch_rows: Rows that go through a model at once.
        gate: What is asked of the change against the champion beside TFMA's thresholds: `require_significance`,
            `cluster` and `slices`, as in the section `gate` of retrain.yaml.
        store: URI of the store, where a result of equal inputs is reused, and this one kept; empty for neither.
        reuse_salt: What else the result depends on, such as the task's environment variables.

    Returns:
        verdict: Whether the model is blessed, with the numbers.
    """
    from retrainer.components.evaluate_model.task import evaluate_or_reuse

    return (
        evaluate_or_reuse(
            examples.path,
            model.path,
            champion.path,
            evaluation.path,
            blessing.path,
            report.path,
            {
                "metrics_specs": metrics_specs,
                "slicing_specs": slicing_specs,
                "options": options,
                "example_weight_key": example_weight_key,
                "beam_args": beam_args,
                "batch_rows": batch_rows,
                "gate": gate,
            },
            metrics.log_metric,
            store,
            reuse_salt,
            model.metadata.get("training"),
        ),
    )
