"""Vertex AI's table of requests and answers in BigQuery."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from servers.bigquery import BigQueryServer
from servers.log_project import NOW, Project, row

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.serving.deployments import (
    Deployment,
    Deployments,
    DeploymentState,
    PlannedVersions,
)
from retrainer.components.lib.serving.interface import Served

URI = "bq://acme-ml.air.request_response_logging"


@pytest.fixture(scope="module")
def server() -> Iterator[BigQueryServer]:
    with BigQueryServer() as started:
        yield started


@pytest.fixture(autouse=True)
def reached(server: BigQueryServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    server.tables.clear()
    server.sessions.clear()


def add(
    server: BigQueryServer, requests: list[tuple[int, str, datetime, list[Any], list[Any]]]
) -> None:
    """Put requests into the table: ID, deployed model, time, instances and predictions."""
    rows = {
        "endpoint": pa.array(["1"] * len(requests)),
        "deployed_model_id": pa.array([one[1] for one in requests]),
        "logging_time": pa.array([one[2] for one in requests], pa.timestamp("us", "UTC")),
        "request_id": pa.array([Decimal(one[0]) for one in requests], pa.decimal128(38, 9)),
        "request_payload": pa.array([_payload(one[3]) for one in requests], pa.list_(pa.string())),
        "response_payload": pa.array([_payload(one[4]) for one in requests], pa.list_(pa.string())),
    }
    server.add("request_response_logging", pa.table(rows))


def _payload(values: list[Any]) -> list[str]:
    return [one if isinstance(one, str) else json.dumps(one) for one in values]


def at(day: int, hour: int = 12) -> datetime:
    return datetime(2026, 11, day, hour, tzinfo=UTC)


def test_instances_are_taken_apart_and_ids_become_versions(
    server: BigQueryServer, project: Project
) -> None:
    project.push()
    plan = PlannedVersions(stable=2)
    for version, deployed in ((1, "4215"), (2, "977")):
        served = Served(traffic={version: 100}, loaded=(version,), ids={deployed: version})
        Deployments(project.store, "vertex").add(
            Deployment(plan, DeploymentState.SERVING, served=served)
        )
    requests = [
        (10**18, "4215", at(2), [row(), row(1.5, 8)], [[0.25], [0.75]]),
        (2, "977", at(2), [{"instances": [row()]}], [{"predictions": [0.5]}]),
        (3, "elsewhere", at(2), [row()], [0.5]),
        (4, "977", at(2), [row()], []),
        (5, "977", at(2), ["<html>"], [0.5]),
        (6, "977", at(3, 0), [row()], [0.125]),
    ]
    add(server, requests)
    ingested = project.ingest(uri=URI, format="vertex")
    assert [one.span for one in ingested.made] == ["2026-11-02", "2026-11-03"]
    table = project.table()
    assert table["request_id"].to_pylist() == [str(10**18)] * 2 + ["2", "3", "4"]
    assert table["model_version"].to_pylist() == [1, 1, 2, None, 2]
    assert table["prediction"].to_pylist() == [0.25, 0.75, 0.5, 0.5, None]
    assert table["status"].to_pylist() == ["ok"] * 4 + ["error"]
    assert project.counts()["quarantined"] == {"its payload is no JSON": 1}
    # Again: only the times are read.
    server.sessions.clear()
    assert project.ingest(uri=URI, format="vertex").made == ()
    (session,) = server.sessions
    assert list(session.read_session.read_options.selected_fields) == ["logging_time"]
    # A late row.
    add(server, [*requests, (7, "977", at(2, 1), [row()], [0.5])])
    assert [one.span for one in project.ingest(uri=URI, format="vertex").made] == ["2026-11-02"]
    assert project.table()["request_id"].to_pylist()[-1] == "7"


def test_only_the_last_month_is_looked_at_unless_since_says_so(
    server: BigQueryServer, project: Project
) -> None:
    requests = [
        (number, "1", datetime(2026, month, 2, tzinfo=UTC), [row()], [0.5])
        for number, month in enumerate((9, 11))
    ]
    add(server, requests)
    made = project.ingest(NOW, uri=URI, format="vertex").made
    assert [one.span for one in made] == ["2026-11-02"]
    made = project.ingest(NOW, uri=URI, format="vertex", since="2026-09-01").made
    assert [one.span for one in made] == ["2026-09-02"]


def test_a_table_that_is_another_or_not_there_is_named(
    server: BigQueryServer, project: Project
) -> None:
    with pytest.raises(
        RetrainerError, match=r"does not find the log.*monitoring\.predictions\.uri"
    ):
        project.ingest(uri=URI, format="vertex")
    server.add("request_response_logging", pa.table({"x": [1]}))
    with pytest.raises(RetrainerError, match="has no column 'logging_time'"):
        project.ingest(uri=URI, format="vertex")
    with pytest.raises(RetrainerError, match="has the format 'vertex', and files have another"):
        project.ingest(uri=URI, format="serve_log")
