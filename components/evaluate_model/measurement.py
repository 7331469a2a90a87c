"""One pass over the eval rows: scores, TFMA's numbers, and the verdict and evidence that they give."""

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from tensorflow_model_analysis.proto import config_pb2

from ..lib.evaluation.array_metrics.array_path import NotCoveredError
from ..lib.evaluation.eval_config import BASELINE, CANDIDATE, build_eval_config, named_columns
from ..lib.evaluation.in_process import evaluate_in_process, write_results
from ..lib.evaluation.input_counts import COUNTS_FILE, InputCounts, count_outputs
from ..lib.evaluation.metric_requirements import requirements_by_output
from ..lib.evaluation.scores import Scores
from ..lib.examples import EVAL, Examples
from ..lib.progress import progress
from ..lib.saved_models.saved_model import Model
from ..lib.saved_models.scored_rows import ScoredRows
from ..lib.uris import join, read_json, write_json
from ..lib.verdicts import Champion
from ..lib.words import name_spans
from .evidence.checks import EvidenceCheck
from .evidence.comparison import compare_on_evidence, compared_metrics
from .evidence.settings import GateSettings
from .fitness import check_cluster, check_inputs, check_outputs
from .gate import Verdict, judge
from .judged_rows import judged_rows
from .many_slices import check_slices
from .on_beam import evaluate_examples_on_beam, evaluate_scores_on_beam
from .plot_data import ModelPlots, make_plot_data
from .predict import needed_columns, score
from .prediction_checks import PredictionCheck, prediction_checks
from .tfma_results import Evaluation, read_evaluation, write_validation

_log = logging.getLogger(__name__)
_ON_BEAM_HERE = "by TFMA on Beam, in this process"


