"""What can be wrong with metrics of rankings, found without data and without loading TFMA."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

from .config_checks import PLACE, Problem, read_config, thresholds_of

if TYPE_CHECKING:
    from tensorflow_model_analysis.proto import config_pb2

BY_QUERY = frozenset({"MinLabelPosition", "NDCG", "QueryStatistics"})
"""TFMA's metrics that need a query_key."""


def query_problems(config: "config_pb2.EvalConfig") -> Iterator[Problem]:
    """Find metrics of rankings without queries, or without how many rows of a query count."""
    for i, spec in enumerate(config.metrics_specs):
        for j, metric in enumerate(spec.metrics):
            place = f"{PLACE}.metrics_specs[{i}].metrics[{j}]"
            if metric.class_name in BY_QUERY and not spec.query_key:
                yield Problem(
                    f"'{metric.class_name}' is a metric of rankings, and its metrics_specs has no query_key. Name the "
                    "column that marks the rows of a query beside metrics: query_key: query_id.",
                    place=place,
                )
            if metric.class_name != "NDCG":
                continue
            top_k = read_config(metric).get("top_k_list")
            if not top_k and not spec.binarize.top_k_list.values:
                yield Problem(
                    "'NDCG' needs to know how many rows of a query count. Add them beside metrics: binarize: "
                    "{top_k_list: {values: [10]}}.",
                    place=place,
                )
            elif top_k and any(thresholds_of(metric)):
                yield Problem(
                    "TFMA does not find the results that the threshold of 'NDCG' is about where top_k_list stands in "
                    f"its config. Put it beside metrics: binarize: {{top_k_list: {{values: {json.dumps(top_k)}}}}}.",
                    place=place,
                )
