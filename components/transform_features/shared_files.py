"""TFT's files on workers that share no disk: SavedModels and vocabularies go through a URI that all reach.

TFT writes vocabularies by Beam's filesystems, and SavedModels by TensorFlow's, which knows few object stores. Each
function of TFT that reads or writes a SavedModel on a worker is replaced, while a pipeline is built and run, by one
that works on the worker's own disk and copies. (tensorflow_transform/beam/impl.py, 1.16 and 1.21.)
"""

import json
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import apache_beam as beam
import tensorflow as tf
import tensorflow_transform as tft
from tensorflow_transform import graph_context, impl_helper
from tensorflow_transform.beam import context, impl
from tensorflow_transform.tf_metadata import metadata_io

from ..lib.engine.beam_files import beam_path, plain_uri, replaced, sinks_shared
from ..lib.engine.places import download, upload
from ..lib.uris import filesystem, join, read_json, write_atomic, write_json

_POINTER = "graph.json"
_create = impl._create_v2_saved_model
_infer_metadata = impl._infer_metadata_from_saved_model
_RunMetaGraph = impl._RunMetaGraphDoFn


@contextmanager
def files_shared(uri: str) -> Iterator[None]:
    """Let TFT build and run pipelines whose workers share a URI alone.

    Args:
        uri: Where the files go that one worker writes and another reads.
    """
    shared = beam_path(join(uri, "tft"))
    with tempfile.TemporaryDirectory(prefix="retrainer-tft-") as scratch, ExitStack() as patches:

        def here(cls: Any) -> str:
            # What tracing writes are placeholders of vocabularies, which only this process reads.
            return scratch

        def there(cls: Any) -> str:
            return shared

        for owner, name, value in (
            (context.Context, "create_base_temp_dir", classmethod(there)),
            (graph_context.TFGraphContext, "get_or_create_temp_dir", classmethod(here)),
            (impl, "_create_v2_saved_model", create_saved_model),
            (impl, "_infer_metadata_from_saved_model", infer_metadata),
            (impl, "_RunMetaGraphDoFn", RunMetaGraph),
        ):
            patches.enter_context(replaced(owner, name, value))
        patches.enter_context(sinks_shared())
        yield


@contextmanager
def copied_here(path: str) -> Iterator[str]:
    """Copy a file or folder at a path of Beam's to a local one of the same name, for as long as the block runs."""
    uri = plain_uri(path)
    with tempfile.TemporaryDirectory(prefix="retrainer-tft-") as scratch:
        local = os.path.join(scratch, uri.rstrip("/").rpartition("/")[2])
        fs, inside = filesystem(uri)
        if fs.isfile(inside):
            fs.get_file(inside, local)
        else:
            download(uri, local)
        yield local


def create_saved_model(
    tensor_replacement_map: Mapping[str, Any] | None, base_temp_dir: str, *arguments: Any
) -> str:
    """Write a SavedModel as TFT does, and copy it to where all workers reach it.

    Args:
        tensor_replacement_map: What analyzers found, as tensors; of a vocabulary the path of its file.
        base_temp_dir: The shared folder, as Beam's path.
        *arguments: Further arguments of TFT's function.

    Returns:
        The SavedModel's folder, as Beam's path.
    """
    there = f"{base_temp_dir}/{uuid.uuid4().hex}"
    with ExitStack() as files, tempfile.TemporaryDirectory(prefix="retrainer-tft-") as scratch:
        replaced = {
            name: _local_asset(value, files)
            for name, value in (tensor_replacement_map or {}).items()
        }
        made = _create(
            replaced if tensor_replacement_map is not None else None, scratch, *arguments
        )
        upload(made, plain_uri(there))
    return there


def _local_asset(value: Any, files: ExitStack) -> Any:
    if value.dtype != tf.string or value.shape.rank:
        return value
    path = value.numpy().decode(errors="replace")
    if plain_uri(path) == path:
        return value
    return tf.constant(files.enter_context(copied_here(path)))


def infer_metadata(saved_model_dir: str, *arguments: Any) -> Any:
    """Read the metadata of a SavedModel that another worker wrote."""
    with copied_here(saved_model_dir) as local:
        return _infer_metadata(local, *arguments)


class RunMetaGraph(_RunMetaGraph):  # type: ignore[misc, valid-type]
    """TFT's DoFn that applies a SavedModel, which another worker wrote."""

    def _make_graph_state(self, saved_model_dir: str) -> Any:
        with copied_here(saved_model_dir) as local:
            state = super()._make_graph_state(local)
        # TFT compares it with the path of each later batch.
        state.saved_model_dir = saved_model_dir
        return state


class WriteGraph(beam.PTransform):
    """Writes a transform graph to where the task reads it."""

    def __init__(self, uri: str) -> None:
        """Take the URI of a folder, from which `read_graph` copies it."""
        super().__init__()
        self._uri = uri

    def _extract_input_pvalues(self, transform_fn: Any) -> Any:
        saved_model, metadata = transform_fn
        return transform_fn, [saved_model, metadata.deferred_metadata]

    def expand(self, transform_fn: Any) -> beam.PCollection:
        """Write it."""
        saved_model, metadata = transform_fn
        return (
            saved_model.pipeline
            | "Sole" >> beam.Create([None])
            | "Write"
            >> beam.Map(
                _write_graph,
                beam.pvalue.AsSingleton(saved_model),
                beam.pvalue.AsSingleton(metadata.deferred_metadata),
                metadata.asset_map,
                self._uri,
            )
        )


def _write_graph(
    _: None, saved_model: str, metadata: Any, assets: Mapping[str, str], uri: str
) -> None:
    output = tft.TFTransformOutput
    # Runners work twice on what one of their machines seems to have lost: each try has its own folder.
    attempt = join(uri, uuid.uuid4().hex)
    with (
        tempfile.TemporaryDirectory(prefix="retrainer-tft-") as scratch,
        copied_here(saved_model) as local,
    ):
        described = os.path.join(scratch, output.TRANSFORMED_METADATA_DIR)
        metadata_io.write_metadata(metadata, described)
        if assets:
            write_atomic(os.path.join(described, output.ASSET_MAP), json.dumps(assets))
        upload(scratch, attempt)
        # What TFT keeps there for itself; its own WriteTransformFn leaves it out, too.
        shutil.rmtree(os.path.join(local, impl_helper.METADATA_DIR_NAME), ignore_errors=True)
        upload(local, join(attempt, output.TRANSFORM_FN_DIR))
    write_json(join(uri, _POINTER), attempt)


def read_graph(uri: str, folder: str) -> None:
    """Copy the transform graph that `WriteGraph` wrote to a local folder."""
    download(read_json(join(uri, _POINTER)), folder)
