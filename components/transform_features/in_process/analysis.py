"""TFT's analysis of rows in this process."""

import json
import os
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tensorflow as tf
import tensorflow_transform as tft
from tensorflow_transform import annotators, graph_tools, impl_helper, nodes
from tensorflow_transform.beam import analysis_graph_builder, analyzer_cache

from ...lib.examples import SpanPart
from ..tracing import Traced, column_specs, trace
from .accumulator_store import AccumulatorStore
from .analysis_key import analysis_key, shows_all
from .evaluator import Evaluator, Rows
from .phase import FirstPhase, Phase, is_divisible
from .plan import Plan, Planner, read_cells

# An operation's label is its kind, and the name scope in which preprocessing_fn made it.
_SCOPE = re.compile(r"\[(.*?)\]")


class UnsupportedError(Exception):
    """An analysis that is not computed in this process; its text names the analysers."""


@dataclass(frozen=True)
class _Analysis:
    """An analysis of parts of spans.

    Attributes:
        traced: The graph of preprocessing_fn.
        fingerprint: TFT's, by which it finds that preprocessing_fn is another one each time.
        result: The operation that gives all analysers' results.
        plan: What it reads.
        keys: The key of each part.
        entries: TFT's name of each accumulator of a part, by the label of the operation that makes it.
        shows_all: Whether the graph shows all that the first analysers' input is computed from.
    """

    traced: Traced
    fingerprint: Any
    result: nodes.ValueNode
    plan: Plan
    keys: Sequence[analyzer_cache.DatasetKey]
    entries: Sequence[Mapping[str, bytes]]
    shows_all: bool

    @property
    def traces_again(self) -> bool:
        """Whether its phases trace preprocessing_fn again."""
        return (
            not self.shows_all
            or not is_divisible(self.traced.graph)
            or any(self.plan.phases.values())
        )


def analyse(preprocess: Callable, traced: Traced, parts: Sequence[SpanPart], output: str) -> None:
    """Analyse rows, and write the transform graph as `tft_beam.WriteTransformFn` does.

    Args:
        preprocess: The user's preprocessing_fn.
        traced: Its graph.
        parts: The rows.
        output: Local folder for the transform graph.

    Raises:
        UnsupportedError: If it has an analyser that is not computed in this process; nothing is written.
    """
    analysis = _build(traced, len(parts))
    if analysis.plan.unsupported:
        raise UnsupportedError(_names(analysis.plan.unsupported))
    if traced.has_unused and (analysis.traces_again or traced.asked_which):
        # The graphs of one function are alike if it gets the same columns.
        analysis = _build(trace(preprocess, traced.used), len(parts))
    _run(preprocess, analysis, parts, output)


def _build(traced: Traced, parts: int) -> _Analysis:
    fingerprint = graph_tools.get_analyzers_fingerprint(traced.graph, traced.inputs)
    # In the order of the parts: TFT sorts the keys.
    keys = [analyzer_cache.DatasetKey(f"{number:09d}") for number in range(parts)]
    # With a cache, even an empty one, each dataset has accumulators of its own.
    result, cache, _ = analysis_graph_builder.build(
        traced.graph, traced.inputs, traced.outputs, dataset_keys=keys, cache_dict={}
    )
    planner = Planner()
    nodes.Traverser(planner).visit_value_node(result)
    tensors = list(planner.plan.tensors.values())
    analysis = _Analysis(
        traced,
        fingerprint,
        result,
        planner.plan,
        keys,
        [_entries(cache.get(key, {})) for key in keys],
        shows_all(traced.graph, traced.inputs, tensors),
    )
    if not analysis.traces_again:
        read_cells(planner.plan, traced.graph, traced.inputs)
    return analysis


def _run(preprocess: Callable, analysis: _Analysis, parts: Sequence[SpanPart], output: str) -> None:
    traced, plan, entries = analysis.traced, analysis.plan, analysis.entries
    specs = column_specs(traced.used)
    with tempfile.TemporaryDirectory(prefix="retrainer-transform-") as folder:

        def phase(
            names: Mapping[str, str], replacements: Mapping[str, tf.Tensor]
        ) -> FirstPhase | Phase:
            if analysis.traces_again:
                return Phase(preprocess, specs, names, replacements, folder)
            return FirstPhase(traced.graph, traced.inputs, plan.tensors)

        store = _store(analysis)
        known = _read(store, parts, entries) if store else {}
        rows = Rows(parts, analysis.keys, traced.used)
        evaluator = Evaluator(plan, rows, phase, traced.graph, folder, known)
        _, replacements = nodes.Traverser(evaluator).visit_value_node(analysis.result)
        _write(preprocess, specs, analysis.fingerprint, replacements, folder, output)
        assets = annotators.get_asset_annotations(traced.graph)
        if assets:
            metadata = Path(output, tft.TFTransformOutput.TRANSFORMED_METADATA_DIR)
            (metadata / tft.TFTransformOutput.ASSET_MAP).write_text(json.dumps(assets))
    if store:
        _keep(store, parts, entries, known, evaluator.accumulators)


def _entries(cache: Mapping[bytes, nodes.ValueNode]) -> dict[str, bytes]:
    return {
        node.parent_operation.inputs[0].parent_operation.operation_def.label: entry
        for entry, node in cache.items()
    }


def _store(analysis: _Analysis) -> AccumulatorStore | None:
    if not analysis.shows_all or not any(analysis.entries):
        return None
    combiners = {
        label: reader.combiner
        for readers in analysis.plan.readers.values()
        for label, reader in readers.items()
        if reader.combiner is not None
    }
    key = analysis_key(analysis.entries[0], combiners, analysis.traced.used)
    return AccumulatorStore(key) if key else None


def _read(
    store: AccumulatorStore, parts: Sequence[SpanPart], entries: Sequence[Mapping[str, bytes]]
) -> dict[str, Any]:
    known: dict[str, Any] = {}
    with ThreadPoolExecutor() as pool:
        for found, of_part in zip(pool.map(store.read, parts), entries, strict=True):
            if found and found.keys() == {entry.hex() for entry in of_part.values()}:
                known |= {label: found[entry.hex()] for label, entry in of_part.items()}
    return known


def _keep(
    store: AccumulatorStore,
    parts: Sequence[SpanPart],
    entries: Sequence[Mapping[str, bytes]],
    known: Mapping[str, Any],
    accumulators: Mapping[str, Any],
) -> None:
    new = [
        (part, {entry.hex(): accumulators[label] for label, entry in of_part.items()})
        for part, of_part in zip(parts, entries, strict=True)
        if not of_part.keys() <= known.keys()
    ]
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda item: store.keep(*item), new))


def _names(labels: Sequence[str]) -> str:
    scopes = (match[1] if (match := _SCOPE.search(label)) else label for label in labels)
    return ", ".join(dict.fromkeys(scope.replace("#", "/") for scope in scopes))


def _write(
    preprocess: Callable,
    specs: Mapping[str, tf.TypeSpec],
    fingerprint: Any,
    replacements: Mapping[str, tf.Tensor],
    folder: str,
    output: str,
) -> None:
    saved_model = Path(output, tft.TFTransformOutput.TRANSFORM_FN_DIR)
    impl_helper.trace_and_write_v2_saved_model(
        str(saved_model),
        preprocess,
        dict(specs),
        folder,
        fingerprint,
        dict(replacements),
        # All that preprocessing_fn returns.
        {},
        None,
    )
    os.rename(
        saved_model / impl_helper.METADATA_DIR_NAME,
        Path(output, tft.TFTransformOutput.TRANSFORMED_METADATA_DIR),
    )
