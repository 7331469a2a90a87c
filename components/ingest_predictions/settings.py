"""What is read of a server's log, and how. Imports no Arrow, so that settings are checked without it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from ..lib.bigquery.bigquery_tables import is_bigquery
from ..lib.errors import RetrainerError
from ..lib.words import one_of
from .formats import FORMATS, VERTEX
from .log_mapping import LogMapping

PERIODS = ("day", "hour")
CHAMPION, UNKNOWN = "champion", "unknown"
UNVERSIONED = (CHAMPION, UNKNOWN)
_SECTION = "monitoring.predictions"
_SECOND = 1_000_000


@dataclass(frozen=True)
class LogSettings:
    """How a log becomes tables of predictions.

    Attributes:
        uri: Folder, pattern with `*`, or table of BigQuery.
        format: A name of `FORMATS`.
        period: `day` or `hour`: what a span is.
        wait_seconds: How long after its end a span is still waited for: answers on their way, files not yet written.
        clock_seconds: By how much a row's moment may lie after its file's.
        mapping: Where records of JSON Lines and Parquet have what.
        versions: Numbers of the registry by what the log calls a model: a version, an ID, a label or a variant.
        unversioned: What rows are of whose log names no version: `champion`, the one of that moment, or `unknown`.
        output: The output that counts, of a model with several.
        since: Rows before this moment are left out; empty for none.
        key: Columns that identify a row.
        columns: Further columns to keep, beside the key and what the model takes.
        drop: Columns that must not be kept.
        hash: Private columns, replaced by the HMAC-SHA-256 of their text.
        hash_key_env: Environment variable that holds the HMAC key.
        hash_key_file: File that holds it; empty for none.
    """

    uri: str
    format: str = "serve_log"
    period: str = "day"
    wait_seconds: int = 600
    clock_seconds: int = 3600
    mapping: LogMapping = field(default_factory=LogMapping)
    versions: Mapping[str, int] = field(default_factory=dict)
    unversioned: str = CHAMPION
    output: str = ""
    since: str = ""
    key: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    hash: tuple[str, ...] = ()
    hash_key_env: str = "RETRAINER_HASH_KEY"
    hash_key_file: str = ""

    @property
    def wait(self) -> int:
        """`wait_seconds` in microseconds."""
        return int(self.wait_seconds * _SECOND)

    @property
    def tail(self) -> int:
        """How long after a span's end answers of its requests may come, in microseconds.

        Half of `wait`: in the other half the files are written that they stand in.
        """
        return self.wait // 2

    @property
    def tolerance(self) -> int:
        """`clock_seconds` in microseconds."""
        return int(self.clock_seconds * _SECOND)

    def check(self) -> None:
        """Check them.

        Raises:
            RetrainerError: If one is wrong.
        """
        for name, value, known in (
            ("format", self.format, FORMATS),
            ("period", self.period, PERIODS),
            ("unversioned", self.unversioned, UNVERSIONED),
        ):
            if value not in known:
                raise RetrainerError(
                    f"{name} '{value}' is unknown; use {one_of(known)} ({_SECTION}.{name})."
                )
        if not self.uri:
            raise RetrainerError(
                f"nothing says where the logs are. Set {_SECTION}.uri to their folder; what predict_batch wrote "
                "needs no ingest_predictions."
            )
        if (self.format == VERTEX) != is_bigquery(self.uri):
            raise RetrainerError(
                f"the log '{self.uri}' has the format '{self.format}' ({_SECTION}.format). A table of BigQuery, "
                f"bq://project.dataset.table, has the format '{VERTEX}', and files have another."
            )
        for name in ("wait_seconds", "clock_seconds"):
            if getattr(self, name) < 0:
                raise RetrainerError(
                    f"{name} is {getattr(self, name)}; it must be 0 or more ({_SECTION}.{name})."
                )
        if self.since:
            try:
                datetime.fromisoformat(self.since)
            except ValueError as error:
                raise RetrainerError(
                    f"since is '{self.since}'; write a date or moment such as \"2026-11-01\" ({_SECTION}.since)."
                ) from error
        for name in self.columns:
            if name in self.drop:
                raise RetrainerError(
                    f"{_SECTION}.columns names '{name}', which data.drop leaves out. Take it out of one of the two."
                )
