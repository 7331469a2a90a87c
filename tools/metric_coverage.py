"""Write which metrics run over arrays into the README of evaluate_model: each is tried (part of `make docs`)."""

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from retrainer.components.lib.evaluation.array_metrics.array_path import NotCoveredError
from retrainer.components.lib.evaluation.eval_config import BASELINE, CANDIDATE, build_eval_config
from retrainer.components.lib.evaluation.in_process import evaluate_in_process
from retrainer.components.lib.evaluation.scores import Scores
from retrainer.components.lib.evaluation.tfma_reference import metric_names

ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT / "components/evaluate_model/README.md"
TABLE = "<!-- metrics over arrays, written by tools/metric_coverage.py from what it tried -->\n"
TABLE_END = "<!-- end of metrics -->\n"

ARGUMENTS: Mapping[str, Mapping[str, Any]] = {
    "ConfusionMatrixAtThresholds": {"thresholds": [0.5]},
    "BinaryIoU": {"target_class_ids": [1]},
    "IoU": {"num_classes": 2, "target_class_ids": [1]},
    "MeanIoU": {"num_classes": 2},
    "MeanRelativeError": {"normalizer": [1.0]},
    "NDCG": {"gain_key": "label", "top_k_list": [2]},
    "PrecisionAtRecall": {"recall": 0.5},
    "RecallAtFalsePositiveRate": {"false_positive_rate": 0.5},
    "RecallAtPrecision": {"precision": 0.5},
    "SensitivityAtSpecificity": {"specificity": 0.5},
    "SpecificityAtSensitivity": {"sensitivity": 0.5},
    "ThresholdAtRecall": {"recall": 0.5},
}
"""Arguments of metrics that need some."""
SKIPPED = frozenset(
    {"Loss", "Mean", "MeanMetricWrapper", "MeanTensor", "Metric", "Reduction", "Sum"}
)
"""Names in Keras's modules that are no metrics of labels and predictions."""
OTHER_DATA = frozenset({"Bleu", "Rouge", "SetMatchPrecision", "SetMatchRecall"})
"""Metrics of texts and of sets, which no column of labels has."""
CLASS_IDS: Mapping[str, Any] = {"binarize": {"class_ids": {"values": [0, 1]}}}
USES: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "one output": ("one", {}),
    "classes": ("classes", {}),
    "`class_ids`": ("classes", CLASS_IDS),
    "`k_list`": ("classes", {"binarize": {"k_list": {"values": [1]}}}),
    "`top_k_list`": ("classes", {"binarize": {"top_k_list": {"values": [1]}}}),
    "`micro_average`": ("classes", {"aggregate": {"micro_average": True}}),
    "`macro_average`": (
        "classes",
        {**CLASS_IDS, "aggregate": {"macro_average": True, "class_weights": {0: 1.0, 1: 1.0}}},
    ),
    "several labels": ("labels", {}),
    "`output_names`": ("outputs", {"output_names": ["other"]}),
    "`query_key`": ("one", {"query_key": "query"}),
}
"""What is tried: rows of which model, and what stands beside the metric."""


def coverage() -> dict[str, dict[str, bool]]:
    """Try each metric in each way.

    Returns:
        By way, for each metric that TFMA computes so, whether it runs over arrays.
    """
    logging.disable(logging.ERROR)
    try:
        found: dict[str, dict[str, bool]] = {}
        for use, (kind, beside) in USES.items():
            tried = {name: _tried(name, kind, beside) for name in _names()}
            found[use] = {name: covered for name, covered in tried.items() if covered is not None}
        return found
    finally:
        logging.disable(logging.NOTSET)


def _names() -> list[str]:
    known = metric_names() - SKIPPED - OTHER_DATA
    return sorted(name for name in known if "Attributions" not in name)


def _tried(name: str, kind: str, beside: Mapping[str, Any]) -> bool | None:
    """Return whether a metric runs over arrays; None if it can't be computed so at all."""
    spec = {**beside, "metrics": [{"class_name": name, "config": dict(ARGUMENTS.get(name, {}))}]}
    try:
        rows = _rows(kind)
        config = build_eval_config([spec], [], {}, "label", "", True, list(rows.outputs))
        with np.errstate(all="ignore"):
            evaluate_in_process(config, rows)
    except NotCoveredError:
        return False
    except Exception:  # A metric of other data may raise anything at these rows.
        return None
    return True


def _rows(kind: str) -> Scores:
    label = np.array([0, 1, 1, 0])
    one = np.array([0.1, 0.8, 0.4, 0.3], np.float32)
    classes = np.stack([1 - one, one], axis=1)
    beside = pa.table({"query": ["a", "a", "b", "b"], "label": label})

    def scores(labels: np.ndarray, values: np.ndarray) -> Scores:
        return Scores(labels, {CANDIDATE: values, BASELINE: values}, None, beside)

    if kind == "outputs":
        return Scores.of_outputs({"first": scores(label, classes), "other": scores(label, one)})
    if kind == "labels":
        return scores(np.stack([label, 1 - label], axis=1), classes)
    return scores(label, one if kind == "one" else classes)


def page() -> str:
    """Return the README with the table."""
    head, _, rest = FILE.read_text(encoding="utf-8").partition(TABLE)
    _, _, tail = rest.partition(TABLE_END)
    return "".join([head, TABLE, "\n", *_table(coverage()), "\n", TABLE_END, tail])


def _table(found: Mapping[str, Mapping[str, bool]]) -> Iterator[str]:
    """Lay the table out: metrics that are alike in every way share a row."""
    alike: dict[tuple[str, ...], list[str]] = {}
    for name in sorted({name for metrics in found.values() for name in metrics}):
        ways = tuple(_cell(metrics.get(name)) for metrics in found.values())
        alike.setdefault(ways, []).append(f"`{name}`")
    yield f"| metric | {' | '.join(found)} |\n|---{'|---' * len(found)}|\n"
    # Those that run over arrays in most ways come first.
    for ways in sorted(alike, key=lambda ways: (-ways.count("arrays"), alike[ways])):
        yield f"| {', '.join(alike[ways])} | {' | '.join(ways)} |\n"


def _cell(covered: bool | None) -> str:
    return "" if covered is None else "arrays" if covered else "Beam"


if __name__ == "__main__":
    FILE.write_text(page(), encoding="utf-8")
