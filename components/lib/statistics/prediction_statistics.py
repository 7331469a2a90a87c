"""Statistics of a span of predictions: what was asked and what was answered, made once and kept beside the span."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress

import pyarrow as pa
import pyarrow.compute as pc
import tensorflow_data_validation as tfdv

from ..digests import digest_value
from ..examples import SpanPart
from ..parquet_reader import open_parquet
from ..predictions.prediction_sets import PredictionSet
from ..predictions.prediction_table import OK, TableColumns, read_columns
from ..threads import cores, ordered_map
from ..uris import join, read_bytes, write_atomic
from .part_reader import PartReader
from .sketch_threads import sketch_batch
from .sketches import BLOCK_COLUMNS, AccumulatorMerge, SketchSettings
from .statistics_artifact import Statistics, parse_statistics
from .tfdv_extract import extract, join_columns

FINE = SketchSettings({"num_quantiles_histogram_buckets": 200, "epsilon": 0.005})
"""Finer than TFDV's defaults: distances of the whole distribution need more than ten quantiles."""
SHADOW = "shadow"
"""The variant whose rows are copies of requests that another model answered."""
_VERSION = 1
_OWN = ("status", "variant", "model_version")


def table_columns(found: PredictionSet) -> TableColumns:
    """Read which columns of a set of predictions are what; of a set without files, none."""
    for file in found.files:
        with open_parquet(join(found.uri, file)) as parquet:
            return read_columns(parquet.schema_arrow)
    return TableColumns(predictions=())


def input_statistics(found: PredictionSet) -> Statistics:
    """Return the statistics of what a span's models were asked, each request once: shadows are left out.

    They are of the columns that the model is sent, or of all but the key where the table does not say which these are.

    Args:
        found: The span.

    Returns:
        TFDV's statistics, by the data's names; do not modify them.
    """
    columns = table_columns(found)
    chosen = list(columns.features) or [name for name in columns.inputs if name not in columns.key]
    wanted = {columns.inputs[name]: name for name in chosen if name in columns.inputs}
    key = digest_value([_VERSION, "inputs", sorted(wanted.items())])[:12]

    def make() -> Statistics:
        made = _statistics(found, list(wanted), _is_request)
        for feature in made.datasets[0].features:
            feature.path.step[0] = wanted[feature.path.step[0]]
        return made

    return _kept(join(found.uri, f"inputs-{key}-tfdv{tfdv.__version__}.pb"), make)


def output_statistics(found: PredictionSet, model_version: int | None) -> Statistics:
    """Return the statistics of what one version of the model answered, shadows left out.

    Args:
        found: The span.
        model_version: The version; rows that do not name theirs count as its.

    Returns:
        TFDV's statistics of the table's columns of predictions; do not modify them.
    """
    columns = table_columns(found).predictions
    key = digest_value([_VERSION, "outputs", model_version, list(columns)])[:12]

    def is_of_version(batch: pa.RecordBatch) -> pa.Array:
        version = pc.equal(batch.column("model_version"), model_version)
        return pc.and_(_is_request(batch), pc.fill_null(version, True))

    return _kept(
        join(found.uri, f"outputs-{key}-tfdv{tfdv.__version__}.pb"),
        lambda: _statistics(found, columns, is_of_version),
    )


def _is_request(batch: pa.RecordBatch) -> pa.Array:
    shadow = pc.fill_null(pc.equal(batch.column("variant"), SHADOW), False)
    return pc.and_(pc.invert(shadow), pc.equal(batch.column("status"), OK))


def _kept(uri: str, make: Callable[[], Statistics]) -> Statistics:
    """Read statistics that are kept, or make and keep them; damaged ones are made again."""
    with suppress(FileNotFoundError, ValueError):
        return parse_statistics(read_bytes(uri))
    made = make()
    # In a read-only store they are made each time.
    with suppress(PermissionError):
        write_atomic(uri, made.SerializeToString(deterministic=True), durable=False)
    return made


def _statistics(
    found: PredictionSet, columns: Sequence[str], chosen: Callable[[pa.RecordBatch], pa.Array]
) -> Statistics:
    """Sketch some columns of the chosen rows, within the memory of a few batches and columns."""
    part = SpanPart(found.span, found.uri, "all", found.rows, found.files)
    starts = range(0, max(1, len(columns)), BLOCK_COLUMNS)
    _ = FINE.generators
    with ExitStack() as files, ThreadPoolExecutor(cores()) as pool:
        reader = PartReader(part, files)
        blocks = [
            _block(pool, _rows(reader, columns[start : start + BLOCK_COLUMNS], chosen))
            for start in starts
        ]
    return join_columns(blocks)


def _rows(
    reader: PartReader, columns: Sequence[str], chosen: Callable[[pa.RecordBatch], pa.Array]
) -> Iterator[pa.RecordBatch]:
    for batch in reader.batches(tuple(dict.fromkeys((*_OWN, *columns)))):
        rows = batch.filter(chosen(batch))
        if rows.num_rows:
            arrays = [rows.column(name) for name in columns]
            yield pa.RecordBatch.from_arrays(arrays, names=list(columns))


def _block(pool: ThreadPoolExecutor, batches: Iterable[pa.RecordBatch]) -> Statistics:
    merging = AccumulatorMerge(FINE)
    for sketched in ordered_map(pool, lambda rows: sketch_batch(rows, FINE), batches, cores()):
        merging.add(sketched)
    return extract(merging.result(), FINE.generators)
