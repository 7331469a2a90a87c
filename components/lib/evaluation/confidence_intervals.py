"""Confidence intervals by TFMA's two ways of resampling, over whole arrays.

TFMA draws its samples at random, without a seed; here the seed is fixed, so that the same rows give
the same intervals. The standard errors come from TFMA's own combiners.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from tensorflow_model_analysis.evaluators import (
    confidence_intervals_util,
    jackknife,
    poisson_bootstrap,
)
from tensorflow_model_analysis.evaluators import (
    metrics_plots_and_validations_evaluator as evaluator,
)
from tensorflow_model_analysis.proto import config_pb2

SEED = 1

Metrics = dict[Any, Any]
Compute = Callable[[np.ndarray], Metrics]
"""From row numbers (a row may come more than once) to the metrics over them."""


def sampler(
    config: config_pb2.EvalConfig,
) -> Callable[[Compute, np.ndarray, Metrics], Metrics] | None:
    """Choose how intervals are computed.

    Args:
        config: A config as `build_eval_config` completes it.

    Returns:
        A function that puts a distribution around each number among a slice's metrics, given how to
        compute metrics, the slice's rows and its metrics; or None if the config asks for none.
    """
    settings = evaluator._get_confidence_interval_params(config, config.metrics_specs)
    if settings.num_jackknife_samples:
        samples, draw = settings.num_jackknife_samples, _leave_one_part_out
        combine = jackknife._JackknifeSampleCombineFn(samples, settings.skip_ci_metric_keys)
        full = jackknife._FULL_SAMPLE_ID
    elif settings.num_bootstrap_samples:
        samples, draw = settings.num_bootstrap_samples, _redraw
        combine = poisson_bootstrap._BootstrapSampleCombineFn(samples, settings.skip_ci_metric_keys)
        full = poisson_bootstrap._FULL_SAMPLE_ID
    else:
        return None

    def sample(compute: Compute, rows: np.ndarray, metrics: Metrics) -> Metrics:
        accumulator = combine.create_accumulator()
        add = confidence_intervals_util.SampleMetrics
        accumulator = combine.add_input(accumulator, add(metrics, full))
        for i, drawn in enumerate(draw(rows, samples)):
            # A slice that no row was drawn for gives no sample, and TFMA then says so.
            if len(drawn):
                accumulator = combine.add_input(accumulator, add(compute(drawn), i))
        return combine.extract_output(accumulator)

    return sample


def _leave_one_part_out(rows: np.ndarray, samples: int) -> Iterator[np.ndarray]:
    part = np.random.default_rng(SEED).integers(samples, size=len(rows))
    for left_out in range(samples):
        yield rows[part != left_out]


def _redraw(rows: np.ndarray, samples: int) -> Iterator[np.ndarray]:
    random = np.random.default_rng(SEED)
    for _ in range(samples):
        yield np.repeat(rows, random.poisson(1, len(rows)))


def public(metrics: Metrics, needed: Sequence[Any]) -> Metrics:
    """Leave TFMA's private intermediate values out, unless something is still derived from them.

    Their spread is what most of the time would go into, and TFMA throws it away.
    """
    return metrics if needed else evaluator._remove_private_metrics((), metrics)[1]
