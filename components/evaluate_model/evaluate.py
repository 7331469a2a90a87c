"""Judging a challenger against thresholds and the champion, on the same rows."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from ..lib.digests import digest_folder
from ..lib.errors import RetrainerError
from ..lib.evaluation.eval_config import BASELINE, CANDIDATE
from ..lib.evaluation.in_process import EVAL_CONFIG_FILE
from ..lib.examples import EVAL, TRAIN, Examples
from ..lib.library_output import written_locally
from ..lib.progress import progress
from ..lib.report.page import place_of
from ..lib.saved_models.saved_model import Model, load_model
from ..lib.uris import join, write_atomic
from ..lib.verdicts import Blessing, Champion
from ..lib.words import of_spans
from .champion_comparison import (
    ALL_ROWS,
    ChampionUnfitError,
    Comparison,
    empty_columns,
    judge_in_part,
    without_champion,
    without_silent_rows,
)
from .champion_policy import apply_policy, compare_by_policy
from .evidence.settings import GateSettings, Otherwise
from .fitness import ChallengerUnfitError
from .gate import Verdict, add_evidence, add_prediction_checks
from .many_slices import describe_many
from .measurement import Measured, Measurement
from .output_rows import label_words
from .plot_data import ModelPlots, merge_plot_data
from .predict import BATCH_ROWS, CHALLENGER
from .refusal import write_refusal
from .report.report import render
from .report.training_facts import training_facts
from .summary import summarize
from .tfma_results import Evaluation, finite
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
    loaded = _load(model_path, champion, settings.champion.broken)
    digest = digest_folder(model_path)
    measurement = Measurement(
        loaded.models,
        loaded.uris,
        {CANDIDATE: f"challenger, digest {digest}", BASELINE: champion.name},
        metrics_specs,
        slicing_specs,
        options or {},
        example_weight_key,
        beam_args,
        batch_rows,
        settings,
    )
    blessing = _open_blessing(examples, champion, digest)
    try:
        judgement = _judge(measurement, loaded, examples, champion, evaluation_path)
    except ChallengerUnfitError as unfit:
        facts = _facts(examples, digest, training)
        return write_refusal(
            unfit.reasons, blessing, champion, facts, evaluation_path, blessing_path, report_path
        )
    if log_metric is not None:
        for name, value in _overall_metrics(judgement.measured.evaluation).items():
            log_metric(name, value)
    facts = _facts(judgement.comparison.examples, digest, training)
    page = _render(judgement, examples, facts, place_of(report_path))
    write_atomic(report_path, page)
    _write_blessing(judgement, blessing, blessing_path)
    return judgement.verdict.sentence


class _Loaded(NamedTuple):
    """The models.

    Attributes:
        models: Those that load, by TFMA's name.
        uris: Where each of them is.
        broken: Why the champion does not load; empty if it does, or there is none.
    """

    models: Mapping[str, Model]
    uris: Mapping[str, str]
    broken: str


class _Judgement(NamedTuple):
    """What the challenger was measured to be, and the verdict.

    Attributes:
        measured: The models on the rows that both answer.
        everything: The challenger on all rows.
        comparison: How the champion was compared.
        verdict: The verdict, by all that is asked.
        remarks: What else whoever reads the verdict must know.
    """

    measured: Measured
    everything: Measured
    comparison: Comparison
    verdict: Verdict
    remarks: Sequence[str]


def _load(model_path: str, champion: Champion, if_broken: Otherwise) -> _Loaded:
    models = {CANDIDATE: load_model(model_path, CHALLENGER)}
    uris = {CANDIDATE: model_path}
    if champion.uri is None:
        return _Loaded(models, uris, "")
    try:
        models[BASELINE] = load_model(champion.uri, champion.name)
    except RetrainerError as error:
        if if_broken == Otherwise.FAIL:
            raise RetrainerError(
                f"{str(error).rstrip('.')}. Restore it from a copy, go back to the version before ('retrainer models "
                "rollback'), or say with gate.champion.broken what decides without it."
            ) from error
        return _Loaded(models, uris, str(error))
    uris[BASELINE] = champion.uri
    return _Loaded(models, uris, "")


def _judge(
    measurement: Measurement,
    loaded: _Loaded,
    examples: Examples,
    champion: Champion,
    evaluation_path: str,
) -> _Judgement:
    """Measure the models and judge the challenger.

    Raises:
        ChallengerUnfitError: If no metric takes the challenger's predictions.
    """
    policy = measurement.gate.champion
    champion_model = loaded.models.get(BASELINE)
    comparison = compare_by_policy(examples, champion, champion_model, policy, loaded.broken)
    with written_locally(evaluation_path, EVAL_CONFIG_FILE) as results:
        try:
            measured = measurement.measure(comparison.examples, comparison.champion, results)
        except ChampionUnfitError as unfit:
            comparison = without_champion(examples, champion, str(unfit))
            measured = measurement.measure(examples, comparison.champion, results)
        if measured.silent:
            comparison = without_silent_rows(comparison, measured.silent)
        everything, verdict = measured, measured.verdict
        if comparison.is_partial:
            alone = replace(champion, uri=None)
            everything = measurement.measure(examples, alone, join(results, ALL_ROWS))
            verdict = judge_in_part(measured.evaluation, champion, everything.evaluation)
    verdict = add_evidence(verdict, measured.evidence, champion.name)
    verdict = add_prediction_checks(verdict, measured.predictions)
    verdict = apply_policy(verdict, champion, champion_model, examples, comparison, policy)
    possible = (
        empty_columns(examples, loaded.models[CANDIDATE]),
        *comparison.remarks,
        describe_many(measured.evaluation.slices),
    )
    remarks = [remark for remark in possible if remark]
    verdict = replace(verdict, summary="; ".join([verdict.summary, *remarks]))
    return _Judgement(measured, everything, comparison, verdict, remarks)


def _open_blessing(examples: Examples, champion: Champion, digest: str) -> Blessing:
    """Return what a blessing says of model and data, without a verdict."""
    return Blessing(
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


def _write_blessing(judgement: _Judgement, blessing: Blessing, path: str) -> None:
    """Write the blessing, and beside it what the verdict was made from; the blessing itself last."""
    measured, everything, verdict = (
        judgement.measured,
        judgement.everything,
        judgement.verdict,
    )
    against = judgement.comparison.champion
    write_checks(path, measured.evaluation.checks, measured.evidence, measured.predictions, against)
    compared = against.version if against.exists else None
    summarize(everything.evaluation, verdict.sentence, compared).write(path)
    if everything.judged is not None:
        everything.judged.write(path)
    replace(
        blessing, blessed=verdict.blessed, reasons=verdict.listed, verdict=verdict.sentence
    ).write(path)


def _render(
    judgement: _Judgement, examples: Examples, facts: Mapping[str, object], place: str
) -> str:
    measured, against = judgement.measured, judgement.comparison.champion
    evaluation = measured.evaluation
    who = {CANDIDATE: "challenger", **({BASELINE: "champion"} if against.exists else {})}
    plots = {
        label_words(examples, output): {
            name: replace(
                merge_plot_data(
                    measured.plots.get(output, {}).get(model, ModelPlots()),
                    evaluation.plots.get(output, {}).get(name, ModelPlots()),
                ),
                class_words=examples.classes.get(examples.outputs[output][0], ()),
            )
            for model, name in who.items()
        }
        for output in examples.outputs
    }
    label = label_words(examples, next(iter(examples.outputs)))
    name = against.name if against.exists else against.absence
    return render(
        evaluation,
        judgement.verdict,
        against,
        {
            **facts,
            "Slices": len(evaluation.slices),
            "Compared with": "; ".join([name, *judgement.remarks]),
            "Computed": measured.how,
        },
        measured.config,
        plots.pop(label),
        label,
        place,
        measured.evidence,
        plots,
    )


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
        "Evaluated on": of_spans(examples.span_names(EVAL)),
        **training_facts(examples, training),
        "Label": ", ".join(label_words(examples, output) for output in examples.outputs),
        "Challenger": f"digest {digest[:12]}",
    }
