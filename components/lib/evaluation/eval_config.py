"""TFMA's EvalConfig from what the user wrote, with errors that say what to change."""

import itertools
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.metrics import metric_specs
from tensorflow_model_analysis.proto import config_pb2
from tensorflow_model_analysis.utils import config_util

from ..errors import RetrainerError
from .config_checks import (
    Problem,
    metric_columns,
    metric_problems,
    threshold_problems,
)
from .eval_specs import read_specs, settings_problems
from .metric_instances import instance_problems
from .output_checks import output_problems
from .query_checks import query_problems

CANDIDATE = tfma.CANDIDATE_KEY
BASELINE = tfma.BASELINE_KEY
PREDICTION_COLUMNS = {CANDIDATE: "_prediction_candidate", BASELINE: "_prediction_baseline"}
"""Where each model's predictions lie beside the rows, by TFMA's name of the model."""

_LABEL_COLUMN = "_label_"


def build_eval_config(
    metrics_specs: Sequence[Mapping[str, Any]],
    slicing_specs: Sequence[Mapping[str, Any]],
    options: Mapping[str, Any],
    label: str,
    weight: str = "",
    has_champion: bool = False,
    outputs: Collection[str] = (),
) -> config_pb2.EvalConfig:
    """Build TFMA's EvalConfig as TFMA itself completes it before a run.

    The overall slice is always there, and so is the number of rows of each slice. Without a
    champion change thresholds are taken out, as TFX does for a first model.

    Args:
        metrics_specs: `tfma.MetricsSpec` in proto-JSON form. A metric's `config` may be a mapping
            as well as TFMA's JSON text.
        slicing_specs: `tfma.SlicingSpec` in proto-JSON form.
        options: `tfma.Options` in proto-JSON form.
        label: Name of the label's column.
        weight: Name of the column that weighs rows; empty: all rows weigh the same.
        has_champion: Whether there is a champion to compare with.
        outputs: Names of the models' outputs; empty for models with one.

    Returns:
        The config: one model spec without a champion; with one, `candidate` and `baseline`. Labels and predictions
        are those of `label_columns` and `prediction_columns`.

    Raises:
        RetrainerError: If a setting, a metric or a threshold is not one that TFMA takes; with all
            that is wrong.
    """
    config, problems = _build(
        metrics_specs, slicing_specs, options, label, weight, has_champion, outputs
    )
    if config is None:
        raise RetrainerError("\n".join(problem.text for problem in problems))
    return config


def evaluation_problems(
    metrics_specs: Sequence[Mapping[str, Any]],
    slicing_specs: Sequence[Mapping[str, Any]] = (),
    options: Mapping[str, Any] | None = None,
    label: str = "label",
    example_weight_key: str = "",
    columns: Collection[str] | None = None,
    outputs: Collection[str] = (),
) -> list[Problem]:
    """Find everything wrong with an evaluation's settings that needs no data.

    Args:
        metrics_specs: `tfma.MetricsSpec` in proto-JSON form, as in retrain.yaml.
        slicing_specs: `tfma.SlicingSpec` in proto-JSON form.
        options: `tfma.Options` in proto-JSON form.
        label: Name of the label's column.
        example_weight_key: Name of the column that weighs rows; empty: all rows weigh the same.
        columns: Names of the columns that the examples have, such as the schema's; None if unknown.
        outputs: Names of the models' outputs; empty for models with one.

    Returns:
        What is wrong, what stops evaluate_model first; empty if nothing is.
    """
    settings = (metrics_specs, slicing_specs, options or {}, label, example_weight_key)
    config, problems = _build(*settings, True, outputs)
    if config is not None:
        _, problems = _build(*settings, False, outputs)
    more = settings_problems(*settings, columns, outputs)
    return sorted(dict.fromkeys([*problems, *more]), key=lambda problem: not problem.stops)


