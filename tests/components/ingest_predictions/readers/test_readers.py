"""Every format: the same requests and answers become the same rows."""

import base64
import io
import json
import struct
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import google_crc32c
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf
from servers.log_project import NOON, Project, line, row
from tensorflow_serving.apis import prediction_log_pb2

from retrainer.components.ingest_predictions.readers import READERS

SECONDS = 1_793_620_800
"""Noon of the day, in seconds since 1970."""
ASKED = [
    ("r1", [row(), row(1.5, 8, "ÅÄ")], [0.25, 0.75]),
    ("r2", [row(0.0, 9, "DL")], [0.5]),
]


def event(kind: str, request_id: str, body: Any, **more: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0", "id": request_id, "type": f"org.kubeflow.serving.inference.{kind}", "time": NOON,
        "source": "http://localhost:9081/", "endpoint": "default", "inferenceservicename": "flights",
        "data": body, **more,
    }  # fmt: skip


def frame(record: bytes) -> bytes:
    """Write a record of a TFRecord file."""

    def masked(data: bytes) -> bytes:
        crc = google_crc32c.value(data)
        return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)

    length = struct.pack("<Q", len(record))
    return length + masked(length) + record + masked(record)


def parquet(rows: list[dict[str, Any]]) -> bytes:
    stream = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), stream)
    return stream.getvalue()


def predict_log(rows: list[dict[str, Any]], answers: list[float]) -> bytes:
    log = prediction_log_pb2.PredictionLog()
    log.log_metadata.model_spec.version.value = 1
    log.log_metadata.timestamp_secs = SECONDS
    log.log_metadata.sampling_config.sampling_rate = 0.5
    for name, kind in (("distance", tf.float32), ("hour", tf.int64), ("carrier", tf.string)):
        tensor = tf.make_tensor_proto([[one[name]] for one in rows], kind)
        log.predict_log.request.inputs[name].CopyFrom(tensor)
    scores = tf.make_tensor_proto([[one] for one in answers], tf.float32)
    log.predict_log.response.outputs["predictions"].CopyFrom(scores)
    return log.SerializeToString()


def _serve_log(project: Project) -> None:
    project.log("a.jsonl.gz", [line(*one) for one in ASKED])


def _serve_log_v2(project: Project) -> None:
    records = []
    for request_id, rows, answers in ASKED:
        kinds = {"distance": "FP32", "hour": "INT64", "carrier": "BYTES"}
        inputs = [
            {
                "name": name,
                "shape": [len(rows), 1],
                "datatype": kind,
                "data": [one[name] for one in rows],
            }
            for name, kind in kinds.items()
        ]
        output = {
            "name": "predictions",
            "shape": [len(rows), 1],
            "datatype": "FP32",
            "data": answers,
        }
        answer = {"model_name": "flights", "model_version": "1", "outputs": [output]}
        request = json.dumps({"inputs": inputs})
        records.append(line(request_id, request, json.dumps(answer), model_version=None))
    project.log("a.jsonl", records)


def _serve_log_columns(project: Project) -> None:
    records = []
    for request_id, rows, answers in ASKED:
        columns = {name: [[one[name]] for one in rows] for name in rows[0]}
        records.append(
            line(request_id, json.dumps({"inputs": columns}), json.dumps({"outputs": answers}))
        )
    project.log("a.jsonl", records)


def _kserve_events(project: Project) -> None:
    events = []
    for request_id, rows, answers in ASKED:
        body = base64.b64encode(json.dumps({"predictions": answers}).encode()).decode()
        later = NOON.replace("00Z", "00.125Z")
        answer = event("response", request_id, None, time=later, data_base64=body)
        del answer["data"]
        events += [event("request", request_id, {"instances": rows}), answer]
    # The answer of one before its request, and in another file.
    project.log("a.jsonl", [events[0], events[3]])
    project.log("b.jsonl", [events[1], events[2]])


def _kserve_parquet(project: Project) -> None:
    records = []
    for request_id, rows, answers in ASKED:
        bodies = {"request": {"instances": rows}, "response": {"predictions": answers}}
        for kind, body in bodies.items():
            records.append(
                {
                    "url": "http://sink", "contentType": "application/json", "id": request_id,
                    "bytes": base64.b64encode(json.dumps(body).encode()).decode(), "endpoint": "default",
                    "reqType": f"org.kubeflow.serving.inference.{kind}", "inferenceService": "flights",
                }
            )  # fmt: skip
    project.file("a.parquet", parquet(records[:3]), NOON)
    project.file("b.parquet", parquet(records[3:]), NOON)


