"""Scored rows that Beam's workers keep for the task, which compares the models by them: files of a bounded size."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from zlib import crc32

import numpy as np
import pyarrow as pa

from ..lib.errors import RetrainerError
from ..lib.evaluation.scores import Scores
from ..lib.uris import filesystem, join, read_bytes, write_atomic

MOST_PREDICTIONS = 20_000_000
"""Predictions of both models that come back: 10 million rows of models with one output, about 300 MB in memory. From
more rows a sample is drawn, whose intervals are still those of its rows: narrower than any margin by then."""
SEED = 1
"""The sample is drawn with a fixed seed, so that the same rows give the same intervals."""

_LABEL, _WEIGHT, _PREDICTION, _SLICE = "label:", "weight", "prediction:", "slice:"


@dataclass(frozen=True)
class KeptRows:
    """Where workers write scored rows, and which.

    Attributes:
        uri: The folder.
        share: The share of the rows that is kept, drawn at random; 1: all.
        query: Column that metrics are grouped by, whose queries are drawn whole; empty: rows are drawn.
    """

    uri: str
    share: float = 1.0
    query: str = ""

    @classmethod
    def at(cls, uri: str, rows: int, predictions: int, queries: Sequence[str] = ()) -> "KeptRows":
        """Keep as many rows as fit.

        Args:
            uri: The folder.
            rows: How many there are.
            predictions: How many numbers the models return for each.
            queries: Columns that metrics are grouped by.

        Raises:
            RetrainerError: If a sample would have to hold whole queries by two columns.
        """
        share = min(1.0, MOST_PREDICTIONS / max(rows * predictions, 1))
        if share < 1 and len(queries) > 1:
            raise RetrainerError(
                f"gate.require_significance compares {rows:,} rows by a sample, which can't hold whole queries by "
                f"{' and '.join(queries)} at once. Compare by the metrics of one query_key: "
                "gate.require_significance.metrics."
            )
        return cls(uri, share, "".join(queries[:1]))

    def write(self, scores: Scores, file: int, batch: int) -> None:
        """Write the rows of a batch; a worker that does it again writes the same.

        Args:
            scores: The rows.
            file: Number of the file that they are from.
            batch: Number of the batch in that file.
        """
        if self.share < 1:
            draw = (
                _draw_queries(scores.slices[self.query])
                if self.query
                else np.random.default_rng([SEED, file, batch]).random(scores.rows)
            )
            scores = scores.of(draw < self.share)
        if not scores.rows:
            return
        columns = {}
        for output, of_output in scores.by_output.items():
            columns[_LABEL + output] = _to_lists(of_output.label)
            for name, values in of_output.predictions.items():
                columns[f"{_PREDICTION}{name}:{output}"] = _to_lists(values)
        if scores.weight is not None:
            columns[_WEIGHT] = pa.array(scores.weight)
        for name in scores.slices.column_names:
            columns[_SLICE + name] = scores.slices[name].combine_chunks()
        table = pa.table(columns)
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        write_atomic(join(self.uri, f"{file:06}-{batch:06}.arrow"), sink.getvalue().to_pybytes())

    def read(self) -> Scores | None:
        """Read all rows in the order that they have in the examples, whichever worker wrote them; None without any."""
        parts = [_scores(table) for table in self._tables()]
        return Scores.concatenate(parts) if parts else None

    def _tables(self) -> Iterator[pa.Table]:
        fs, path = filesystem(self.uri)
        if not fs.exists(path):
            return
        for name in sorted(one.rpartition("/")[2] for one in fs.find(path)):
            if name.endswith(".arrow"):
                yield pa.ipc.open_stream(read_bytes(join(self.uri, name))).read_all()


def _draw_queries(column: pa.ChunkedArray) -> np.ndarray:
    """Draw a number between 0 and 1 for each query: a digest of its name, so that all workers draw the same."""
    encoded = column.combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    drawn = [crc32(str(name).encode()) / 2**32 for name in encoded.dictionary.to_pylist()]
    return np.array(drawn)[encoded.indices.to_numpy(zero_copy_only=False)]


def _scores(table: pa.Table) -> Scores:
    names = table.column_names
    weight = table[_WEIGHT].to_numpy() if _WEIGHT in names else None
    outputs = [name.removeprefix(_LABEL) for name in names if name.startswith(_LABEL)]
    slices = _slices(table)

    def predictions(output: str) -> dict[str, np.ndarray]:
        found = {}
        for name in names:
            model, _, of = name.removeprefix(_PREDICTION).partition(":")
            if name.startswith(_PREDICTION) and of == output:
                found[model] = _to_numbers(table[name])
        return found

    return Scores.of_outputs(
        {
            output: Scores(_to_numbers(table[_LABEL + output]), predictions(output), weight, slices)
            for output in outputs
        }
    )


def _to_lists(values: np.ndarray) -> pa.Array:
    """Lay predictions out as a column: numbers, or lists of one length for several outputs."""
    if values.ndim == 1:
        return pa.array(values)
    return pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), values.shape[1])


def _to_numbers(column: pa.ChunkedArray) -> np.ndarray:
    if not pa.types.is_fixed_size_list(column.type):
        return column.to_numpy()
    width = column.type.list_size
    return column.combine_chunks().flatten().to_numpy().reshape(-1, width)


def _slices(table: pa.Table) -> pa.Table:
    names = [name for name in table.column_names if name.startswith(_SLICE)]
    return table.select(names).rename_columns([name.removeprefix(_SLICE) for name in names])
