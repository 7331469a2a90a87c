"""Feature engineering: the user's preprocessing_fn, analysed by TensorFlow Transform."""

from collections.abc import Callable, Sequence

import tensorflow as tf
import tensorflow_transform as tft
from tensorflow_transform.tf_metadata import dataset_metadata, metadata_io

from ..lib.examples import TRAIN, Examples, SpanPart
from ..lib.features import raw_features, read_schema
from ..lib.library_output import written_locally
from ..lib.progress import progress
from ..lib.uris import join
from ..lib.user_code.user_module import load_module, user_function
from .in_process.analysis import UnsupportedError, analyse
from .on_beam import analyse_on_beam
from .tracing import DTYPES, Traced, trace

# Training starts with it: the transform graph is whole when it is there.
_LAST = join(tft.TFTransformOutput.TRANSFORM_FN_DIR, "saved_model.pb")


def transform(
    examples_path: str,
    schema_path: str,
    output: str,
    module: str,
    module_source: str,
    beam_args: Sequence[str] = (),
) -> str:
    """Analyse the training split with the user's preprocessing_fn.

    Args:
        examples_path: The examples artifact.
        schema_path: The schema artifact.
        output: Folder for the transform graph, as `tft.TFTransformOutput` reads it.
        module: Importable module of the user's code.
        module_source: Text of the user's code, in place of `module`.
        beam_args: Arguments of a Beam pipeline; empty: the analysis runs in this process, on Beam only if it has an
            analyser that needs it.

    Returns:
        The verdict.

    Raises:
        RetrainerError: If the user's code fails, or takes a column that the examples lack.
    """
    examples = Examples.read(examples_path)
    available = raw_features(read_schema(schema_path), [*examples.labels, *examples.bare_key])
    preprocess = user_function(load_module(module, module_source), "preprocessing_fn")
    traced = trace(preprocess, available)
    kinds = traced.used

    parts = examples.splits[TRAIN]
    progress("analysing with TensorFlow Transform")
    # TFT renames two folders of its output.
    with written_locally(output, _LAST) as folder:
        beam_for = None if beam_args else _analyse_here(preprocess, traced, parts, folder)
        if beam_args or beam_for:
            analyse_on_beam(preprocess, kinds, parts, folder, module, module_source, beam_args)
        metadata_io.write_metadata(
            dataset_metadata.DatasetMetadata.from_feature_spec(
                {name: tf.io.FixedLenFeature([1], DTYPES[kind]) for name, kind in kinds.items()}
            ),
            join(folder, tft.TFTransformOutput.RAW_METADATA_DIR),
        )
        transformed = tft.TFTransformOutput(folder).transformed_feature_spec()
    verdict = (
        f"{len(kinds)} columns to {len(transformed)} features over {examples.rows(TRAIN):,} rows"
    )
    return f"{verdict}; on Beam, which alone computes {beam_for}" if beam_for else verdict


def _analyse_here(
    preprocess: Callable, traced: Traced, parts: Sequence[SpanPart], folder: str
) -> str | None:
    try:
        analyse(preprocess, traced, parts, folder)
    except UnsupportedError as error:
        return str(error)
    return None
