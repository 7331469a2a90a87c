"""Rows of BigQuery: Google's own clients read real flights from a server on loopback."""

import decimal
import threading
import time
from datetime import UTC, date, datetime, timedelta

import grpc
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from servers.bigquery import BigQueryServer

from retrainer.components.lib.bigquery import bigquery_sessions as sessions
from retrainer.components.lib.bigquery.bigquery_tables import parse_table
from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.source_files import SourceFile
from retrainer.components.lib.source_rows.sources.base import SourceOptions
from retrainer.components.lib.source_rows.sources.bigquery import BigQuerySource, fill_query
from retrainer.components.lib.spans.span_discovery import find_spans, read_fingerprints

PATTERN = "bq://acme-ml.air.flights_{span:%Y%m}"


@pytest.fixture(scope="module")
def january(months):
    """The flights of January 2013 as BigQuery has them, in an order of their own."""
    return pa.Table.from_pandas(months["2013-01"], preserve_index=False)


@pytest.fixture
def server(monkeypatch):
    with BigQueryServer() as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        yield server


def _source(pattern=PATTERN, number=0, max_bytes=0, **options):
    span = find_spans(pattern)[number]
    return BigQuerySource(
        span.files[0], span.name, SourceOptions(max_bytes_billed=max_bytes, **options)
    )


def _read(source):
    return pa.Table.from_batches([block.batch for block in source.blocks()])


def _in_order(table):
    return table.sort_by([(name, "ascending") for name in table.column_names])


def test_every_row_comes_once_with_its_number(server, january, monkeypatch):
    monkeypatch.setattr(sessions, "BLOCK_BYTES", 1_000_000)
    server.add("flights_201301", january)
    blocks = list(_source().blocks())
    assert len(blocks) > 1
    assert [block.first for block in blocks] == [
        1 + sum(block.batch.num_rows for block in blocks[:index]) for index in range(len(blocks))
    ]
    read = pa.Table.from_batches([block.batch for block in blocks])
    assert read.equals(january)


def test_blocks_are_the_same_each_time_and_however_responses_are_cut(server, january, monkeypatch):
    monkeypatch.setattr(sessions, "BLOCK_BYTES", 1_000_000)
    server.add("flights_201301", january)
    source = _source()
    first = list(source.blocks())
    server.rows_per_response = 333
    again = list(source.blocks())
    assert len(server.sessions) == 1
    assert [block.first for block in again] == [block.first for block in first]
    assert all(one.batch.equals(other.batch) for one, other in zip(first, again, strict=True))
    assert [block.first for block in _source().blocks()] == [block.first for block in first]


def test_blocks_are_of_a_size_that_memory_bears(server, january, monkeypatch):
    monkeypatch.setattr(sessions, "BLOCK_BYTES", 100_000)
    server.add("flights_201301", january)
    blocks = list(_source().blocks())
    sizes = [block.batch.nbytes for block in blocks]
    assert max(sizes) < 150_000
    assert sum(block.batch.num_rows for block in blocks) == len(january)


def test_columns_that_are_left_out_are_never_sent(server, january):
    server.add("flights_201301", january)
    rows = _read(_source(exclude=("tailnum", "flight", "no_such")))
    assert set(rows.column_names) == set(january.column_names) - {"tailnum", "flight"}
    asked = server.sessions[0].read_session.read_options.selected_fields
    assert set(asked) == set(rows.column_names)


def test_a_snapshot_of_a_table_is_read_like_one(server, january):
    server.add("flights_201301", january, kind="SNAPSHOT")
    assert _read(_source()).equals(january)


def test_leaving_every_column_out_is_refused(server):
    server.add("flights_201301", pa.table({"late": [1]}))
    with pytest.raises(RetrainerError, match=r"data\.drop leaves no column of .*flights_201301"):
        _read(_source(exclude=("late",)))


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (grpc.StatusCode.UNAVAILABLE, "try again"),
        (grpc.StatusCode.UNKNOWN, "Stream removed"),
        (grpc.StatusCode.INTERNAL, "Received RST_STREAM with error code 2"),
    ],
)
def test_a_broken_stream_is_taken_up_where_it_broke(server, january, code, message):
    server.add("flights_201301", january)
    server.break_streams(2_000, code, times=6, message=message)
    assert _read(_source()).equals(january)
    assert sum(offset > 0 for _, offset in server.reads) == 6


def test_a_stream_that_is_lost_for_good_is_an_error(server, january):
    server.add("flights_201301", january)
    server.break_streams(1_000, grpc.StatusCode.INTERNAL, message="the session is broken")
    with pytest.raises(
        RetrainerError, match=r"rows of 'bq://.*flights_201301': the session is broken"
    ):
        _read(_source())


