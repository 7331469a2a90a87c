"""The analysis as a Beam pipeline: TFT's own, fed by readers of span files."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import tensorflow_transform.beam as tft_beam
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx_bsl.tfxio import tensor_adapter

from ..lib.engine.pipelines import open_engine
from ..lib.engine.places import worker_files
from ..lib.engine.user_code import SentFunction, sent_by_value
from ..lib.engine.work_items import WorkItems
from ..lib.examples import SpanPart
from ..lib.features import FLOAT, INT, STRING, to_arrays
from ..lib.uris import join
from .shared_files import WriteGraph, files_shared, read_graph


def analyse_on_beam(
    preprocess: Callable,
    kinds: Mapping[str, str],
    parts: Sequence[SpanPart],
    folder: str,
    module: str,
    module_source: str,
    beam_args: Sequence[str],
) -> None:
    """Analyse spans with TFT on Beam, and write the transform graph.

    Args:
        preprocess: The user's preprocessing_fn.
        kinds: Columns that it uses, with their kinds.
        parts: The spans' rows.
        folder: Local folder for the transform graph.
        module: Importable module of the user's code, from which workers elsewhere load it.
        module_source: Text of the user's code, in place of `module`.
        beam_args: Arguments of the Beam pipeline; none runs it in this process.
    """
    files = worker_files(parts)
    with open_engine("transform_features", beam_args, [file.uri for file in files]) as engine:
        # Workers on this machine may be processes of their own, too.
        sent = SentFunction(module, module_source, "preprocessing_fn") if beam_args else preprocess
        if engine.is_here:
            with (
                tft_beam.Context(temp_dir=engine.folder),
                sent_by_value(module_source),
                engine.pipeline() as pipeline,
            ):
                _analyse(pipeline, sent, kinds, files) | tft_beam.WriteTransformFn(folder)
            return
        graph = join(engine.folder, "graph")
        with (
            files_shared(engine.folder),
            sent_by_value(module_source),
            engine.pipeline() as pipeline,
        ):
            _analyse(pipeline, sent, kinds, files) | WriteGraph(graph)
        read_graph(graph, folder)


def _analyse(
    pipeline: beam.Pipeline,
    preprocess: Callable,
    kinds: Mapping[str, str],
    files: Sequence[SpanPart],
) -> Any:
    # Readers, not rows, are what the pipeline is built from: rows given to Create are pickled and compressed with the
    # graph, which took 39 of 59 s on a year of flights.
    batches = (
        pipeline | "Files" >> WorkItems(files) | "Read" >> beam.FlatMap(read_list_batches, kinds)
    )
    return (batches, tensor_adapter_config(kinds)) | tft_beam.AnalyzeDataset(preprocess)


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
