"""Scoring a table of BigQuery: Google's own clients read it from a server on loopback."""

import fsspec
import fsspec.config
import pyarrow as pa
import pytest
from servers.bigquery import BigQueryServer
from servers.storage import StorageServer

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.predictions.prediction_sets import list_predictions
from retrainer.components.lib.predictions.prediction_table import read_predictions
from retrainer.components.lib.source_rows.settings import IngestSettings
from retrainer.components.lib.source_rows.sources.options import SourceOptions
from retrainer.components.lib.uris import filesystem
from retrainer.components.predict_batch.predict import predict
from retrainer.components.predict_batch.settings import PredictSettings

ROWS = pa.table(
    {
        "id": pa.array(range(5_000), pa.int64()),
        "carrier": ["UA", "ÅÄ"] * 2_500,
        "hour": pa.array([None, *(number % 24 for number in range(1, 5_000))], pa.int64()),
        "distance": [number / 2 for number in range(5_000)],
        "note": ["x"] * 5_000,
    }
)
TABLES = "bq://acme-ml.air.flights_{span:%Y%m}"


@pytest.fixture
def server(monkeypatch):
    with BigQueryServer() as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        server.add("flights_201301", ROWS)
        server.add("flights_201302", ROWS.slice(0, 10))
        yield server


def settings(query: str = "") -> PredictSettings:
    return PredictSettings(IngestSettings("", key=("id",), source=SourceOptions(query=query)))


def test_a_table_is_scored_and_stored_on_a_bucket(project, server, monkeypatch):
    with StorageServer() as bucket:
        options = {"token": "anon", "endpoint_url": bucket.url}
        monkeypatch.setitem(fsspec.config.conf, "gs", options)
        fs, store = filesystem("gs://acme/store")
        fs.put(project.store, store, recursive=True)
        first = predict(TABLES, "gs://acme/store", settings(), span="201301")
        other = predict(TABLES, "gs://acme/store", settings(), output="gs://acme/scored", window=2)
        assert [(one.span, one.rows, one.errors) for one in other.sets] == [
            ("201301", 5_000, 1),
            ("201302", 10, 1),
        ]
        (found,) = list_predictions("gs://acme/store")
        assert found == first.sets[0]
        assert found.uri.startswith("gs://acme/store/predictions/201301/")
        assert other.sets[0].uri == f"gs://acme/scored/201301/{found.version}"
        table = pa.Table.from_batches(read_predictions(other.sets[0]))
    assert table.equals(pa.Table.from_batches(read_predictions_of(project, server)))
    assert table["id"].to_pylist() == ROWS["id"].to_pylist()
    assert table["occurred_at"][0].as_py().isoformat() == "2013-01-01T00:00:00+00:00"
    assert table["prediction"].to_pylist()[:3] == [None, 1001.5, 3.0]
    assert "note" not in table.column_names
    asked = server.sessions[0].read_session.read_options.selected_fields
    assert list(asked) == ["id", "carrier", "hour", "distance"], "columns that nobody asked for"


def read_predictions_of(project, server):
    """Score the same table into a folder."""
    (found,) = predict(TABLES, project.store, settings(), span="201301").sets
    return list(read_predictions(found))


def test_a_query_is_scored_on_beam_as_in_process(project, server, tmp_path):
    query = settings("SELECT * FROM {table} WHERE id > 4990 ORDER BY id DESC")
    here = predict(TABLES, project.store, query, span="201301", output=str(tmp_path))
    there = predict(
        TABLES, project.store, query, span="201301", beam_args=["--runner=DirectRunner"]
    )
    assert there.rows == 9
    for one in (here, there):
        table = pa.Table.from_batches(read_predictions(one.sets[0]))
        assert table["id"].to_pylist() == list(range(4_999, 4_990, -1))
    assert there.sets[0].version == here.sets[0].version


@pytest.mark.parametrize(
    ("pattern", "query", "says"),
    [
        ("bq://acme-ml.air.buses_{span:%Y%m}", "", "Check predict.pattern (or data.pattern"),
        ("bq://acme-ml.air{span}", "", "(predict.pattern (or data.pattern"),
        (TABLES, "SELECT 1 FROM shop", "predict.query (or data.query"),
        (TABLES, "SELECT * FROM {table} WHERE it", "Fix predict.query (or data.query"),
    ],
)
def test_errors_name_the_settings_of_batch_prediction(project, server, pattern, query, says):
    with pytest.raises(RetrainerError) as error:
        predict(pattern, project.store, settings(query))
    assert says in str(error.value)
    assert str(error.value).count("or data.") == 1