def _build(
    metrics_specs: Sequence[Mapping[str, Any]],
    slicing_specs: Sequence[Mapping[str, Any]],
    options: Mapping[str, Any],
    label: str,
    weight: str,
    has_champion: bool,
    outputs: Collection[str],
) -> tuple[config_pb2.EvalConfig | None, list[Problem]]:
    """Build the config, or list what stops it."""
    config, problems = read_specs(metrics_specs, slicing_specs, options)
    _register_text_metrics(config)
    if not problems:
        problems += metric_problems(config)
        problems += query_problems(config)
        problems += output_problems(config, outputs)
        problems += instance_problems(config, {problem.place for problem in problems})
    problems += threshold_problems(config)
    if problems:
        return None, problems
    for name in (CANDIDATE, BASELINE) if has_champion else (CANDIDATE,):
        spec = config.model_specs.add(example_weight_key=weight, is_baseline=name == BASELINE)
        if has_champion:
            spec.name = name
        if outputs:
            spec.label_keys.update({output: label_column(label, output) for output in outputs})
            spec.prediction_keys.update(
                {output: prediction_column(name, output) for output in outputs}
            )
        else:
            spec.label_key, spec.prediction_key = label, prediction_column(name, "")
    if not any(
        metric.class_name == "ExampleCount"
        for spec in config.metrics_specs
        for metric in spec.metrics
        if not spec.query_key
    ):
        config.metrics_specs.add(
            metrics=[config_pb2.MetricConfig(class_name="ExampleCount")],
            example_weights=config_pb2.ExampleWeightOptions(unweighted=True),
        )
    try:
        config = config_util.update_eval_config_with_defaults(
            config, has_baseline=has_champion, rubber_stamp=not has_champion
        )
        config_util.verify_eval_config(config)
        # A metric's own checks run when its computations are made: here, before any row is read.
        _check_names(config)
    except (ValueError, TypeError, NotImplementedError) as error:
        return None, [Problem(f"TFMA refuses the evaluation's settings: {error}")]
    return config, []


def _check_names(config: config_pb2.EvalConfig) -> None:
    """Check that metrics of rows and of each query key have names of their own: TFMA fails on one name for two."""
    named: dict[str, str] = {}
    for query_key in query_keys(config):
        specs = [spec for spec in config.metrics_specs if spec.query_key == query_key]
        about = f"queries by '{query_key}'" if query_key else "rows"
        for computation in metric_specs.to_computations(specs, eval_config=config):
            for key in computation.keys:
                if key.name.startswith("_"):
                    # TFMA takes its own intermediate results out before it puts the others together.
                    continue
                other = named.setdefault(str(key), about)
                if other != about:
                    raise ValueError(
                        f"'{key.name}' would be a result of {other} and of {about}. Name one of the two: config: "
                        f"{{name: {key.name}_of_queries}}"
                    )


def label_column(label: str, output: str) -> str:
    """Name the column of an output's labels, as TFMA is given the rows; `label` for models with one output."""
    return f"{_LABEL_COLUMN}{output}" if output else label


def prediction_column(model: str, output: str) -> str:
    """Name the column of a model's predictions, as TFMA is given the rows.

    Args:
        model: TFMA's name of the model.
        output: The output's name; empty for models with one.
    """
    return f"{PREDICTION_COLUMNS[model]}_{output}" if output else PREDICTION_COLUMNS[model]


def _register_text_metrics(config: config_pb2.EvalConfig) -> None:
    # TFMA registers them when their modules run, which a task's process puts off until a name of theirs is used.
    named = {metric.class_name for spec in config.metrics_specs for metric in spec.metrics}
    for name in named & {"Bleu", "Rouge"}:
        getattr(getattr(tfma.metrics, name.lower()), name)


def query_keys(config: config_pb2.EvalConfig) -> list[str]:
    """List the columns that metrics are grouped by, each once; empty text stands for metrics of rows."""
    return list(dict.fromkeys(spec.query_key for spec in config.metrics_specs))


def named_columns(config: config_pb2.EvalConfig) -> list[str]:
    """List the columns that slices, queries and metrics are computed from beside label and weight, each once."""
    slices = [[*spec.feature_keys, *spec.feature_values] for spec in config.slicing_specs]
    metrics = [name for name, _ in metric_columns(config)]
    return list(dict.fromkeys([*itertools.chain.from_iterable(slices), *metrics]))