def test_rows_are_of_one_moment_and_a_change_meanwhile_shows(server, january):
    server.add("flights_201301", january)
    span = find_spans(PATTERN)[0]
    source = BigQuerySource(span.files[0], span.name, SourceOptions())
    blocks = source.blocks()
    seen = [next(blocks)]
    server.add("flights_201301", january.slice(0, 10), modified=datetime.now(UTC) + timedelta(1))
    seen += blocks
    assert sum(block.batch.num_rows for block in seen) == len(january)
    assert read_fingerprints(span.files) != [span.files[0].fingerprint]
    # A second pass is of the first one's moment.
    assert len(_read(source)) == len(january)


def test_a_table_without_rows_is_named(server, january):
    server.add("flights_201301", january.slice(0, 0))
    with pytest.raises(RetrainerError, match=r"'bq://acme-ml\.air\.flights_201301' has no rows"):
        list(_source().blocks())


def test_excluded_columns_are_reported_and_not_read(server, january):
    server.add("flights_201301", january)
    block = next(_source(exclude=("year", "nowhere")).blocks())
    assert block.batch.schema.names == january.drop(["year"]).column_names
    assert block.excluded == ["year"]


def test_types_come_as_bigquery_gives_them(server):
    table = pa.table(
        {
            "price": pa.array([decimal.Decimal("1.5"), None], pa.decimal128(38, 9)),
            "exact": pa.array([decimal.Decimal("2.25"), None], pa.decimal256(76, 38)),
            "at": pa.array([datetime(1969, 1, 1, tzinfo=UTC), None], pa.timestamp("us", "UTC")),
            "local": pa.array([datetime(2262, 5, 1), None], pa.timestamp("us")),
            "day": pa.array([date(2013, 1, 1), None]),
            "clock": pa.array([1, None], pa.time64("us")),
            "code": pa.array([b"\xff", None]),
            "place": pa.array(["POINT(1 2)", None]),
            "sure": pa.array([True, None]),
            "tags": pa.array([["a"], []]),
            "who": pa.array([{"name": "x"}, None]),
        }
    )
    server.add("flights_201301", table)
    assert _read(_source()).equals(table)


def test_leaving_early_ends_calls_that_say_nothing(server, january, monkeypatch):
    monkeypatch.setattr(sessions, "BLOCK_BYTES", 50_000)
    server.add("flights_201301", january)
    server.break_streams(2_000, None)
    blocks = _source().blocks()
    for _ in range(5):
        next(blocks)
    leaving = threading.Thread(target=blocks.close, daemon=True)
    leaving.start()
    leaving.join(60)
    assert not leaving.is_alive()
    assert not [one.name for one in threading.enumerate() if one.name.startswith("bigquery")]


def test_a_stream_that_falls_silent_is_taken_up(server, january, monkeypatch):
    monkeypatch.setattr(sessions, "CALL_SECONDS", 0.5)
    server.add("flights_201301", january)
    server.break_streams(2_000, None, times=2)
    assert _read(_source()).equals(january)
    assert sum(offset > 0 for _, offset in server.reads) == 2


def test_a_stream_that_never_speaks_is_an_error(server, january, monkeypatch):
    monkeypatch.setattr(sessions, "CALL_SECONDS", 0.5)
    server.add("flights_201301", january)
    server.break_streams(0, None, times=100)
    with pytest.raises(RetrainerError, match=r"rows of 'bq://.*flights_201301'.*Run again"):
        _read(_source())


def test_a_refusal_to_read_names_the_table_and_the_roles(server, january):
    server.add("flights_201301", january)
    source = _source()
    server.denied.add("acme-ml.air.flights_201301")
    with pytest.raises(RetrainerError, match=r"flights_201301.*bigquery\.readSessionUser"):
        _read(source)


def test_a_refusal_of_the_storage_api_is_reported_as_well(server, january, monkeypatch):
    server.add("flights_201301", january)
    source = _source()
    # The table may be seen, and not be read.
    monkeypatch.setattr(server, "_check", lambda *parts: ".".join(parts))
    server.denied.add("acme-ml.air.flights_201301")
    with pytest.raises(RetrainerError, match=r"readsessions\.create.*bigquery\.readSessionUser"):
        _read(source)


def test_a_table_that_was_dropped_meanwhile_is_named(server, january):
    server.add("flights_201301", january)
    server.add("flights_201302", january)
    source = _source()
    del server.tables["acme-ml.air.flights_201301"]
    with pytest.raises(RetrainerError, match=r"does not find the rows of .*flights_201301"):
        _read(source)


