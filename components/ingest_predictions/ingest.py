"""Bringing a server's log into the store: a table of predictions for each span of time."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from ..lib.digests import digest_value
from ..lib.predictions.prediction_sets import RECORD_FILE, PredictionSet
from ..lib.predictions.prediction_table import FORMAT
from ..lib.spans.stored_spans import VERSION_DIGITS
from ..lib.store import Store
from ..lib.uris import join, read_json, write_json
from ..lib.words import name_spans, of_spans, plural
from .file_log import FileLog
from .formats import VERTEX, WITHOUT_TIMES
from .log import Log
from .log_files import Survey, read_seen, write_seen
from .logged import LogFile
from .model_columns import find_columns
from .model_names import find_names
from .moments import CLOCK_AHEAD, WITHOUT_TIME, Periods, read_moment, to_microseconds
from .settings import LogSettings
from .span_plan import SpanPlanner
from .span_table import DUPLICATES
from .table_maker import TableMaker
from .vertex_log import VertexLog

# Part of every version: raised when other rows would be made of the same logs.
INGEST_VERSION = 1


@dataclass(frozen=True)
class Ingested:
    """What was ingested.

    Attributes:
        made: The tables that are new, oldest first.
        sets: The newest table of every span that the log has, oldest first.
        verdict: What was ingested, in one sentence.
    """

    made: tuple[PredictionSet, ...]
    sets: tuple[PredictionSet, ...]
    verdict: str

    @property
    def rows(self) -> int:
        """How many rows the tables have."""
        return sum(prediction_set.rows for prediction_set in self.sets)

    @property
    def newest_span(self) -> str:
        """Name of the newest span; empty if there is none."""
        return self.sets[-1].span if self.sets else ""


def ingest(
    store: str,
    settings: LogSettings,
    *,
    schema_uri: str = "",
    now: datetime | None = None,
    artifact: str = "",
) -> Ingested:
    """Ingest what is new in a log, in spans that are over.

    Args:
        store: URI of the store.
        settings: What is read, and how.
        schema_uri: A curated schema, which declares types; empty for the one that is frozen in the store.
        now: When it is; the clock's time if None.
        artifact: Folder for `predictions.json`, which names every span's table; empty for none.

    Returns:
        What was ingested.

    Raises:
        RetrainerError: If no model is in service, the log can't be reached, nothing in it can be read, or a span has
            tables of `predict_batch`.
    """
    settings.check()
    moment = to_microseconds(now or datetime.now(UTC))
    ingested = _ingest(Store(store), settings, schema_uri, moment)
    if artifact:
        write_json(join(artifact, RECORD_FILE), _manifest(ingested))
    return ingested


def _ingest(store: Store, settings: LogSettings, schema_uri: str, now: int) -> Ingested:
    columns = find_columns(store.uri, settings, schema_uri)
    names = find_names(store.uri, settings)
    periods = Periods(settings.period)
    kind = VertexLog if settings.format == VERTEX else FileLog
    log: Log = kind(settings, columns, periods, now)
    made_of = digest_value(
        [
            INGEST_VERSION,
            FORMAT,
            settings.format,
            asdict(settings.mapping),
            sorted(names.versions.items()),
            [settings.unversioned, settings.output, settings.tolerance],
            columns.made_of(),
        ]
    )
    surveys = _survey(store, settings, log)
    since = read_moment(settings.since) if settings.since else None
    planner = SpanPlanner(store, periods, columns.schema(), made_of, settings.wait, since, now)
    plan = planner.plan(surveys)
    first = not plan.there and all(one.replaced is None for one in plan.due)
    maker = TableMaker(store, settings, log, columns, names, periods, made_of, first)
    made = maker.make(plan.due)
    every = {prediction_set.span: prediction_set for prediction_set in (*plan.there, *made)}
    ordered = tuple(every[name] for name in sorted(every))
    verdict = _verdict(
        made,
        len(plan.there),
        surveys,
        plan.unfinished,
        log.note,
        settings.format not in WITHOUT_TIMES,
    )
    return Ingested(tuple(made), ordered, verdict)


def _survey(store: Store, settings: LogSettings, log: Log) -> dict[LogFile, Survey]:
    looked_with = [
        settings.format, settings.uri, settings.period, settings.tolerance, settings.wait,
        settings.mapping.time,
    ]  # fmt: skip
    uri = store.seen_logs_uri(digest_value(looked_with)[:VERSION_DIGITS])
    known = read_seen(uri)
    surveys = log.survey(known)
    found = {file.uri: survey for file, survey in surveys.items()}
    if found != known:
        write_seen(uri, found)
    return surveys


def _verdict(
    made: Sequence[PredictionSet],
    there: int,
    surveys: Mapping[LogFile, Survey],
    open_spans: Sequence[str],
    note: str,
    has_times: bool,
) -> str:
    parts = []
    if made:
        rows = sum(prediction_set.rows for prediction_set in made)
        names = of_spans([prediction_set.span for prediction_set in made])
        parts.append(f"{plural(rows, 'row')} of {names} ingested")
        counts = [
            read_json(join(prediction_set.uri, RECORD_FILE))["counts"] for prediction_set in made
        ]
        quarantined = sum(sum(one["quarantined"].values()) for one in counts)
        errors, copies = (
            sum(prediction_set.errors for prediction_set in made),
            sum(one.get(DUPLICATES, 0) for one in counts),
        )
        clocks = sum(one.get(CLOCK_AHEAD, 0) for one in counts)
        timeless = sum(one.get(WITHOUT_TIME, 0) for one in counts) if has_times else 0
        for count, words in (
            (errors, "without a prediction"), (quarantined, "quarantined"), (copies, "duplicates dropped"),
            (clocks, "with a time later than their file, whose time counts"),
            (timeless, "without a readable time, so their file's time counts"),
        ):  # fmt: skip
            if count:
                parts.append(f"{count:,} {words}")
    elif not surveys:
        parts.append(f"the log is empty{f': {note}' if note else ''}")
    else:
        parts.append("nothing new in the log")
    if there:
        parts.append(f"{plural(there, 'span')} ingested before")
    if open_spans:
        parts.append(f"not over: {name_spans(open_spans)}")
    return "; ".join(parts)


def _manifest(ingested: Ingested) -> dict[str, object]:
    return {
        "format": 1,
        "rows": ingested.rows,
        "errors": sum(prediction_set.errors for prediction_set in ingested.sets),
        "made": [prediction_set.span for prediction_set in ingested.made],
        "sets": [prediction_set.entry() for prediction_set in ingested.sets],
    }