def _prediction_log(project: Project) -> None:
    content = b"".join(frame(predict_log(rows, answers)) for _, rows, answers in ASKED)
    project.file("a.tfrecord.gz", content)


def _json_lines(project: Project) -> None:
    project.log(
        "a.jsonl",
        [
            {
                "meta": {"id": request_id, "at": SECONDS * 1000, "model": {"version": 1}},
                "x": rows, "y": [{"score": one} for one in answers], "code": "200",
            }
            for request_id, rows, answers in ASKED
        ],
    )  # fmt: skip


def _parquet(project: Project) -> None:
    moment = pa.scalar(SECONDS, pa.int64()).cast(pa.timestamp("s", "UTC")).as_py()
    rows = [
        {
            "request_id": request_id,
            "row": place,
            "occurred_at": moment,
            "prediction": answer,
            **cells,
        }
        for request_id, asked, answers in ASKED
        for place, (cells, answer) in enumerate(zip(asked, answers, strict=True))
    ]
    project.file("a.parquet", parquet(rows))


MAPPING = {
    "request_id": "meta.id", "time": "meta.at", "version": "meta.model.version", "features": "x",
    "predictions": "y", "status": "code",
}  # fmt: skip
CASES: dict[str, tuple[Callable[[Project], None], dict[str, Any]]] = {
    "serve_log": (_serve_log, {}),
    "serve_log of V2": (_serve_log_v2, {}),
    "serve_log of columns": (_serve_log_columns, {}),
    "kserve_events": (_kserve_events, {}),
    "kserve_parquet": (_kserve_parquet, {}),
    "prediction_log": (_prediction_log, {}),
    "json_lines": (_json_lines, {"mapping": MAPPING, "output": "score"}),
    "parquet": (_parquet, {}),
}


def test_every_format_of_files_has_a_case() -> None:
    assert {name.split()[0] for name in CASES} == set(READERS)


@pytest.mark.parametrize("case", CASES)
def test_the_same_requests_become_the_same_rows(project: Project, case: str) -> None:
    write, settings = CASES[case]
    write(project)
    project.ingest(format=case.split()[0], **settings)
    table = project.table()
    rows = sorted(table.to_pylist(), key=lambda one: (one["hour"], one["row"]))
    assert [one["distance"] for one in rows] == [100.5, 1.5, 0.0]
    assert [one["hour"] for one in rows] == [7, 8, 9]
    assert [one["carrier"] for one in rows] == ["UA", "ÅÄ", "DL"]
    assert [one["prediction"] for one in rows] == [0.25, 0.75, 0.5]
    assert [one["row"] for one in rows] == [0, 1, 0]
    assert {one["occurred_at"].isoformat() for one in rows} == {"2026-11-02T12:00:00+00:00"}
    assert {one["status"] for one in rows} == {"ok"}
    assert {one["model_version"] for one in rows} == {1}
    ids = [one["request_id"] for one in rows]
    assert ids == ["r1", "r1", "r2"] if case != "prediction_log" else len(set(ids)) == 2
    assert project.counts()["quarantined"] == {}


def test_kserve_answers_come_late_or_never(project: Project) -> None:
    evening = "2026-11-02T23:59:59Z"
    project.log(
        "1.jsonl",
        [
            event("request", "late", {"instances": [row()]}, time=evening),
            event("request", "never", {"instances": [row()]}),
            event("response", "orphan", {"predictions": [0.5]}),
            event("request", "html", "<html>"),
            event("response", "html", {"predictions": [0.5]}),
            event("ping", "p", {}),
            event("request", "canary", {"instances": [row()]}, endpoint="canary"),
            event("response", "canary", {"predictions": [0.5]}, endpoint="canary"),
        ],
    )
    project.log(
        "2.jsonl",
        [event("response", "late", {"predictions": [0.5]}, time="2026-11-03T00:00:01Z")],
        at="2026-11-03T00:02:00Z",
    )
    project.ingest(format="kserve_events")
    rows = {one["request_id"]: one for one in project.table().to_pylist()}
    assert set(rows) == {"late", "never", "canary"}
    assert rows["late"]["latency_ms"] == 2000.0
    assert (rows["never"]["status"], rows["never"]["error"]) == ("error", "no answer was logged")
    assert (rows["canary"]["variant"], rows["canary"]["model_version"]) == ("canary", None)
    assert project.counts()["quarantined"] == {
        "it is an answer without its request": 1,
        "its payload is no JSON": 1,
        "it is no event of a request or an answer": 1,
    }
    # The day after has that answer alone, which is of the day before.
    assert project.sets("2026-11-03") == []