def test_an_emulator_of_tables_alone_is_not_mixed_with_the_real_service(
    server, january, monkeypatch
):
    server.add("flights_201301", january)
    source = _source()
    monkeypatch.delenv("BIGQUERY_STORAGE_EMULATOR_HOST")
    with pytest.raises(RetrainerError, match="BIGQUERY_STORAGE_EMULATOR_HOST is not set"):
        _read(source)


# Partitions


def _moments(january):
    hours = pc.cast(january["time_hour"], pa.string()).to_pylist()
    return [datetime.fromisoformat(hour.replace("Z", "+00:00")) for hour in hours]


def _column(january, kind):
    moments = _moments(january)
    if kind == "DATE":
        return pa.array([moment.date() for moment in moments])
    if kind == "DATETIME":
        return pa.array([moment.replace(tzinfo=None) for moment in moments], pa.timestamp("us"))
    return pa.array([moment.astimezone(UTC) for moment in moments], pa.timestamp("us", "UTC"))


PERIODS = {"HOUR": "%Y%m%d%H", "DAY": "%Y%m%d", "MONTH": "%Y%m", "YEAR": "%Y"}


@pytest.mark.parametrize(
    ("kind", "period"),
    [
        *(("DATE", period) for period in ("DAY", "MONTH", "YEAR")),
        *((kind, period) for kind in ("DATETIME", "TIMESTAMP") for period in PERIODS),
    ],
)
def test_a_partition_gives_the_rows_of_its_time(server, january, kind, period):
    sample = january.take(pa.array(range(0, len(january), 40)))
    table = sample.append_column("at", _column(sample, kind))
    made = server.add("flights", table, period=period, column="at")
    ids = pa.array(made.partition_ids())
    spans = find_spans("bq://acme-ml.air.flights${span:" + PERIODS[period] + "}")
    assert [span.name for span in spans] == sorted(set(ids.to_pylist()))
    for span in [*spans[:2], spans[-1]]:
        rows = _read(BigQuerySource(span.files[0], span.name, SourceOptions(exclude=("at",))))
        expected = table.filter(pc.equal(ids, span.name)).drop(["at"])
        assert len(rows) == len(expected) > 0
        assert _in_order(rows).equals(_in_order(expected))


def test_a_partition_by_ingestion_gives_the_rows_that_came_then(server, january):
    table = january.slice(0, 900)
    ingested = pa.array(
        [datetime(2013, 2, 1 + index % 3, tzinfo=UTC) for index in range(len(table))],
        pa.timestamp("us", "UTC"),
    )
    server.add("flights", table, period="DAY", ingested=ingested)
    rows = _read(_source("bq://acme-ml.air.flights${span:%Y%m%d}", 1))
    expected = table.filter(pc.equal(pc.day(ingested), 2))
    assert _in_order(rows).equals(_in_order(expected))


def test_a_partition_by_a_number_gives_the_rows_of_its_range(server, january):
    server.add("flights", january, column="flight", interval=1_000)
    rows = _read(_source("bq://acme-ml.air.flights${span}", 1))
    flight = january["flight"]
    expected = january.filter(pc.and_(pc.greater_equal(flight, 1_000), pc.less(flight, 2_000)))
    assert _in_order(rows).equals(_in_order(expected))


def test_the_last_day_there_is_can_be_a_partition(server):
    table = pa.table({"at": pa.array([date(2013, 1, 1), date(9999, 12, 31)]), "late": [0, 1]})
    server.add("flights", table, period="DAY", column="at")
    rows = _read(_source("bq://acme-ml.air.flights${span:%Y%m%d}", 1))
    assert rows["late"].to_pylist() == [1]


@pytest.mark.parametrize(
    ("made", "partition"),
    [
        ({"column": "flight", "interval": 1_000}, "first"),
        ({"period": "DAY", "column": "at"}, "20131301"),
        ({"period": "DAY", "column": "at"}, "2013010"),
    ],
)
def test_a_partition_that_can_not_be_is_named(server, made, partition):
    table = pa.table({"at": pa.array([date(2013, 1, 1)]), "flight": [7]})
    server.add("flights", table, **made)
    file = SourceFile(f"bq://acme-ml.air.flights${partition}", 1, "")
    with pytest.raises(RetrainerError, match=rf"flights\${partition}' names no partition"):
        list(BigQuerySource(file, partition, SourceOptions()).blocks())


def test_a_table_that_lost_its_partitions_is_named(server):
    server.add("flights", pa.table({"flight": [7]}))
    file = SourceFile("bq://acme-ml.air.flights$20130101", 1, "")
    with pytest.raises(RetrainerError, match="has no partitions any more"):
        list(BigQuerySource(file, "20130101", SourceOptions()).blocks())


# Queries


