"""Judging a challenger against thresholds and the champion, on the same rows."""

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from tensorflow_model_analysis.proto import config_pb2

from ..lib.digests import digest_folder
from ..lib.errors import RetrainerError
from ..lib.evaluation.array_metrics.array_path import NotCoveredError
from ..lib.evaluation.eval_config import BASELINE, CANDIDATE, build_eval_config, named_columns
from ..lib.evaluation.in_process import EVAL_CONFIG_FILE, evaluate_in_process, write_results
from ..lib.evaluation.input_counts import COUNTS_FILE, InputCounts, count_outputs
from ..lib.evaluation.metric_requirements import requirements_by_output
from ..lib.evaluation.scores import Scores
from ..lib.examples import EVAL, TRAIN, Examples
from ..lib.library_output import written_locally
from ..lib.progress import progress
from ..lib.report.page import place_of
from ..lib.saved_model import load_model
from ..lib.scored_rows import ScoredRows
from ..lib.uris import join, read_json, write_atomic, write_json
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
from .evidence.checks import EvidenceCheck
from .evidence.comparison import compare_on_evidence, compared_metrics
from .evidence.settings import GateSettings, Otherwise
from .fitness import ChallengerUnfitError, check_cluster, check_inputs, check_outputs
from .gate import Verdict, add_evidence, add_prediction_checks, judge
from .judged_rows import judged_rows
from .many_slices import check_slices, describe_many
from .on_beam import evaluate_examples_on_beam, evaluate_scores_on_beam
from .output_rows import label_words
from .plot_data import ModelPlots, make_plot_data, merge_plot_data
from .predict import BATCH_ROWS, CHALLENGER, needed_columns, score
from .prediction_checks import PredictionCheck, prediction_checks
from .refusal import write_refusal
from .report import render
from .summary import summarize
from .tfma_results import Evaluation, finite, read_evaluation, write_validation
from .training_facts import training_facts
from .verdict_checks import write_checks

_log = logging.getLogger(__name__)
_ON_BEAM_HERE = "by TFMA on Beam, in this process"