def test_events_of_the_next_span_do_not_make_a_span_again(project: Project) -> None:
    project.log(
        "1.jsonl",
        [
            event("request", "r1", {"instances": [row()]}, time="2026-11-02T11:59:59Z"),
            event("response", "r1", {"predictions": [0.5]}, time="2026-11-02T12:00:01Z"),
        ],
        at="2026-11-02T12:01:00Z",
    )
    now = datetime(2026, 11, 2, 12, 10, tzinfo=UTC)
    hourly = {"format": "kserve_events", "period": "hour", "wait_seconds": 600}
    assert [one.span for one in project.ingest(now, **hourly).made] == ["2026-11-02T11"]
    later = {"time": "2026-11-02T12:07:00Z"}
    events = [event("request", "r2", {"instances": [row()]}, **later)]
    events.append(event("response", "r2", {"predictions": [0.5]}, **later))
    project.log("2.jsonl", events, at="2026-11-02T12:08:00Z")
    assert project.ingest(now.replace(hour=13, minute=0), **hourly).made == ()
    made = project.ingest(now.replace(hour=13), **hourly).made
    assert [one.span for one in made] == ["2026-11-02T12"]


def test_where_a_clock_is_hours_off_the_sinks_counts(project: Project) -> None:
    wrong = {"time": "2026-11-02T07:00:00Z", "receivedtime": NOON}
    project.log(
        "1.jsonl",
        [
            event("request", "r1", {"instances": [row()]}, **wrong),
            event("response", "r1", {"predictions": [0.5]}, **wrong),
        ],
    )
    project.ingest(format="kserve_events")
    (found,) = project.table().to_pylist()
    assert found["occurred_at"].isoformat() == "2026-11-02T12:00:00+00:00"
    assert found["latency_ms"] is None
    assert project.counts()["clock_differs"] == 1


def test_prediction_logs_of_examples_and_a_torn_file(project: Project) -> None:
    example = tf.train.Example()
    example.features.feature["distance"].float_list.value.append(7.5)
    example.features.feature["hour"].int64_list.value.append(7)
    example.features.feature["carrier"].bytes_list.value.append(b"UA")
    regression, classification, serialized, other = (
        prediction_log_pb2.PredictionLog() for _ in range(4)
    )
    regression.regress_log.request.input.example_list.examples.append(example)
    regression.regress_log.response.result.regressions.add(value=0.125)
    classification.classify_log.request.input.example_list.examples.append(example)
    answer = classification.classify_log.response.result.classifications.add()
    answer.classes.add(label="0", score=0.75)
    answer.classes.add(label="1", score=0.25)
    inputs = tf.make_tensor_proto([example.SerializeToString()])
    serialized.predict_log.request.inputs["examples"].CopyFrom(inputs)
    outputs = serialized.predict_log.response.outputs
    outputs["predictions"].CopyFrom(tf.make_tensor_proto([[0.5]]))
    other.session_run_log.request.feed.add(name="x")
    for one in (regression, classification, serialized, other):
        one.log_metadata.timestamp_secs = SECONDS
    records = [regression, classification, serialized, other]
    content = b"".join(frame(one.SerializeToString()) for one in records)
    project.file("a.tfrecord", content + frame(b"torn")[:-3])
    project.ingest(format="prediction_log")
    table = project.table()
    assert table["prediction"].to_pylist() == [0.125, 0.25, 0.5]
    assert table["distance"].to_pylist() == [7.5] * 3
    assert project.counts()["without_id"] == 3
    assert set(project.counts()["quarantined"].values()) == {1}
    assert len(project.counts()["quarantined"]) == 2


def test_what_is_no_parquet_is_quarantined(project: Project, tmp_path: Path) -> None:
    _parquet(project)
    project.file("b.parquet", b"PAR1 cut off", NOON)
    project.ingest(format="parquet")
    assert project.record()["rows"] == 3
    assert project.counts()["quarantined"] == {"it is cut off": 1}