def test_a_query_makes_the_rows_of_a_span(server, january):
    server.add("flights", _with_day(january), period="DAY", column="at")
    query = (
        "SELECT carrier, distance * 2 AS twice FROM {table} "
        "WHERE day = CAST(substr('{span}', 7) AS INT) ORDER BY distance"
    )
    rows = _read(_source("bq://acme-ml.air.flights${span:%Y%m%d}", 4, query=query))
    fifth = january.filter(pc.equal(january["day"], 5)).sort_by("distance")
    assert rows["twice"].to_pylist() == pc.multiply(fifth["distance"], 2).to_pylist()
    (job,) = [job for job in server.jobs.values() if "twice" in str(job)]
    assert job["configuration"]["labels"] == {"retrainer": "ingest_spans"}


def _with_day(table):
    return table.append_column("at", _column(table, "DATE"))


def test_a_query_that_orders_is_read_in_its_order(server, january):
    server.add("flights_201301", january)
    rows = _read(_source(query="SELECT distance FROM {table} ORDER BY distance"))
    assert rows["distance"].to_pylist() == sorted(january["distance"].to_pylist())


def test_a_retry_finds_the_job_of_the_try_before(server, january):
    server.add("flights_201301", january)
    query = "SELECT carrier FROM {table}"
    first = _read(_source(query=query))
    assert _read(_source(query=query)).equals(first)
    assert len(server.jobs) == 1
    # Other rows or another query are another job.
    server.tables["acme-ml.air.flights_201301"].modified += timedelta(seconds=1)
    _read(_source(query=query))
    _read(_source(query=query + " WHERE day = 1"))
    assert len(server.jobs) == 3


def test_a_job_that_is_under_way_is_waited_for(server, january):
    server.add("flights_201301", january)
    server.polls = 2
    assert len(_read(_source(query="SELECT carrier FROM {table}"))) == len(january)
    (job,) = server.jobs.values()
    job["status"], job["polls"] = {"state": "RUNNING"}, 2
    assert len(_read(_source(query="SELECT carrier FROM {table}"))) == len(january)
    assert len(server.jobs) == 1


@pytest.mark.parametrize("how", ["failed", "old"])
def test_a_job_without_a_result_is_run_again(server, january, how):
    server.add("flights_201301", january)
    _read(_source(query="SELECT carrier FROM {table}"))
    (job,) = server.jobs.values()
    if how == "failed":
        error = {"reason": "stopped", "message": "cancelled"}
        job["status"] = {"state": "DONE", "errorResult": error, "errors": [error]}
    else:
        job["statistics"]["creationTime"] = str(int(time.time() * 1000) - 7 * 3_600_000)
    assert len(_read(_source(query="SELECT carrier FROM {table}"))) == len(january)
    assert len(server.jobs) == 2


def test_a_lost_reply_starts_no_second_job(server, january):
    server.add("flights_201301", january)
    source = _source(query="SELECT carrier FROM {table}")
    server.fail_next(1, status=503, after=True, method="POST", path="/jobs$")
    assert len(_read(source)) == len(january)
    assert len(server.jobs) == 1


def test_a_query_that_would_cost_too_much_is_not_run(server, january):
    server.add("flights_201301", january)
    source = _source(query="SELECT carrier FROM {table}", max_bytes=1_000_000)
    with pytest.raises(RetrainerError, match=r"limit for bytes billed: 1000000\. \d+ or higher"):
        _read(source)
    assert len(_read(_source(query="SELECT carrier FROM {table}", max_bytes=10**8))) > 0


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("SELEC carrier FROM {table}", r"Syntax error.*Fix data\.query"),
        ("SELECT carrier FROM `acme-ml.air.ships` WHERE '{span}' > ''", r"ships.*Fix data\.query"),
        ("CREATE TABLE x{span} (a INT)", r"it must be one SELECT"),
    ],
)
def test_a_query_that_is_wrong_says_so(server, january, query, says):
    server.add("flights_201301", january)
    with pytest.raises(RetrainerError, match=says):
        _read(_source(query=query))


def test_only_what_stands_for_something_is_filled_in():
    table = parse_table("bq://acme-ml.air.flights_201301")
    assert (
        fill_query("SELECT '{x}', r'\\d{2}' FROM {table} WHERE m = '{span}'", table, "201301")
        == "SELECT '{x}', r'\\d{2}' FROM `acme-ml.air.flights_201301` WHERE m = '201301'"
    )


@pytest.mark.parametrize(
    ("uri", "query"),
    [
        ("bq://acme-ml.air.flights_201301", "SELECT * FROM `acme-ml.air.flights`"),
        ("bq://acme-ml.air.flights$20130101", "SELECT * FROM {table}"),
    ],
)
def test_a_query_that_is_the_same_for_every_span_is_refused(uri, query):
    with pytest.raises(RetrainerError, match="the same rows for every span"):
        fill_query(query, parse_table(uri), "20130101")
