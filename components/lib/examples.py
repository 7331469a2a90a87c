"""Examples: what a run trains and evaluates on, as a manifest that names immutable span files.

An examples artifact is a folder with one `manifest.json`. The rows stay in the store, ingested once per span.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from .digests import digest_value
from .errors import RetrainerError
from .parquet_reader import open_parquet, present_columns
from .record_format import check_format
from .uris import join, read_json, write_json

MANIFEST = "manifest.json"
FORMAT = 1
TRAIN, EVAL = "train", "eval"
BATCH_ROWS = 65_536


@dataclass(frozen=True)
class SpanPart:
    """The rows of one span that belong to one split.

    Attributes:
        span: The span's name as the pattern found it, such as `2013-04`.
        uri: Folder of the ingested span version.
        part: Which of the span's parts: `all`, or a hash split's `train` or `eval`.
        rows: How many rows.
        files: Parquet files, relative to `uri`.
    """

    span: str
    uri: str
    part: str
    rows: int
    files: tuple[str, ...]

    def one_by_one(self) -> list["SpanPart"]:
        """Return each file as a part by itself; its number of rows is that of the whole part."""
        return [replace(self, files=(file,)) for file in self.files]

    def read_table(self, columns: Sequence[str] | None = None) -> pa.Table:
        """Read the part.

        Args:
            columns: Which columns, all if None. A column that the span lacks is left out.

        Returns:
            A table of `rows` rows.
        """
        return pa.concat_tables([self._read_file(file, columns) for file in self.files])

    def iter_batches(
        self, columns: Sequence[str] | None = None, rows: int = BATCH_ROWS
    ) -> Iterator[pa.RecordBatch]:
        """Read the part batch by batch, within the memory of a few batches.

        Args:
            columns: Which columns, all if None. A column that the span lacks is left out.
            rows: The most rows in a batch.

        Yields:
            Record batches in the order of the rows.
        """
        for name in self.files:
            with open_parquet(join(self.uri, name)) as file:
                yield from file.iter_batches(
                    batch_size=rows, columns=present_columns(file, columns)
                )

    def _read_file(self, name: str, columns: Sequence[str] | None) -> pa.Table:
        with open_parquet(join(self.uri, name)) as file:
            return file.read(columns=present_columns(file, columns))


@dataclass(frozen=True)
class Examples:
    """The splits of one run.

    Attributes:
        label: Name of the label's column.
        splits: Parts of each split, oldest span first. `train` and `eval` are always there.
        spans: Every span in the window, oldest first.
        counts: Rows read, kept and quarantined, by span.
        key: Columns that name an example; not features, but for `key_features`.
        versions: The version of each span.
        replaced: Of spans whose source changed since it was first ingested: the version before this one.
        excluded: Every span that is excluded in the store, whether it would be in the window or not.
        key_features: Columns of the key that are features, too.
        lists: Columns of lists, each cell a JSON list of texts and numbers.
        label_keys: Of models with several outputs, or with several labels for one: the columns of each output's labels,
            by its name; `label` is the first of them. Empty for one label.
        classes: Of columns that number texts: the texts, from 0, by column.
    """

    label: str
    splits: dict[str, tuple[SpanPart, ...]]
    spans: tuple[str, ...]
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    key: tuple[str, ...] = ()
    versions: dict[str, str] = field(default_factory=dict)
    replaced: dict[str, str] = field(default_factory=dict)
    excluded: tuple[str, ...] = ()
    key_features: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()
    label_keys: dict[str, tuple[str, ...]] = field(default_factory=dict)
    classes: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def labels(self) -> tuple[str, ...]:
        """The columns of labels; the first is `label`."""
        others = (name for columns in self.label_keys.values() for name in columns)
        return tuple(dict.fromkeys([self.label, *others]))

    @property
    def outputs(self) -> dict[str, tuple[str, ...]]:
        """The columns of each output's labels, by its name; the only one has none."""
        if len(self.label_keys) < 2:
            return {"": next(iter(self.label_keys.values()), (self.label,))}
        return self.label_keys

    @property
    def bare_key(self) -> tuple[str, ...]:
        """The columns of the key that are no features."""
        return tuple(name for name in self.key if name not in self.key_features)

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> "Examples":
        """Read an examples artifact.

        Args:
            path: The artifact's folder.

        Raises:
            RetrainerError: If it holds no manifest, or one of another format.
        """
        uri = join(str(path), MANIFEST)
        try:
            manifest = read_json(uri)
        except FileNotFoundError as error:
            raise RetrainerError(
                f"there is no examples manifest at '{uri}'. Examples come from ingest_spans."
            ) from error
        check_format(manifest, FORMAT, f"'{uri}'", "Run ingest_spans of the same version.")
        return cls(
            label=manifest["label"],
            splits={
                split: tuple(SpanPart(**{**part, "files": tuple(part["files"])}) for part in parts)
                for split, parts in manifest["splits"].items()
            },
            spans=tuple(manifest["spans"]),
            counts=manifest["counts"],
            key=tuple(manifest["key"]),
            versions=manifest.get("versions", {}),
            replaced=manifest.get("replaced", {}),
            excluded=tuple(manifest.get("excluded", ())),
            key_features=tuple(manifest.get("key_features", ())),
            lists=tuple(manifest.get("lists", ())),
            label_keys={
                name: tuple(columns) for name, columns in manifest.get("label_keys", {}).items()
            },
            classes={name: tuple(texts) for name, texts in manifest.get("classes", {}).items()},
        )

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the manifest into an artifact's folder, which is made if missing."""
        Path(path).mkdir(parents=True, exist_ok=True)
        write_json(join(str(path), MANIFEST), {"format": FORMAT, **asdict(self)})

    @property
    def newest_span(self) -> str:
        """The newest span in the window."""
        return self.spans[-1]

    def span_names(self, split: str) -> tuple[str, ...]:
        """Return the spans of a split, each once, oldest first."""
        return tuple(dict.fromkeys(part.span for part in self.splits[split]))

    def rows(self, split: str) -> int:
        """Count a split's rows."""
        return sum(part.rows for part in self.splits[split])

    @property
    def digest(self) -> str:
        """SHA-256 of the rows of each split: the label, and which parts of which versions of spans.

        A span's version is a digest of its content, so equal rows in equal splits have an equal digest in any store.
        """
        splits = {
            split: [
                [part.span, self.versions.get(part.span), part.part, part.rows] for part in parts
            ]
            for split, parts in self.splits.items()
        }
        content = {"label": self.label, "splits": splits}
        if self.label_keys:
            content["label_keys"] = self.label_keys
        return digest_value(content)

    def read_table(self, split: str, columns: Sequence[str] | None = None) -> pa.Table:
        """Read a whole split.

        Args:
            split: `train` or `eval`.
            columns: Which columns, all if None.

        Returns:
            A table of the split's rows x columns; a column that a span lacks is null there.
        """
        return concat_tables([part.read_table(columns) for part in self.splits[split]])

    def iter_batches(
        self, split: str, columns: Sequence[str] | None = None, rows: int = BATCH_ROWS
    ) -> Iterator[pa.RecordBatch]:
        """Read a split batch by batch; a batch has the columns that its span has.

        Args:
            split: `train` or `eval`.
            columns: Which columns, all if None.
            rows: The most rows in a batch.

        Yields:
            Record batches, oldest span first.
        """
        for part in self.splits[split]:
            yield from part.iter_batches(columns, rows)


