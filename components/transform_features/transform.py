"""Feature engineering: the user's preprocessing_fn, analysed by TensorFlow Transform on Beam."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NoReturn

import apache_beam as beam
import numpy as np
import pyarrow as pa
import tensorflow as tf
import tensorflow_transform as tft
import tensorflow_transform.beam as tft_beam
from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_transform.tf_metadata import dataset_metadata, metadata_io
from tfx_bsl.tfxio import tensor_adapter

from ..lib.beam import (
    pipeline_options,
    pipeline_output,
    shared_temporary_folder,
    worker_files,
    worker_uri,
)
from ..lib.errors import RetrainerError
from ..lib.examples import TRAIN, Examples, SpanPart
from ..lib.features import FLOAT, INT, STRING, raw_features, read_schema, to_arrays
from ..lib.progress import progress
from ..lib.uris import join
from ..lib.user_module import load_module, user_function

_DTYPES = {INT: tf.int64, FLOAT: tf.float32, STRING: tf.string}
# Training starts with it: the transform graph is whole when it is there.
_LAST = join(tft.TFTransformOutput.TRANSFORM_FN_DIR, "saved_model.pb")
_HOLDS = {INT: "whole numbers", FLOAT: "numbers", STRING: "text"}


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
        beam_args: Arguments of the Beam pipeline; none runs it in this process.

    Returns:
        The verdict.

    Raises:
        RetrainerError: If the user's code fails, or takes a column that the examples lack.
    """
    examples = Examples.read(examples_path)
    available = raw_features(read_schema(schema_path), [examples.label, *examples.bare_key])
    preprocess = user_function(load_module(module, module_source), "preprocessing_fn")
    kinds = used_features(preprocess, available)

    progress("analysing with TensorFlow Transform")
    options = pipeline_options(beam_args)
    # TFT renames two folders of its output.
    with pipeline_output(options, output, _LAST) as folder:
        with (
            shared_temporary_folder(options, output) as temporary,
            tft_beam.Context(temp_dir=temporary),
            beam.Pipeline(options=options) as pipeline,
        ):
            # Readers, not rows, are what the pipeline is built from: rows given to Create are pickled and
            # compressed with the graph, which took 39 of 59 s on a year of flights.
            batches = (
                pipeline
                | "Files" >> beam.Create(worker_files(examples.splits[TRAIN]))
                | "Read" >> beam.FlatMap(read_list_batches, kinds)
            )
            transform_fn = (
                batches,
                tensor_adapter_config(kinds),
            ) | tft_beam.AnalyzeDataset(preprocess)
            _ = transform_fn | tft_beam.WriteTransformFn(worker_uri(folder))
        metadata_io.write_metadata(
            dataset_metadata.DatasetMetadata.from_feature_spec(
                {name: tf.io.FixedLenFeature([1], _DTYPES[kind]) for name, kind in kinds.items()}
            ),
            join(folder, tft.TFTransformOutput.RAW_METADATA_DIR),
        )
        transformed = tft.TFTransformOutput(folder).transformed_feature_spec()
    return f"{len(kinds)} columns to {len(transformed)} features over {examples.rows(TRAIN):,} rows"


def used_features(preprocess: Callable, available: Mapping[str, str]) -> dict[str, str]:
    """Find the columns that a preprocessing_fn uses.

    Args:
        preprocess: The user's preprocessing_fn.
        available: Columns that it may use, with their kinds.

    Returns:
        Those it does use, in the order of their names.

    Raises:
        RetrainerError: If it asks for a column that is not there, raises, or uses none.
    """
    specs = {name: tf.TensorSpec([None, 1], _DTYPES[kind]) for name, kind in available.items()}

    def checked(inputs: Mapping[str, Any]) -> Any:
        columns = _Columns(inputs)
        try:
            return preprocess(columns)
        except RetrainerError as error:
            if columns.last not in available:
                raise
            raise RetrainerError(
                f"{error}\nThe column that it read last is '{columns.last}', which holds "
                f"{_HOLDS[available[columns.last]]}."
            ) from error

    used = set(tft.get_transform_input_columns(checked, specs)) | set(
        tft.get_analyze_input_columns(checked, specs)
    )
    if not used:
        raise RetrainerError(
            f"preprocessing_fn uses none of the columns {', '.join(available)}; a model needs a feature."
        )
    return {name: available[name] for name in sorted(used)}


class _Columns(dict):
    """The inputs of a preprocessing_fn; a column that is not there is named with those that are.

    Attributes:
        last: The column that was read last; empty at first.
    """

    last = ""

    def __getitem__(self, name: str) -> Any:
        self.last = name
        return super().__getitem__(name)

    def __missing__(self, name: str) -> NoReturn:
        raise RetrainerError(
            f"preprocessing_fn asks for the column '{name}', which the examples don't have as a feature. "
            f"They have: {', '.join(sorted(self))}. (The label and the key are no features.)"
        )


def read_list_batches(part: SpanPart, kinds: Mapping[str, str]) -> Iterator[pa.RecordBatch]:
    """Read a part as TFT takes it, batch by batch.

    Args:
        part: A span's rows.
        kinds: Columns wanted, with their kinds.

    Yields:
        Record batches whose columns are lists of one value, missing cells filled.
    """
    logging.getLogger(__name__).debug("reading %s", part.uri)
    for batch in part.iter_batches(list(kinds)):
        arrays = to_arrays(batch, kinds, f"span {part.span}")
        offsets = pa.array(np.arange(batch.num_rows + 1, dtype=np.int32))
        values = [
            pa.array(array, pa.binary() if kinds[name] == STRING else None)
            for name, array in arrays.items()
        ]
        yield pa.RecordBatch.from_arrays(
            [pa.ListArray.from_arrays(offsets, value) for value in values], names=list(arrays)
        )


def tensor_adapter_config(kinds: Mapping[str, str]) -> tensor_adapter.TensorAdapterConfig:
    """Describe to TFT how the batches of `read_list_batches` become tensors of shape (rows, 1)."""
    arrow = {INT: pa.int64(), FLOAT: pa.float32(), STRING: pa.binary()}
    return tensor_adapter.TensorAdapterConfig(
        pa.schema([(name, pa.list_(arrow[kind])) for name, kind in kinds.items()]),
        {
            name: schema_pb2.TensorRepresentation(
                dense_tensor=schema_pb2.TensorRepresentation.DenseTensor(
                    column_name=name,
                    shape=schema_pb2.FixedShape(dim=[schema_pb2.FixedShape.Dim(size=1)]),
                )
            )
            for name in kinds
        },
    )
