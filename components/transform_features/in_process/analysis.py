"""TFT's analysis of rows in this process."""

import json
import os
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf
import tensorflow_transform as tft
from tensorflow_transform import annotators, graph_tools, impl_helper, nodes
from tensorflow_transform.beam import analysis_graph_builder, analyzer_cache

from ...lib.examples import SpanPart
from ..used_columns import DTYPES
from .operations import Evaluator, Planner, Rows
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
        result, _, _ = analysis_graph_builder.build(
            graph, inputs, outputs, dataset_keys=keys, cache_dict={}
        )
        planner = Planner()
        nodes.Traverser(planner).visit_value_node(result)
        if planner.plan.unsupported:
            raise UnsupportedError(_names(planner.plan.unsupported))

        def trace(names: Mapping[str, str], replacements: Mapping[str, tf.Tensor]) -> Phase:
            return Phase(preprocess, specs, names, replacements, folder)

        evaluator = Evaluator(planner.plan, Rows(parts, keys, kinds), trace, graph, folder, {})
        _, replacements = nodes.Traverser(evaluator).visit_value_node(result)
        _write(preprocess, specs, fingerprint, replacements, folder, assets, output)


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
