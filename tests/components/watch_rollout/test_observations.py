import os
from datetime import UTC, datetime, timedelta

import fsspec
import numpy as np
import pytest
from servers.answers import Answers

from retrainer.components.lib.serving.rollout_settings import RolloutSettings
from retrainer.components.lib.serving.rollout_state import Promotion, follow
from retrainer.components.watch_rollout.observations import (
    Reading,
    read_observations,
    requests_of,
)
from retrainer.components.watch_rollout.watch import look_at

BEGAN = datetime.now(UTC) - timedelta(minutes=1)


@pytest.fixture
def answers(tmp_path):
    return Answers(tmp_path / "logs")


def _read(answers, seen=None, columns=()):
    pattern = str(answers.folder / "*")
    return read_observations(Reading(pattern, BEGAN, seen or {}, columns), 1, 2)


def test_rows_without_a_version_go_by_their_variant(answers):
    rows = answers.rows(None, 30)
    for number, row in enumerate(rows):
        row["variant"] = ("stable", "canary", "batch")[number % 3]
    answers.write("1.jsonl", rows)
    observed = _read(answers)
    assert list(observed.rows["arm"].value_counts().sort_index()) == [10, 10]
    assert observed.left_out == {"of another version": 10}


def test_rows_sampled_at_larger_rates_are_thinned(answers):
    """A log of every failure and of a tenth of the rest has the failures' true rate."""
    whole = answers.rows(1, 20_000, 0.1)
    logged = []
    for row in whole:
        row["sample_rate"] = 1.0 if row["status"] == "error" else 0.1
        if answers.draw.random() < row["sample_rate"]:
            logged.append(row)
    answers.write("1.parquet", logged)
    requests = requests_of(_read(answers).rows)
    assert requests["failed"].mean() == pytest.approx(0.1, abs=0.03)
    assert 1500 < len(requests) < 2500


def test_rows_without_a_request_or_a_time_are_counted(answers):
    rows = answers.rows(1, 6)
    for row in rows[:2]:
        row["request_id"] = None
    answers.write("1.jsonl", rows)
    lines = (answers.folder / "1.jsonl").read_text().splitlines()
    lines[5] = lines[5].replace("occurred_at", "moment")
    (answers.folder / "1.jsonl").write_text("\n".join(lines) + "\n")
    observed = _read(answers)
    assert len(observed.rows) == 3
    assert observed.left_out == {"without request_id": 2, "without occurred_at": 1}


def test_a_request_of_several_rows_is_one_request(answers):
    rows = answers.rows(2, 3)
    for number, row in enumerate(rows):
        row["request_id"], row["row"], row["latency_ms"] = "one", number, 10.0 * (number + 1)
    rows[1]["status"] = "error"
    answers.write("1.jsonl", rows)
    requests = requests_of(_read(answers).rows)
    assert len(requests) == 1
    assert (requests["failed"][0], requests["latency_ms"][0]) == (1.0, 30.0)


def test_columns_that_a_file_lacks_are_empty(answers):
    rows = [{k: v for k, v in row.items() if k != "latency_ms"} for row in answers.rows(1, 3)]
    answers.write("1.parquet", rows)
    observed = _read(answers, columns=("airline",))
    assert observed.rows["airline"].isna().all()
    assert np.isnan(requests_of(observed.rows)["latency_ms"]).all()


def test_a_folder_that_is_not_there_has_no_rows(answers):
    assert _read(answers).rows.empty


def test_folders_and_files_from_before_the_rollout_are_left_alone(answers):
    answers.write("1.jsonl", answers.rows(1, 3))
    (answers.folder / "archive").mkdir()
    (answers.folder / "old.parquet").write_text("half a file of an earlier rollout")
    (answers.folder / "new.parquet").write_text("half a file")
    hours_ago = (BEGAN - timedelta(hours=6)).timestamp()
    os.utime(answers.folder / "old.parquet", (hours_ago, hours_ago))
    observed = _read(answers)
    assert len(observed.rows) == 3
    assert [path.rpartition("/")[2] for path in observed.unreadable] == ["new.parquet"]


def test_files_on_a_bucket_are_read(answers, tmp_path):
    answers.write("1.parquet", answers.rows(1, 5), answers.rows(2, 5))
    fs = fsspec.filesystem("memory")
    fs.pipe_file(f"/{tmp_path.name}/1.parquet", (answers.folder / "1.parquet").read_bytes())
    pattern = f"memory://{tmp_path.name}/*.parquet"
    assert len(read_observations(Reading(pattern, BEGAN), 1, 2).rows) == 10


def test_labels_count_when_they_come_and_once(answers, tmp_path):
    section = {
        "observations": str(answers.folder / "*"),
        "labels": str(tmp_path / "labels" / "*"),
        "steps": [{"percent": 5.0, "hold_seconds": 0.0, "min_requests": 1.0}],
        "guards": {
            "metric": {
                "label": "y",
                "prediction": "prediction",
                "loss": "absolute",
                "threshold": 0.5,
                "max_loss": 1.0,
                "max_increase": 0.0,
                "min_rows": 50.0,
            }
        },
    }
    settings = RolloutSettings.of(section)
    labels = Answers(tmp_path / "labels")
    now = datetime.now(UTC)
    rollout = follow(None, Promotion(2, 2), settings, "me", BEGAN, served=1)
    rows = answers.write("1.parquet", answers.rows(1, 400), answers.rows(2, 40))

    def look(rollout):
        decision, _ = look_at(rollout, settings, "me", now)
        return decision

    def label(name, rows):
        keyed = [
            # Labels often come from a table whose numbers have another type.
            {"request_id": row["request_id"], "row": float(row["row"]), "y": row["prediction"]}
            for row in rows
        ]
        labels.write(name, keyed)

    waits = look(rollout)
    assert "metric has compared 0 of 50 rows" in waits.waiting[0]
    label("1.parquet", rows)
    waits = look(waits.rollout)
    assert "metric has compared 40 of 50 rows" in waits.waiting[0]
    label("again.parquet", rows)
    waits = look(waits.rollout)
    assert "metric has compared 40 of 50 rows" in waits.waiting[0]
    # Their labels came before them.
    more = answers.rows(1, 20) + answers.rows(2, 20)
    label("2.jsonl", more)
    waits = look(waits.rollout)
    assert "40 of 50" in waits.waiting[0]
    answers.write("2.jsonl", more[:20], more[20:])
    last = look(waits.rollout)
    assert (last.waiting, last.rollout.state) == ((), "promoting")
