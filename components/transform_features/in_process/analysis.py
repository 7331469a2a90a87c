"""TFT's analysis of rows in this process."""

import json
import os
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import tensorflow as tf
import tensorflow_transform as tft
from tensorflow_transform import annotators, graph_tools, impl_helper, nodes
from tensorflow_transform.beam import analysis_graph_builder, analyzer_cache

from ...lib.examples import SpanPart
from ..used_columns import DTYPES
from .accumulator_store import AccumulatorStore
from .analysis_key import analysis_key
from .operations import Evaluator, Plan, Planner, Rows
from .phase import Phase

# An operation's label is its kind, and the name scope in which preprocessing_fn made it.
_SCOPE = re.compile(r"\[(.*?)\]")


class UnsupportedError(Exception):
    """An analysis that is not computed in this process; its text names the analysers."""


def analyse(
    preprocess: Callable, kinds: Mapping[str, str], parts: Sequence[SpanPart], output: str
) -> None:
    """Analyse rows, and write the transform graph as `tft_beam.WriteTransformFn` does.

    Args:
        preprocess: The user's preprocessing_fn.
        kinds: Columns that it uses, with their kinds.
        parts: The rows.
        output: Local folder for the transform graph.

    Raises:
        UnsupportedError: If it has an analyser that is not computed in this process; nothing is written.
    """
    specs = {name: tf.TensorSpec([None, 1], DTYPES[kind]) for name, kind in kinds.items()}
    with tempfile.TemporaryDirectory(prefix="retrainer-transform-") as folder:
        graph, inputs, outputs = impl_helper.trace_preprocessing_function(
            preprocess, specs, use_tf_compat_v1=False, base_temp_dir=folder
        )
        assets = annotators.get_asset_annotations(graph)
        annotators.clear_asset_annotations(graph)
        fingerprint = graph_tools.get_analyzers_fingerprint(graph, inputs)
        # In the order of the parts: TFT sorts the keys.
        keys = [analyzer_cache.DatasetKey(f"{number:09d}") for number in range(len(parts))]
        # With a cache, even an empty one, each dataset has accumulators of its own.
        result, cache, _ = analysis_graph_builder.build(
            graph, inputs, outputs, dataset_keys=keys, cache_dict={}
        )
        planner = Planner()
        nodes.Traverser(planner).visit_value_node(result)
        if planner.plan.unsupported:
            raise UnsupportedError(_names(planner.plan.unsupported))

        def trace(names: Mapping[str, str], replacements: Mapping[str, tf.Tensor]) -> Phase:
            return Phase(preprocess, specs, names, replacements, folder)

        entries = [_entries(cache.get(key, {})) for key in keys]
        store = _store(planner.plan, graph, inputs, entries, kinds)
        known = _read(store, parts, entries) if store else {}
        evaluator = Evaluator(planner.plan, Rows(parts, keys, kinds), trace, graph, folder, known)
        _, replacements = nodes.Traverser(evaluator).visit_value_node(result)
        _write(preprocess, specs, fingerprint, replacements, folder, assets, output)
        if store:
            _keep(store, parts, entries, known, evaluator.accumulators)


def _entries(cache: Mapping[bytes, nodes.ValueNode]) -> dict[str, bytes]:
    """Return TFT's name of each accumulator of a dataset, by the label of the operation that makes it."""
    return {
        node.parent_operation.inputs[0].parent_operation.operation_def.label: entry
        for entry, node in cache.items()
    }


def _store(
    plan: Plan,
    graph: tf.Graph,
    inputs: Mapping[str, tf.Tensor],
    entries: Sequence[Mapping[str, bytes]],
    kinds: Mapping[str, str],
) -> AccumulatorStore | None:
    if not entries or not entries[0]:
        return None
    combiners = {
        label: reader.combiner
        for readers in plan.readers.values()
        for label, reader in readers.items()
        if reader.combiner is not None
    }
    key = analysis_key(graph, inputs, plan.tensors, entries[0], combiners, kinds)
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
    assets: Mapping[str, str],
    output: str,
) -> None:
    saved_model = Path(output, tft.TFTransformOutput.TRANSFORM_FN_DIR)
    metadata = Path(output, tft.TFTransformOutput.TRANSFORMED_METADATA_DIR)
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
    os.rename(saved_model / impl_helper.METADATA_DIR_NAME, metadata)
    if assets:
        (metadata / tft.TFTransformOutput.ASSET_MAP).write_text(json.dumps(assets))
