"""The KFP face of `compute_statistics`."""

from typing import Dict, List, NamedTuple

from kfp import dsl

from ..lib.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def compute_statistics(
    examples: dsl.Input[dsl.Dataset],
    statistics: dsl.Output[dsl.Artifact],
    report: dsl.Output[dsl.HTML],
    beam_args: List[str] = [],
    stats_options: Dict = {},
    store: str = "",
    reuse_salt: str = "",
) -> NamedTuple("Outputs", [("verdict", str)]):
    """Computes TFDV statistics of each split, merged from sketches that are stored beside the spans.

    A span is sketched once; later runs merge its stored sketch. The result equals TFDV's own full pass
    over the same rows.

    Args:
        examples: Examples from `ingest_spans`.
        statistics: `Split-train/`, `Split-eval/`, `Span-<span>/` for each span of the window, and
            `Before-<span>/` of the spans before it for each but the first, each with a `FeatureStats.pb`.
        report: Each column's distribution in training and evaluation, as one HTML file.
        beam_args: Beam's own pipeline arguments, such as `--runner=DataflowRunner`; with them,
            missing sketches are computed on Beam, otherwise in the task's process.
        stats_options: Arguments of `tfdv.StatsOptions` by their own names, such as
            `num_top_values` and `epsilon`.
        store: URI of the store, where a result of equal inputs is reused, and this one kept; empty for neither.
        reuse_salt: What else the result depends on, such as the task's environment variables.

    Returns:
        verdict: What was computed, in one sentence.
    """
    from retrainer.components.compute_statistics.task import compute_or_reuse

    verdict = compute_or_reuse(
        examples.path,
        statistics.path,
        report.path,
        beam_args,
        stats_options,
        store,
        reuse_salt,
    )
    return (verdict,)