def concat_tables(tables: Sequence[pa.Table]) -> pa.Table:
    """Join tables row-wise, filling a column that one lacks with nulls.

    An integer column that is floating point in another table becomes floating point.

    Args:
        tables: At least one.

    Returns:
        One table with every column of any of them.

    Raises:
        RetrainerError: If a column is text in one table and a number in another.
    """
    kinds: dict[str, pa.DataType] = {}
    for table in tables:
        for column in table.schema:
            known = kinds.get(column.name)
            if known is None or pa.types.is_null(known):
                kinds[column.name] = column.type
            elif known != column.type and not pa.types.is_null(column.type):
                if pa.types.is_string(known) or pa.types.is_string(column.type):
                    raise RetrainerError(
                        f"column '{column.name}' is {known} in one span and {column.type} in another. "
                        f"Fix the source, or set the type (data.types: {{{column.name}: text}})."
                    )
                kinds[column.name] = pa.float64()
    schema = pa.schema(list(kinds.items()))
    aligned = []
    for table in tables:
        names = set(table.column_names)
        arrays = [
            # Beyond 2^53 an integer is no exact floating-point number, here as in the statistics.
            table[name].cast(kind, safe=False) if name in names else pa.nulls(len(table), kind)
            for name, kind in kinds.items()
        ]
        aligned.append(pa.Table.from_arrays(arrays, schema=schema))
    return pa.concat_tables(aligned)


def to_list_batch(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Wrap each cell in a list of one, the form that TFDV, TFT and TFMA take.

    Args:
        batch: Columns of n rows; one of lists stays as it is.

    Returns:
        A batch of n rows whose columns are lists; a null cell is a null list.
    """
    columns = []
    of_whole_columns = pa.array(np.arange(len(batch) + 1, dtype=np.int32))
    for column in batch.columns:
        if isinstance(column, pa.ChunkedArray):
            column = column.combine_chunks()
        if pa.types.is_null(column.type):
            # TFDV takes a list of nothing for a list of lists, which no span with values is merged with.
            columns.append(column)
            continue
        if pa.types.is_list(column.type):
            is_text = pa.types.is_string(column.type.value_type)
            columns.append(column.cast(pa.list_(pa.binary())) if is_text else column)
            continue
        if pa.types.is_string(column.type):
            column = column.cast(pa.binary())
        if column.null_count == 0:
            columns.append(pa.ListArray.from_arrays(of_whole_columns, column))
            continue
        valid = column.is_valid().to_numpy(zero_copy_only=False)
        offsets = np.zeros(len(column) + 1, dtype=np.int32)
        np.cumsum(valid, out=offsets[1:])
        # ListArray.from_arrays makes a null list of a null start offset.
        starts = pa.array(offsets, mask=np.append(~valid, False))
        columns.append(pa.ListArray.from_arrays(starts, column.drop_null()))
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)
