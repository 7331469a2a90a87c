"""Tables of BigQuery as spans: Google's own client against a server on loopback."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest
from servers.bigquery import BigQueryServer

from retrainer.components.lib.bigquery.bigquery_tables import parse_table
from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.spans.span_discovery import find_spans, read_fingerprints

ROWS = pa.table({"day": [1, 2, 3], "late": [0, 1, 0]})
DAYS = "bq://acme-ml.air.flights_{span:%Y%m%d}"


@pytest.fixture
def server(monkeypatch):
    with BigQueryServer() as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        yield server


def _hours(*hours):
    begin = datetime(2013, 1, 31, 22, tzinfo=UTC)
    moments = [None if hour is None else begin + timedelta(hours=hour) for hour in hours]
    return pa.array(moments, pa.timestamp("us", "UTC"))


def test_tables_are_spans_in_the_order_of_their_dates(server):
    for name in (
        "flights_20130201",
        "flights_20130131",
        "flights_20131301",
        "flights_new",
        "fares",
    ):
        server.add(name, ROWS)
    spans = find_spans(DAYS)
    assert [span.name for span in spans] == ["20130131", "20130201"]
    (file,) = spans[0].files
    assert file.uri == "bq://acme-ml.air.flights_20130131"
    assert file.size == ROWS.nbytes


def test_day_first_names_are_in_the_order_of_time(server):
    for name in ("f_01022013", "f_02012013"):
        server.add(name, ROWS)
    spans = find_spans("bq://acme-ml.air.f_{span:%d%m%Y}")
    assert [span.name for span in spans] == ["02012013", "01022013"]


def test_a_dataset_of_many_tables_is_listed_page_by_page(server):
    server.page_size = 40
    for number in range(100):
        server.add(f"flights_{number}", ROWS)
    spans = find_spans("bq://acme-ml.air.flights_{span}")
    assert [int(span.name) for span in spans] == list(range(100))
    assert sum(seen.path.endswith("/tables") for seen in server.requests) == 3


def test_several_tables_may_make_one_span(server):
    for name in ("jfk_1", "lga_1", "jfk_2"):
        server.add(name, ROWS)
    spans = find_spans("bq://acme-ml.air.*_{span}")
    assert [[file.uri[-5:] for file in span.files] for span in spans] == [
        ["jfk_1", "lga_1"],
        ["jfk_2"],
    ]


@pytest.mark.parametrize(
    ("period", "pattern", "names"),
    [
        ("HOUR", "%Y%m%d%H", ["2013013122", "2013013123", "2013020100"]),
        ("DAY", "%Y%m%d", ["20130131", "20130201"]),
        ("MONTH", "%Y%m", ["201301", "201302"]),
        ("YEAR", "%Y", ["2013"]),
    ],
)
def test_partitions_are_spans_and_rows_without_a_time_are_none(server, period, pattern, names):
    rows = pa.table({"at": _hours(0, 1, 1, 2, None)})
    server.add("flights", rows, period=period, column="at")
    server.add("other", rows, period="HOUR", column="at")
    spans = find_spans("bq://acme-ml.air.flights${span:" + pattern + "}")
    assert [span.name for span in spans] == names
    assert spans[0].files[0].uri == f"bq://acme-ml.air.flights${names[0]}"
    assert 0 < spans[0].files[0].size <= rows.nbytes


def test_ranges_of_a_number_are_spans_in_their_order(server):
    server.add("flights", pa.table({"id": [5, 1050, 20, 250, None]}), column="id", interval=100)
    spans = find_spans("bq://acme-ml.air.flights${span}")
    assert [span.name for span in spans] == ["0", "200", "1000"]


def test_a_fingerprint_stays_until_rows_change(server):
    server.add("flights_20130131", ROWS)
    files = find_spans(DAYS)[0].files
    assert read_fingerprints(files) == [files[0].fingerprint]
    # Just streamed in, rows change neither the table's number of rows nor its time.
    table = server.tables["acme-ml.air.flights_20130131"]
    table.rows, table.streaming = pa.concat_tables([ROWS, ROWS]), len(ROWS)
    streamed = read_fingerprints(files)
    assert streamed != [files[0].fingerprint]
    table.streaming = 0
    table.modified += timedelta(milliseconds=1)
    assert read_fingerprints(files) not in (streamed, [files[0].fingerprint])


def test_what_is_gone_has_no_fingerprint(server):
    server.add("flights_20130131", ROWS)
    server.add("flights", pa.table({"at": _hours(0, 30)}), period="DAY", column="at")
    files = [
        *find_spans(DAYS)[0].files,
        *(span.files[0] for span in find_spans("bq://acme-ml.air.flights${span:%Y%m%d}")),
    ]
    before = read_fingerprints(files)
    assert before == [file.fingerprint for file in files]
    del server.tables["acme-ml.air.flights_20130131"]
    server.tables["acme-ml.air.flights"].rows = pa.table({"at": _hours(30)})
    assert read_fingerprints(files) == ["", "", before[2]]


def test_files_and_tables_keep_their_order_among_fingerprints(server, tmp_path):
    server.add("flights_20130131", ROWS)
    (tmp_path / "1.csv").write_text("a\n1\n")
    table, file = find_spans(DAYS)[0].files[0], find_spans(str(tmp_path / "{span}.csv"))[0].files[0]
    assert read_fingerprints([file, table]) == [file.fingerprint, table.fingerprint]


def test_an_empty_table_is_a_span_of_no_bytes(server):
    server.add("flights_20130131", ROWS.slice(0, 0))
    assert [(span.name, span.files[0].size) for span in find_spans(DAYS)] == [("20130131", 0)]


@pytest.mark.parametrize("kind", ["VIEW", "MATERIALIZED_VIEW", "EXTERNAL"])
def test_what_cannot_tell_when_its_rows_change_is_refused(server, kind):
    server.add("flights_20130131", ROWS, kind=kind)
    with pytest.raises(RetrainerError, match=rf"flights_20130131' is .* {kind}.*data\.query"):
        find_spans(DAYS)


def test_a_view_that_the_pattern_leaves_out_does_no_harm(server):
    server.add("flights_20130131", ROWS)
    server.add("flights_latest", ROWS, kind="VIEW")
    assert len(find_spans(DAYS)) == 1


def test_a_table_without_partitions_says_what_else_there_is(server):
    server.add("flights", ROWS)
    with pytest.raises(
        RetrainerError, match=r"'acme-ml\.air\.flights' has no partitions.*\{span\}"
    ):
        find_spans("bq://acme-ml.air.flights${span:%Y%m%d}")


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        (
            "bq://acme-ml.sea.ships_{span}",
            r"does not find the dataset 'acme-ml\.sea'.*data\.pattern",
        ),
        ("bq://other.air.flights_{span}", r"does not find the dataset 'other\.air'"),
        ("bq://acme-ml.air.ships${span}", r"does not find .* table 'acme-ml\.air\.ships'"),
        ("bq://acme-ml.air.ships_{span}", r"no table or partition matches"),
    ],
)
def test_what_is_not_there_is_named(server, pattern, says):
    server.add("flights_20130131", ROWS)
    with pytest.raises(RetrainerError, match=says):
        find_spans(pattern)


def test_a_refusal_names_the_roles_and_who_pays(server, monkeypatch):
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "acme-billing")
    server.add("flights_20130131", ROWS)
    server.denied.add("acme-ml.air")
    with pytest.raises(RetrainerError) as raised:
        find_spans(DAYS)
    for part in ("'acme-ml.air'", "Access Denied", "bigquery.dataViewer", "'acme-billing'"):
        assert part in str(raised.value)
    assert "http" not in str(raised.value)


def test_without_credentials_how_to_log_in_is_reported(monkeypatch, tmp_path):
    for name in ("BIGQUERY_EMULATOR_HOST", "GOOGLE_APPLICATION_CREDENTIALS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    with pytest.raises(
        RetrainerError, match=r"no Google credentials.*gcloud auth application-default"
    ):
        find_spans(DAYS)


def test_a_service_that_stumbles_is_asked_again(server):
    server.add("flights_20130131", ROWS)
    server.fail_next(1, status=503, path="/tables$")
    server.fail_next(1, status=500, path="/tables/flights_20130131$")
    assert len(find_spans(DAYS)) == 1


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        ("bq://air.flights_{span}", "must be in the name of a table or of a partition"),
        ("bq://acme-ml.{span}.flights", "must be in the name of a table or of a partition"),
        ("bq://acme-ml.air_{span}.flights", "must be in the name of a table or of a partition"),
        ("bq://acme-ml.air.${span}", "must be in the name of a table or of a partition"),
        (
            "bq://acme-ml.air.flights_{span}$2013",
            "must be in the name of a table or of a partition",
        ),
        ("bq://acme-ml.*.flights_{span}", "may stand in the name of a table"),
        ("bq://acme-ml.air.flights_*${span}", "may stand in the name of a table"),
        ("bq://acme-ml.air.flights", "has 0 '{span}'"),
    ],
)
def test_a_malformed_pattern_says_how_it_should_be(pattern, says):
    with pytest.raises(RetrainerError, match=says):
        find_spans(pattern)


def test_a_marker_beside_a_table_is_refused():
    with pytest.raises(RetrainerError, match=r"the marker is '_SUCCESS'.*data\.marker"):
        find_spans(DAYS, "_SUCCESS")


def test_a_name_is_taken_apart_from_its_end():
    name = parse_table("bq://example.com:shop.air.flights$20130131")
    assert (name.project, name.dataset, name.table) == ("example.com:shop", "air", "flights")
    assert name.partition == "20130131"
    assert name.uri == "bq://example.com:shop.air.flights$20130131"
    with pytest.raises(RetrainerError, match=r"'bq://air\.flights' names no table"):
        parse_table("bq://air.flights")


def test_spans_of_files_load_none_of_google_s_libraries():
    program = (
        "import sys, retrainer.components.lib.spans.span_discovery;"
        "import retrainer.components.lib.source_rows.sources.bigquery;"
        "print([name for name in sys.modules if name.startswith(('google.cloud.', 'google.api_core', 'grpc'))])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
