"""Which spans of a log need a new table, and of which files it is made."""

from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from ..lib.digests import digest_value
from ..lib.parquet_reader import open_parquet
from ..lib.predictions.prediction_sets import (
    INGEST_PREDICTIONS,
    RECORD_FILE,
    PredictionSet,
    check_writer,
    list_predictions,
)
from ..lib.spans.stored_spans import VERSION_DIGITS
from ..lib.store import Store
from ..lib.uris import join, read_json
from .log_files import Survey
from .logged import LogFile
from .moments import Periods

# A bucket answers slowly, and many at once.
_LOOKS_AT_ONCE = 16


@dataclass(frozen=True)
class DueSpan:
    """A span whose table is made.

    Attributes:
        index: Its number.
        name: Its name.
        version: Name of the version.
        files: The files that have rows of it, with the digest of those rows.
        copies: How many rows are left out, since another file has the same ones.
        replaced: The set that was the newest before; None for none.
        carried: Record of that set, if its rows are copied since some of its sources are gone.
    """

    index: int
    name: str
    version: str
    files: Mapping[LogFile, str]
    copies: int
    replaced: PredictionSet | None = None
    carried: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class SpanPlan:
    """What is to do.

    Attributes:
        due: The spans whose tables are made, oldest first.
        there: The newest tables of spans that need none.
        unfinished: Names of spans that are not over.
    """

    due: tuple[DueSpan, ...]
    there: tuple[PredictionSet, ...]
    unfinished: tuple[str, ...]


@dataclass(frozen=True)
class SpanPlanner:
    """Chooses the spans to make.

    Attributes:
        store: The store.
        periods: Spans.
        schema: The tables' schema.
        made_of: Digest of what else makes other rows.
        wait: How long after its end a span is waited for, in microseconds.
        since: Spans that ended before are left out; None for none.
        now: When it is, in microseconds since 1970.
    """

    store: Store
    periods: Periods
    schema: pa.Schema
    made_of: str
    wait: int
    since: int | None
    now: int

    def plan(self, surveys: Mapping[LogFile, Survey]) -> SpanPlan:
        """Choose the spans to make.

        Args:
            surveys: What each file of the log has, by name.

        Raises:
            RetrainerError: If a span has tables of another component.
        """
        indices, unfinished = [], []
        for index in sorted({span for survey in surveys.values() for span in survey.spans}):
            end = self.periods.start(index + 1)
            if self.since is not None and end <= self.since:
                continue
            if end + self.wait > self.now:
                unfinished.append(self.periods.name(index))
            else:
                indices.append(index)
        with ThreadPoolExecutor(_LOOKS_AT_ONCE) as pool:
            planned = list(pool.map(lambda index: self._plan_span(index, surveys), indices))
        return SpanPlan(
            tuple(one for one in planned if isinstance(one, DueSpan)),
            tuple(one for one in planned if isinstance(one, PredictionSet)),
            tuple(unfinished),
        )

    def _plan_span(self, index: int, surveys: Mapping[LogFile, Survey]) -> DueSpan | PredictionSet:
        name = self.periods.name(index)
        files, copies = _files_of(index, surveys)
        digests = set(files.values())
        version = self._version(name, digests)
        sets = list_predictions(self.store.uri, name)
        if not sets:
            return DueSpan(index, name, version, files, copies)
        newest = sets[-1]
        if newest.version == version:
            return newest
        check_writer(self.store.predictions_of_span_uri(name), INGEST_PREDICTIONS)
        record = read_json(join(newest.uri, RECORD_FILE))
        recorded = {source["digest"] for source in record["sources"]}
        if recorded <= digests:
            return DueSpan(index, name, version, files, copies, newest)
        # Logs are deleted after a while, or are written elsewhere: what was read of them stays.
        added = {file: digest for file, digest in files.items() if digest not in recorded}
        if not added or not self._has_our_columns(newest):
            return newest
        together = self._version(name, digests | recorded)
        return DueSpan(index, name, together, added, copies, newest, record)

    def _version(self, span: str, digests: Collection[str]) -> str:
        return digest_value([self.made_of, span, sorted(digests)])[:VERSION_DIGITS]

    def _has_our_columns(self, found: PredictionSet) -> bool:
        with open_parquet(join(found.uri, found.files[0])) as parquet:
            return bool(parquet.schema_arrow.equals(self.schema))


def _files_of(index: int, surveys: Mapping[LogFile, Survey]) -> tuple[dict[LogFile, str], int]:
    """List the files that have records of a span, and count the records that are in two of them."""
    files: dict[LogFile, str] = {}
    digests, copies = set(), 0
    for file, survey in surveys.items():
        rows, digest = survey.spans.get(index, (0, ""))
        digest = f"{digest}{survey.tails.get(index, '')}"
        if digest in digests:
            # The same file under another name.
            copies += rows
        elif digest:
            digests.add(digest)
            files[file] = digest
    return files, copies
