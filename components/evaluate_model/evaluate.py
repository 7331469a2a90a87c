"""Judging a challenger against thresholds and the champion, on the same rows."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..lib.digests import digest_folder
from ..lib.errors import RetrainerError
from ..lib.evaluation.eval_config import BASELINE, CANDIDATE
from ..lib.evaluation.in_process import EVAL_CONFIG_FILE
from ..lib.examples import EVAL, TRAIN, Examples
from ..lib.library_output import written_locally
from ..lib.progress import progress
from ..lib.report.page import place_of
from ..lib.saved_models.saved_model import load_model
from ..lib.uris import join, write_atomic
from ..lib.verdicts import Blessing, Champion
from ..lib.words import name_spans
from .champion_comparison import (
    ALL_ROWS,
    ChampionUnfitError,
    empty_columns,
    judge_in_part,
    without_champion,
    without_silent_rows,
)
from .champion_policy import apply_policy, compare_by_policy
from .evidence.settings import GateSettings, Otherwise
from .fitness import ChallengerUnfitError
from .gate import add_evidence, add_prediction_checks
from .many_slices import describe_many
from .measurement import Measurement
from .output_rows import label_words
from .plot_data import ModelPlots, merge_plot_data
from .predict import BATCH_ROWS, CHALLENGER
from .refusal import write_refusal
from .report import render
from .summary import summarize
from .tfma_results import Evaluation, finite
from .training_facts import training_facts
from .verdict_checks import write_checks


def evaluate(
    examples_path: str,
    model_path: str,
    champion_path: str,
    evaluation_path: str,
    blessing_path: str,
    report_path: str,
    metrics_specs: Sequence[Mapping[str, Any]],
    slicing_specs: Sequence[Mapping[str, Any]] = (),
    options: Mapping[str, Any] | None = None,
    example_weight_key: str = "",
    beam_args: Sequence[str] = (),
    batch_rows: int = BATCH_ROWS,
    gate: Mapping[str, Any] | None = None,
    log_metric: Callable[[str, float], None] | None = None,
    training: Mapping[str, Any] | None = None,
) -> str:
    """Evaluate a challenger and the champion, and judge the challenger.

    Args:
        examples_path: Folder of the examples; their eval split is judged on.
        model_path: Folder of the challenger's SavedModel.
        champion_path: Folder of the champion's record, as resolve_champion writes it.
        evaluation_path: Folder to write TFMA's result files to.
        blessing_path: Folder to write the blessing to.
        report_path: File to write the HTML report to.
        metrics_specs: `tfma.MetricsSpec` in proto-JSON form.
        slicing_specs: `tfma.SlicingSpec` in proto-JSON form.
        options: `tfma.Options` in proto-JSON form.
        example_weight_key: Column with the rows' weights; empty for none.
        beam_args: Beam's options; empty: compute in this process.
        batch_rows: Rows that go through a model at once.
        gate: What is asked of the change against the champion beside TFMA's thresholds, as `GateSettings.read` takes
            it.
        log_metric: Takes the name and value of each overall metric.
        training: What train_model noted of the training, for the report.

    Returns:
        The verdict in one sentence.

    Raises:
        RetrainerError: If the models can't be judged with these settings on these rows.
    """
    settings = GateSettings.read(gate or {})
    examples = Examples.read(examples_path)
    champion = Champion.read(champion_path)
    progress("loading the models")
    loaded = {CANDIDATE: load_model(model_path, CHALLENGER)}
    uris = {CANDIDATE: model_path}
    broken = ""
    if champion.uri is not None:
        try:
            loaded[BASELINE] = load_model(champion.uri, champion.name)
            uris[BASELINE] = champion.uri
        except RetrainerError as error:
            if settings.champion.broken == Otherwise.FAIL:
                raise
            broken = str(error)
    digest = digest_folder(model_path)
    measurement = Measurement(
        loaded,
        uris,
        {CANDIDATE: f"challenger, digest {digest}", BASELINE: champion.name},
        metrics_specs,
        slicing_specs,
        options or {},
        example_weight_key,
        beam_args,
        batch_rows,
        settings,
    )
    champion_model = loaded.get(BASELINE)
    comparison = compare_by_policy(examples, champion, champion_model, settings.champion, broken)
    blessing = Blessing(
        False,
        (),
        "",
        digest,
        champion.version,
        train_spans=examples.span_names(TRAIN),
        eval_spans=examples.span_names(EVAL),
        span_versions=examples.versions,
        rows={split: examples.rows(split) for split in (TRAIN, EVAL)},
        data_digest=examples.digest,
    )
    try:
        with written_locally(evaluation_path, EVAL_CONFIG_FILE) as results:
            try:
                done = measurement.measure(comparison.examples, comparison.champion, results)
            except ChampionUnfitError as unfit:
                comparison = without_champion(examples, champion, str(unfit))
                done = measurement.measure(examples, comparison.champion, results)
            if done.silent:
                comparison = without_silent_rows(comparison, done.silent)
            evaluation, verdict = done.evaluation, done.verdict
            whole = done
            if comparison.is_partial:
                alone = replace(champion, uri=None)
                whole = measurement.measure(examples, alone, join(results, ALL_ROWS))
                verdict = judge_in_part(evaluation, champion, whole.evaluation)
    except ChallengerUnfitError as unfit:
        return write_refusal(
            unfit.reasons,
            blessing,
            champion,
            _facts(examples, digest, training),
            evaluation_path,
            blessing_path,
            report_path,
        )
    verdict = add_evidence(verdict, done.evidence, champion.name)
    verdict = add_prediction_checks(verdict, done.predictions)
    verdict = apply_policy(
        verdict, champion, champion_model, examples, comparison, settings.champion
    )
    remarks = [*comparison.remarks]
    if remark := empty_columns(examples, loaded[CANDIDATE]):
        remarks.insert(0, remark)
    if remark := describe_many(evaluation.slices):
        remarks.append(remark)
    if remarks:
        verdict = replace(verdict, summary="; ".join([verdict.summary, *remarks]))
    for name, value in _overall_metrics(evaluation).items():
        if log_metric is not None:
            log_metric(name, value)
    against = comparison.champion
    facts = {
        **_facts(comparison.examples, digest, training),
        "Slices": len(evaluation.slices),
        "Compared with": "; ".join([against.name if against.exists else against.absence, *remarks]),
        "Computed": done.how,
    }
    shown = {
        label_words(examples, output): {
            who: merge_plot_data(
                done.plots.get(output, {}).get(name, ModelPlots()),
                evaluation.plots.get(output, {}).get(who, ModelPlots()),
            )
            for name, who in ((CANDIDATE, "challenger"), (BASELINE, "champion"))
            if name == CANDIDATE or against.exists
        }
        for output in examples.outputs
    }
    label = label_words(examples, next(iter(examples.outputs)))
    page = render(
        evaluation,
        verdict,
        against,
        facts,
        done.config,
        shown.pop(label),
        label,
        place_of(report_path),
        done.evidence,
        shown,
    )
    write_atomic(report_path, page)
    write_checks(blessing_path, evaluation.checks, done.evidence, done.predictions, against)
    compared = against.version if against.exists else None
    summarize(whole.evaluation, verdict.sentence, compared).write(blessing_path)
    if whole.judged is not None:
        whole.judged.write(blessing_path)
    replace(
        blessing, blessed=verdict.blessed, reasons=verdict.listed, verdict=verdict.sentence
    ).write(blessing_path)
    return verdict.sentence


def _overall_metrics(evaluation: Evaluation) -> dict[str, float]:
    """Return the metrics on all rows; the champion's names start with `champion_`."""
    theirs = finite(evaluation.overall.champion.items())
    return {
        **finite(evaluation.overall.challenger.items()),
        **{f"champion_{name}": value for name, value in theirs.items()},
    }


def _facts(
    examples: Examples, digest: str, training: Mapping[str, Any] | None
) -> dict[str, object]:
    return {
        "Eval rows": f"{examples.rows(EVAL):,}",
        "Eval spans": name_spans(examples.span_names(EVAL)),
        **training_facts(examples, training),
        "Label": ", ".join(label_words(examples, output) for output in examples.outputs),
        "Challenger": f"digest {digest[:12]}",
    }