@dataclass(frozen=True)
class Measured:
    """The result of one pass over the eval rows.

    Attributes:
        config: The config.
        evaluation: The numbers.
        verdict: The verdict by TFMA's thresholds.
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


class _Scored(NamedTuple):
    """What a pass leaves beside the result files.

    Attributes:
        counts: What the rows hold.
        scores: The rows for the evidence; None where none is asked for and an engine has them.
        challenged: The challenger's predictions of all rows; None where an engine has them.
        how: How the numbers were computed, in words.
        silent: Rows left out because the champion predicts NaN or infinity on them.
        plots: See `Measured`.
    """

    counts: InputCounts
    scores: Scores | None
    challenged: np.ndarray | None
    how: str
    silent: int
    plots: dict[str, dict[str, ModelPlots]]


@dataclass(frozen=True)
class Measurement:
    """What is the same in each pass, whichever rows and champion it takes.

    Attributes:
        models: The models that could be loaded, by TFMA's name.
        uris: Where each of them is.
        described: What each is called in result files.
        metrics_specs: `tfma.MetricsSpec` in proto-JSON form.
        slicing_specs: `tfma.SlicingSpec` in proto-JSON form.
        options: `tfma.Options` in proto-JSON form.
        weight: Column with the rows' weights; empty for none.
        beam_args: Beam's options; empty: compute in this process.
        batch_rows: Rows that go through a model at once.
        gate: What the change against the champion must show.
    """

    models: Mapping[str, Model]
    uris: Mapping[str, str]
    described: Mapping[str, str]
    metrics_specs: Sequence[Mapping[str, Any]]
    slicing_specs: Sequence[Mapping[str, Any]]
    options: Mapping[str, Any]
    weight: str
    beam_args: Sequence[str]
    batch_rows: int
    gate: GateSettings

    def measure(self, examples: Examples, champion: Champion, folder: str) -> Measured:
        """Measure the challenger, and the champion if there is one, on the same rows.

        Args:
            examples: Their eval split is measured on.
            champion: The champion, or none.
            folder: Gets TFMA's result files.

        Raises:
            RetrainerError: If the models can't be judged with these settings on these rows.
            ChallengerUnfitError: If no metric takes the challenger's predictions.
            ChampionUnfitError: If none takes the champion's.
        """
        config = build_eval_config(
            self.metrics_specs,
            self.slicing_specs,
            self.options,
            examples.label,
            self.weight,
            champion.exists,
            [output for output in examples.outputs if output],
        )
        columns = named_columns(config)
        if self.gate.significance and self.gate.cluster:
            columns = list(dict.fromkeys([*columns, self.gate.cluster]))
            check_cluster(examples, self.gate.cluster)
        names = [CANDIDATE, *([BASELINE] if champion.exists else [])]
        models = {name: self.models[name] for name in names}
        columns_read = needed_columns(examples, models, columns, self.weight)
        outputs = check_outputs(examples, models, config)
        directions: Mapping[str, Any] = {}
        if champion.exists:
            directions = compared_metrics(config, self.gate, outputs[CANDIDATE])
        os.makedirs(folder, exist_ok=True)
        if self.beam_args:
            kept = 0
            if directions:
                kept = sum(shape.predictions for of in outputs.values() for shape in of.values())
            done = self._on_engine(config, examples, models, columns, columns_read, folder, kept)
        else:
            done = self._here(config, examples, models, columns, folder)
        evaluation = read_evaluation(folder, config)
        write_validation(folder, evaluation)
        evidence: Sequence[EvidenceCheck] = ()
        if done.scores is not None and champion.exists:
            evidence = compare_on_evidence(
                config, done.scores, evaluation, self.gate, directions, champion.name
            )
        return Measured(
            config,
            evaluation,
            judge(evaluation, champion),
            done.how,
            done.plots,
            done.silent,
            tuple(evidence),
            judged_rows(examples, models[CANDIDATE], done.challenged),
            tuple(prediction_checks(done.counts)),
        )

    def _on_engine(
        self,
        config: config_pb2.EvalConfig,
        examples: Examples,
        models: Mapping[str, Model],
        columns: Sequence[str],
        columns_read: Sequence[str],
        folder: str,
        kept_predictions: int,
    ) -> _Scored:
        how = f"on Beam ({' '.join(self.beam_args)})"
        scores = evaluate_examples_on_beam(
            config,
            examples,
            {name: (self.uris[name], model.who) for name, model in models.items()},
            columns,
            columns_read,
            folder,
            BASELINE not in models,
            self.beam_args,
            self.batch_rows,
            kept_predictions,
        )
        counts = InputCounts.from_json(read_json(join(folder, COUNTS_FILE)))
        silent = check_inputs(counts, requirements_by_output(config), models, examples, self.weight)
        answered = counts.rows - silent
        if scores is not None and scores.rows < answered:
            how += f"; intervals from {scores.rows:,} of {answered:,} rows, drawn at random"
        return _Scored(counts, scores, None, how, silent, {})

    def _here(
        self,
        config: config_pb2.EvalConfig,
        examples: Examples,
        models: Mapping[str, Model],
        columns: Sequence[str],
        folder: str,
    ) -> _Scored:
        scores = score(examples, models, columns, self.weight, self.batch_rows)
        # Of several outputs the model is asked once more: it may have some without labels.
        challenged = None if scores.outputs else scores.predictions[CANDIDATE]
        asked = requirements_by_output(config)
        counts, good = count_outputs(scores, asked, config)
        silent = check_inputs(counts, asked, models, examples, self.weight)
        check_slices(counts)
        if silent:
            scores = scores.of(good)
        write_json(join(folder, COUNTS_FILE), counts.to_json())
        how = self._compute(config, scores, folder, BASELINE not in models, examples)
        plots = {
            output: make_plot_data(of_output) for output, of_output in scores.by_output.items()
        }
        return _Scored(counts, scores, challenged, how, silent, plots)

    def _compute(
        self,
        config: config_pb2.EvalConfig,
        scores: Scores,
        folder: str,
        alone: bool,
        examples: Examples,
    ) -> str:
        """Compute over arrays if all metrics have an array path, else with TFMA on Beam, in this process.

        Returns:
            How it was computed, in words.
        """
        try:
            results = evaluate_in_process(config, scores)
        except NotCoveredError as missing:
            _log.warning(
                "computing %s, which is slow: no array path for %s", _ON_BEAM_HERE, missing
            )
            progress("running TFMA on Beam")
            evaluate_scores_on_beam(config, scores, folder, alone)
            return _ON_BEAM_HERE
        data = f"eval split, spans {name_spans(examples.span_names(EVAL))}"
        names = {spec.name: self.described[spec.name or CANDIDATE] for spec in config.model_specs}
        write_results(results, config, folder, alone, data, names)
        return "in process"
