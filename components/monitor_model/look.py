"""What a look judges: spans of predictions, those before them, and the champion that made them."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from tensorflow_metadata.proto.v0 import schema_pb2

from ..lib.monitoring.reference import Reference, find_or_make_reference
from ..lib.parquet_reader import open_parquet
from ..lib.predictions.joined_sets import JoinedSet
from ..lib.predictions.prediction_sets import PredictionSet
from ..lib.predictions.prediction_table import OK, TableColumns, read_columns, read_predictions
from ..lib.registry.registry import ModelVersion, Registry
from ..lib.schema_file import load_schema
from ..lib.store import Store
from ..lib.uris import join
from .windows import Feed

SCHEMA_FILE = "schema.pbtxt"
SHADOW = "shadow"
_Made = TypeVar("_Made")


class Group(NamedTuple):
    """Rows that have these in common.

    Attributes:
        version: Number of the model version; None if the log does not say it.
        variant: The part that the model played.
        status: `ok` or `error`.
    """

    version: int | None
    variant: str
    status: str


@dataclass(frozen=True)
class Counts:
    """Rows of a span by group: those that were kept, and those that they stand for.

    Attributes:
        rows: Rows of the table.
        requests: Rows before sampling: each counts 1 / sample_rate.
    """

    rows: Mapping[Group, int]
    requests: Mapping[Group, float]


@dataclass(frozen=True)
class Look:
    """What a look judges, and what checks share.

    Attributes:
        store: URI of the store.
        settings: The section `monitoring`, every default filled in.
        now: The time.
        current: The spans that are judged, oldest first.
        earlier: Spans before them, oldest first: what is usual.
        model: The version that is champion now.
        since: When it became champion.
        joined: Predictions with labels, newest span first.
        label: Name of the label's column; empty if unknown.
        evaluation: The section `evaluation`: metrics, slices, thresholds, the weight's column.
        lists: Columns of lists, each cell a JSON list.
        output: Of a model with several outputs the one that is judged; empty for models with one.
        broken: Why the values of a column can't be trusted, by column; found by the checks of kind `data`.
        broken_before: Spans in which the values of a column could not be trusted, by column.
        judged_before: How many rows each span had when it was first judged, by span.
        requests_before: Requests that a span had when it was judged, by the URI of its predictions.
        feed: All spans of predictions.
    """

    store: str
    settings: Mapping[str, Any]
    now: datetime
    current: tuple[PredictionSet, ...]
    earlier: tuple[PredictionSet, ...]
    model: ModelVersion
    since: datetime
    joined: tuple[JoinedSet, ...] = ()
    label: str = ""
    evaluation: Mapping[str, Any] = field(default_factory=dict)
    lists: tuple[str, ...] = ()
    output: str = ""
    broken: Mapping[str, str] = field(default_factory=dict)
    broken_before: Mapping[str, Collection[str]] = field(default_factory=dict)
    judged_before: Mapping[str, int] = field(default_factory=dict)
    requests_before: Mapping[str, float] = field(default_factory=dict)
    feed: Feed = field(default_factory=Feed)
    _shared: dict[Any, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def window(self) -> str:
        """Name of the newest span that is judged; empty without one."""
        return self.current[-1].span if self.current else ""

    def section(self, name: str) -> Mapping[str, Any]:
        """Return a part of the section `monitoring`; empty if it was not given."""
        found: Mapping[str, Any] = self.settings.get(name) or {}
        return found

    def with_broken(self, broken: Mapping[str, str]) -> "Look":
        """Return the same look, with the columns that are broken."""
        return replace(self, broken=dict(broken))

    def share(self, key: Any, make: Callable[[], _Made]) -> _Made:
        """Return what was made under a key before, by any check of the run, else make it."""
        if key not in self._shared:
            self._shared[key] = make()
        made: _Made = self._shared[key]
        return made

    def reference(self) -> Reference:
        """Return the rows that the gate judged the champion on, with its predictions.

        Raises:
            RetrainerError: If they can't be found, or the champion can't score them.
        """
        weight = str(self.evaluation.get("example_weight_key") or "")
        return self.share(
            ("reference",),
            lambda: find_or_make_reference(
                self.store, self.model, self.label, weight, output=self.output
            ),
        )

    @property
    def schema(self) -> schema_pb2.Schema:
        """The schema that the champion was trained with.

        Raises:
            FileNotFoundError: If the version has none.
            RetrainerError: If it can't be read.
        """
        uri = Registry(Store(self.store).models_uri).version_uri(self.model.version)
        return self.share(
            ("schema", self.model.version), lambda: load_schema(join(uri, SCHEMA_FILE))[0]
        )

    def find_schema(self) -> schema_pb2.Schema | None:
        """Return the schema that the champion was trained with; None if its version has none."""
        try:
            return self.schema
        except FileNotFoundError:
            return None

    def columns(self, found: PredictionSet) -> TableColumns:
        """Return which columns of a span are what; of no file, no columns."""

        def read() -> TableColumns:
            for file in found.files:
                with open_parquet(join(found.uri, file)) as parquet:
                    return read_columns(parquet.schema_arrow)
            return TableColumns(predictions=())

        return self.share(("columns", found.uri), read)

    def counts(self, found: PredictionSet) -> Counts:
        """Count the rows of a span by model version, variant and status."""
        return self.share(("counts", found.uri), lambda: _count(found))

    def requests(self, found: PredictionSet) -> float:
        """Return how many rows a span had before sampling, shadows left out: they are copies."""
        if found.uri in self.requests_before:
            return self.requests_before[found.uri]
        counts = self.counts(found).requests
        return float(sum(n for group, n in counts.items() if group.variant != SHADOW))

    def champion_rows(self, found: PredictionSet) -> int:
        """Return how many rows of a span the champion answered."""
        counts = self.counts(found).rows
        return sum(n for group, n in counts.items() if self._is_champions(group))

    def batches(
        self, found: PredictionSet, columns: Sequence[str], of_champion: bool = True
    ) -> Iterator[pa.RecordBatch]:
        """Read rows of a span in order, with bounded memory.

        Args:
            found: The span.
            columns: The table's columns; a column that it lacks is null.
            of_champion: Whether only rows that the champion answered are read, as any variant. Otherwise all requests
                are, answered or not, each once: rows of shadows are left out.

        Yields:
            Record batches with these columns, in this order. A row without a model version counts as the champion's.
        """
        own = ("model_version", "variant", "status")
        for file in found.files:
            with open_parquet(join(found.uri, file)) as parquet:
                there = parquet.schema_arrow
            wanted = [name for name in dict.fromkeys((*own, *columns)) if name in there.names]
            one = replace(found, files=(file,))
            for batch in read_predictions(one, wanted):
                kept = batch.filter(self._mask(batch, of_champion))
                arrays = [
                    kept.column(kept.schema.get_field_index(name))
                    if name in there.names
                    else pa.nulls(kept.num_rows)
                    for name in columns
                ]
                if columns:
                    yield pa.RecordBatch.from_arrays(arrays, names=list(columns))

    def _is_champions(self, group: Group) -> bool:
        return group.status == OK and group.version in (None, self.model.version)

    def _mask(self, batch: pa.RecordBatch, of_champion: bool) -> pa.Array:
        def column(name: str) -> pa.Array:
            return batch.column(batch.schema.get_field_index(name))

        if not of_champion:
            shadow = pc.equal(column("variant"), SHADOW)
            return pc.invert(pc.fill_null(shadow, False))
        version = pc.equal(column("model_version"), self.model.version)
        return pc.and_(pc.fill_null(version, True), pc.equal(column("status"), OK))


def _count(found: PredictionSet) -> Counts:
    rows: Counter[Group] = Counter()
    requests: Counter[Group] = Counter()
    names = ["model_version", "variant", "status", "sample_rate"]
    for batch in read_predictions(found, names):
        if not batch.num_rows:
            continue
        table = pa.Table.from_batches([batch])
        weights = pc.divide(1.0, table.column("sample_rate"))
        table = table.append_column("weight", weights)
        grouped = table.group_by(names[:3]).aggregate([("weight", "count"), ("weight", "sum")])
        for one in grouped.to_pylist():
            group = Group(one["model_version"], one["variant"] or "", one["status"])
            rows[group] += one["weight_count"]
            requests[group] += one["weight_sum"]
    return Counts(dict(rows), {group: float(np.float64(n)) for group, n in requests.items()})
