"""TFMA's own Beam pipeline, for clusters and for the metrics that only it computes."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis import constants
from tensorflow_model_analysis.proto import config_pb2

from ..lib.engine.beam_files import beam_path, sinks_shared
from ..lib.engine.pipelines import Engine, open_engine, pipeline_options
from ..lib.engine.places import download, upload, worker_files, worker_uri
from ..lib.engine.work_items import WorkItems
from ..lib.errors import RetrainerError
from ..lib.evaluation.eval_config import label_column, prediction_column, query_keys
from ..lib.evaluation.input_counts import (
    COUNTS_FILE,
    InputCounts,
    add_up,
    count_outputs,
)
from ..lib.evaluation.metric_requirements import requirements_by_output
from ..lib.evaluation.scores import Scores
from ..lib.evaluation.tfma_errors import without_rows
from ..lib.examples import EVAL, Examples, SpanPart, to_list_batch
from ..lib.saved_models.saved_model import Model, load_model
from ..lib.uris import is_local, join, write_json
from .kept_rows import KeptRows
from .predict import score_batch

BATCH_ROWS = 1_000


@without_rows()
def evaluate_scores_on_beam(
    config: config_pb2.EvalConfig, scores: Scores, folder: str, rubber_stamp: bool
) -> None:
    """Run TFMA in this process over rows that are scored already, and write its result files.

    Args:
        config: A config as `build_eval_config` completes it.
        scores: The rows.
        folder: Where to write.
        rubber_stamp: Whether this is a first model, judged without a baseline.
    """
    batches = list(_batches(config, scores))
    with beam.Pipeline(options=pipeline_options()) as pipeline:
        source = pipeline | "Rows" >> beam.Create(batches, reshuffle=False)
        _evaluate(source, config, folder, rubber_stamp)


@without_rows()
def evaluate_examples_on_beam(
    config: config_pb2.EvalConfig,
    examples: Examples,
    models: Mapping[str, tuple[str, str]],
    slice_columns: Sequence[str],
    columns: Sequence[str],
    folder: str,
    rubber_stamp: bool,
    beam_args: Sequence[str],
    batch_rows: int,
    predictions: int = 0,
) -> Scores | None:
    """Run TFMA on any Beam runner; the workers read and score the rows themselves.

    What the rows hold is counted on the way and written beside TFMA's files. Models that only this task reaches are
    copied to where the workers do, and so are the result files back.

    Args:
        config: A config as `build_eval_config` completes it.
        examples: The examples, in a store that the workers reach.
        models: Path or URI, and description, of each model by its name.
        slice_columns: Columns to slice by.
        columns: Columns to read.
        folder: Local folder to write the result files to.
        rubber_stamp: Whether this is a first model, judged without a baseline.
        beam_args: Beam's own options.
        batch_rows: Rows that go through a model at once.
        predictions: How many numbers the models return for a row, if the scored rows are to come back; 0: none do.

    Returns:
        The scored rows in the order of the examples, or a sample of them (see `kept_rows`); None if none come back.
    """
    files = worker_files(examples.splits[EVAL])
    with open_engine("evaluate_model", beam_args, [file.uri for file in files]) as engine:
        shared = {name: (_shared(engine, name, uri), who) for name, (uri, who) in models.items()}
        results = join(engine.folder, "evaluation")
        kept = None
        if predictions:
            folder_of_rows = join(engine.folder, "scores")
            queries = [key for key in query_keys(config) if key]
            kept = KeptRows.at(folder_of_rows, examples.rows(EVAL), predictions, queries)
        with sinks_shared(), engine.pipeline() as pipeline:
            scored = (
                pipeline
                | "Files" >> WorkItems(list(enumerate(files)))
                | "Score"
                >> beam.ParDo(
                    _Score(
                        shared,
                        config,
                        list(slice_columns),
                        list(columns),
                        batch_rows,
                        examples,
                        kept,
                    )
                ).with_outputs(_Score.COUNTS, main="rows")
            )
            (
                scored[_Score.COUNTS]
                | "AddUp" >> beam.CombineGlobally(add_up)
                | "WriteCounts" >> beam.Map(_write_counts, join(results, COUNTS_FILE))
            )
            _evaluate(scored["rows"], config, beam_path(results), rubber_stamp)
        download(results, folder)
        return kept.read() if kept else None


def _shared(engine: Engine, name: str, uri: str) -> str:
    """Return where the workers reach a model."""
    uri = worker_uri(uri)
    if engine.is_here or not is_local(uri):
        return uri
    there = join(engine.folder, "models", name)
    upload(uri, there)
    return there


class _Score(beam.DoFn):
    """Files of rows to batches with predictions, and beside them what the rows hold."""

    COUNTS = "counts"

    def __init__(
        self,
        models: dict[str, tuple[str, str]],
        config: config_pb2.EvalConfig,
        slice_columns: list[str],
        columns: list[str],
        batch_rows: int,
        examples: Examples,
        kept: KeptRows | None,
    ) -> None:
        self._uris = models
        self._config = config
        self._slice_columns = slice_columns
        self._columns = columns
        self._batch_rows = batch_rows
        self._lists, self._outputs = examples.lists, examples.outputs
        self._kept = kept
        self._demands = requirements_by_output(config)
        self._models: dict[str, Model] = {}

    def setup(self) -> None:
        self._models = {name: load_model(uri, who) for name, (uri, who) in self._uris.items()}

    def process(self, element: tuple[int, SpanPart]) -> Iterable[Any]:
        spec = self._config.model_specs[0]
        file, part = element
        for i, batch in enumerate(part.iter_batches(self._columns, self._batch_rows)):
            scores = score_batch(
                batch,
                self._outputs,
                self._models,
                self._slice_columns,
                spec.example_weight_key,
                self._lists,
            )
            counts, good = count_outputs(scores, self._demands, self._config)
            yield beam.pvalue.TaggedOutput(self.COUNTS, counts)
            # On rows that break a rule TFMA would fail with all of their numbers in its message. They are counted,
            # and the evaluation is refused once it is known how many there are.
            kept = scores if good.all() else scores.of(good)
            if self._kept:
                self._kept.write(kept, file, i)
            yield from _batches(self._config, kept)


def _write_counts(counts: InputCounts, uri: str) -> None:
    write_json(uri, counts.to_json())


def _batches(config: config_pb2.EvalConfig, scores: Scores) -> Iterator[pa.RecordBatch]:
    """Lay rows out as TFMA reads them, in small batches."""
    label, weight = config.model_specs[0].label_key, config.model_specs[0].example_weight_key
    predictions = {
        prediction_column(name, output): values
        for output, of_output in scores.by_output.items()
        for name, values in of_output.predictions.items()
    }
    columns: dict[str, Any] = {
        name: scores.slices[name] for name in scores.slices.column_names if name
    }
    for output, of_output in scores.by_output.items():
        columns[label_column(label, output)] = _cells(of_output.label)
    if scores.weight is not None:
        columns[weight] = pa.array(scores.weight)
    start = 0
    for batch in pa.table(columns).combine_chunks().to_batches(BATCH_ROWS):
        end = start + batch.num_rows
        yield _with_predictions(
            batch, {name: values[start:end] for name, values in predictions.items()}
        )
        start = end


def _cells(values: np.ndarray) -> pa.Array:
    """Return a number of each row, or a list of numbers."""
    if values.ndim == 1:
        return pa.array(values)
    offsets = pa.array(range(0, values.size + 1, values.shape[1]), pa.int32())
    return pa.ListArray.from_arrays(offsets, pa.array(values.reshape(-1)))


def _evaluate(
    source: beam.PCollection, config: config_pb2.EvalConfig, folder: str, rubber_stamp: bool
) -> None:
    _check_metrics(config)
    models = [
        tfma.types.EvalSharedModel(
            model_name=spec.name,
            model_type=constants.MATERIALIZED_PREDICTION,
            is_baseline=spec.is_baseline,
            rubber_stamp=rubber_stamp,
        )
        for spec in config.model_specs
    ]
    source | "Evaluate" >> tfma.ExtractEvaluateAndWriteResults(
        eval_config=config,
        eval_shared_model=models if len(models) > 1 else models[0],
        output_path=os.path.join(folder, ""),
    )


def _check_metrics(config: config_pb2.EvalConfig) -> None:
    """Refuse what TFMA's own pipeline fails on after all rows went through it.

    Raises:
        RetrainerError: If there is such a metric.
    """
    named = {metric.class_name for spec in config.metrics_specs for metric in spec.metrics}
    if "QueryStatistics" in named and len(config.model_specs) > 1:
        raise RetrainerError(
            "QueryStatistics can't be computed on Beam beside a champion: TFMA fails on two models. Take it out, or "
            "let evaluate_model run in its task's process."
        )
    if "R2Score" in named:
        raise RetrainerError(
            "R2Score can't be computed on Beam: TFMA fails on this metric of Keras. Use SquaredPearsonCorrelation, "
            "or let evaluate_model run in its task's process."
        )


def _with_predictions(batch: pa.RecordBatch, predictions: Mapping[str, Any]) -> pa.RecordBatch:
    lists = to_list_batch(batch)
    columns, names = list(lists.columns), list(lists.schema.names)
    for name, values in predictions.items():
        columns.append(_cells(values.reshape(len(values), -1)))
        names.append(name)
    return pa.RecordBatch.from_arrays(columns, names=names)