@dataclass(frozen=True)
class _Computed:
    """The result of one pass over the eval rows.

    Attributes:
        config: The config.
        evaluation: The numbers.
        verdict: The verdict.
        how: How they were computed, in words.
        plots: What the report draws of each output of each model, by the output's name and TFMA's name of the model.
        silent: Rows left out because the champion predicts NaN or infinity on them.
        evidence: What the gate's settings ask of the change against the champion.
        judged: Some rows as the challenger was given them, with its predictions.
        predictions: The checks of the challenger's predictions.
    """

    config: config_pb2.EvalConfig
    evaluation: Evaluation
    verdict: Verdict
    how: str
    plots: dict[str, dict[str, ModelPlots]]
    silent: int
    evidence: tuple[EvidenceCheck, ...]
    judged: ScoredRows | None
    predictions: tuple[PredictionCheck, ...]


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
    broken = ""
    if champion.uri is not None:
        try:
            loaded[BASELINE] = load_model(champion.uri, champion.name)
        except RetrainerError as error:
            if settings.champion.broken == Otherwise.FAIL:
                raise
            broken = str(error)
    digest = digest_folder(model_path)
    described = {CANDIDATE: f"challenger, digest {digest}", BASELINE: champion.name}

    def compute(rows: Examples, against: Champion, folder: str) -> _Computed:
        config = build_eval_config(
            metrics_specs,
            slicing_specs,
            options or {},
            rows.label,
            example_weight_key,
            against.exists,
            [output for output in rows.outputs if output],
        )
        columns = named_columns(config)
        if settings.significance and settings.cluster:
            columns = list(dict.fromkeys([*columns, settings.cluster]))
            check_cluster(rows, settings.cluster)
        names = [CANDIDATE, *([BASELINE] if against.exists else [])]
        models = {name: loaded[name] for name in names}
        asked = requirements_by_output(config)
        columns_read = needed_columns(rows, models, columns, example_weight_key)
        outputs = check_outputs(rows, models, config)
        directions = (
            compared_metrics(config, settings, outputs[CANDIDATE]) if against.exists else {}
        )
        os.makedirs(folder, exist_ok=True)
        plots: dict[str, dict[str, ModelPlots]] = {}
        scores: Scores | None = None
        challenged: np.ndarray | None = None
        if beam_args:
            how = f"on Beam ({' '.join(beam_args)})"
            uris = {CANDIDATE: (model_path, models[CANDIDATE].who)}
            if against.uri is not None:
                uris[BASELINE] = (against.uri, models[BASELINE].who)
            scores = evaluate_examples_on_beam(
                config,
                rows,
                uris,
                columns,
                columns_read,
                folder,
                not against.exists,
                beam_args,
                batch_rows,
                sum(shape.predictions for of in outputs.values() for shape in of.values())
                if directions
                else 0,
            )
            counts = InputCounts.from_json(read_json(join(folder, COUNTS_FILE)))
            silent = check_inputs(counts, asked, models, rows, example_weight_key)
            answered = counts.rows - silent
            if scores is not None and scores.rows < answered:
                how += f"; intervals from {scores.rows:,} of {answered:,} rows, drawn at random"
        else:
            scores = score(rows, models, columns, example_weight_key, batch_rows)
            # Of several outputs the model is asked once more: it may have some without labels.
            challenged = None if scores.outputs else scores.predictions[CANDIDATE]
            counts, good = count_outputs(scores, asked, config)
            silent = check_inputs(counts, asked, models, rows, example_weight_key)
            check_slices(counts)
            if silent:
                scores = scores.of(good)
            write_json(join(folder, COUNTS_FILE), counts.to_json())
            how = _evaluate_here(config, scores, folder, against, described, rows)
            plots = {output: make_plot_data(one) for output, one in scores.by_output.items()}
        evaluation = read_evaluation(folder, config)
        write_validation(folder, evaluation)
        verdict = judge(evaluation, against)
        evidence: list[EvidenceCheck] = []
        if scores is not None and against.exists:
            evidence = compare_on_evidence(
                config, scores, evaluation, settings, directions, against.name
            )
        judged = judged_rows(rows, models[CANDIDATE], challenged)
        return _Computed(
            config,
            evaluation,
            verdict,
            how,
            plots,
            silent,
            tuple(evidence),
            judged,
            tuple(prediction_checks(counts)),
        )

    champion_model = loaded.get(BASELINE)
    comparison = compare_by_policy(examples, champion, champion_model, settings.champion, broken)
    blessing = Blessing(
        False,
        (),
        "",
        digest,
        champion.version,
        train_spans=_spans(examples, TRAIN),
        eval_spans=_spans(examples, EVAL),
        span_versions=examples.versions,
        rows={split: examples.rows(split) for split in (TRAIN, EVAL)},
        data_digest=examples.digest,
    )
    try:
        with written_locally(evaluation_path, EVAL_CONFIG_FILE) as results:
            try:
                done = compute(comparison.examples, comparison.champion, results)
            except ChampionUnfitError as unfit:
                comparison = without_champion(examples, champion, str(unfit))
                done = compute(examples, comparison.champion, results)
            if done.silent:
                comparison = without_silent_rows(comparison, done.silent)
            evaluation, verdict = done.evaluation, done.verdict
            whole = done
            if comparison.is_partial:
                alone = replace(champion, uri=None)
                whole = compute(examples, alone, join(results, ALL_ROWS))
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
    for name, value in overall_metrics(evaluation).items():
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


def overall_metrics(evaluation: Evaluation) -> dict[str, float]:
    """Return the metrics on all rows; the champion's names start with `champion_`."""
    theirs = finite(evaluation.overall.champion.items())
    return {
        **finite(evaluation.overall.challenger.items()),
        **{f"champion_{name}": value for name, value in theirs.items()},
    }


def eval_spans(examples: Examples) -> str:
    """Format the spans of the eval split, in short if there are many."""
    return name_spans(_spans(examples, EVAL))


def _facts(
    examples: Examples, digest: str, training: Mapping[str, Any] | None
) -> dict[str, object]:
    return {
        "Eval rows": f"{examples.rows(EVAL):,}",
        "Eval spans": eval_spans(examples),
        **training_facts(examples, training),
        "Label": ", ".join(label_words(examples, output) for output in examples.outputs),
        "Challenger": f"digest {digest[:12]}",
    }


def _spans(examples: Examples, split: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part.span for part in examples.splits[split]))


def _evaluate_here(
    config: config_pb2.EvalConfig,
    scores: Scores,
    folder: str,
    champion: Champion,
    models: Mapping[str, str],
    examples: Examples,
) -> str:
    """Compute in this process, over arrays if all metrics have an array path, else with TFMA on Beam.

    Returns:
        How it was computed, in words.
    """
    try:
        results = evaluate_in_process(config, scores)
    except NotCoveredError as missing:
        _log.warning("computing %s, which is slow: no array path for %s", _ON_BEAM_HERE, missing)
        progress("running TFMA on Beam")
        evaluate_scores_on_beam(config, scores, folder, not champion.exists)
        return _ON_BEAM_HERE
    data = f"eval split, spans {eval_spans(examples)}"
    names = {spec.name: models[spec.name or CANDIDATE] for spec in config.model_specs}
    write_results(results, config, folder, not champion.exists, data, names)
    return "in process"
