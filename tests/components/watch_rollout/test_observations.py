import json
import os
from datetime import UTC, datetime, timedelta, timezone

import fsspec
import numpy as np
import pandas as pd
import pytest
from servers.answers import Answers
from servers.served_predictions import write_predictions

from retrainer.components.lib.serving.rollout_settings import RolloutSettings
from retrainer.components.lib.serving.rollout_state import Promotion, follow
from retrainer.components.lib.store import Store
from retrainer.components.watch_rollout.observations import (
    Reading,
    key_text,
    read_labels,
    read_observations,
    requests_of,
)
from retrainer.components.watch_rollout.watch import join_labels, look_at

# Whole seconds, which a float has exactly.
BEGAN = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=1)


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


def test_the_stores_tables_of_predictions_are_such_whichever_of_their_versions_repeats_a_row(
    tmp_path,
):
    store, (before, hour) = (
        str(tmp_path),
        (f"{BEGAN - timedelta(hours=n):%Y-%m-%dT%H}" for n in (1, 0)),
    )
    columns = {"distance": [1.0] * 50}
    write_predictions(store, before, columns, version=1, failed=3)
    for name in ("v1", "v2"):
        write_predictions(store, hour, columns, version=2, variant="canary", name=name)
    began = datetime.fromisoformat(f"{before}:00").replace(tzinfo=UTC)
    pattern = f"{Store(store).predictions_uri}/*/*/*.parquet"
    observed = read_observations(Reading(pattern, began, {}), 1, 2)
    assert list(observed.rows["arm"].value_counts().sort_index()) == [50, 50]
    assert observed.left_out == {"seen before": 50}
    assert requests_of(observed.rows)["failed"].sum() == 1


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

    labels.folder.mkdir()
    (labels.folder / "half.parquet").write_text("half a file")
    waits = look(rollout)
    assert "metric has compared 0 of 50 rows" in waits.waiting[0]
    assert "labels/half.parquet' can't be read yet" in waits.waiting[1]
    (labels.folder / "half.parquet").unlink()
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


def test_rows_from_the_rollouts_very_begin_on_count_and_those_of_other_versions_do_not(answers):
    rows = answers.rows(2, 4)
    for row, micros in zip(rows, (-1, 0, 1, 2), strict=True):
        row["occurred_at"] = (BEGAN + timedelta(microseconds=micros)).isoformat()
    # The version counts, whatever the variant says.
    rows[3] |= {"model_version": 3, "variant": "canary"}
    answers.folder.mkdir()
    pd.DataFrame(rows).to_parquet(answers.folder / "1.parquet")
    observed = _read(answers)
    assert list(observed.rows["request_id"]) == ["r1", "r2"]
    assert observed.left_out == {"of another version": 1, "before the rollout": 1}


def test_times_of_any_offset_are_moments(answers):
    rows = answers.rows(1, 3)
    moment = BEGAN + timedelta(seconds=5)
    for hours, row in zip((0, 2, -7), rows, strict=True):
        row["occurred_at"] = moment.astimezone(timezone(timedelta(hours=hours))).isoformat()
    answers.folder.mkdir()
    (answers.folder / "1.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    observed = _read(answers)
    assert list(observed.rows["time"]) == pytest.approx([moment.timestamp()] * 3, rel=0, abs=1e-6)
    assert observed.left_out == {}


def test_a_row_that_is_there_twice_is_one_and_one_that_was_counted_is_not_new(answers):
    first = answers.write("1.parquet", answers.rows(1, 3), answers.rows(2, 3))
    seen = _read(answers).seen
    answers.write("2.parquet", first[:2], answers.rows(2, 1))
    again = _read(answers, seen)
    assert (int(again.rows["_new"].sum()), again.left_out) == (1, {"seen before": 2})
    assert len(requests_of(again.rows)) == 1
    # A further row of a request that was counted makes no new request.
    more = [{**first[0], "row": 1}, {**first[0], "row": None, "request_id": "other"}]
    answers.write("3.parquet", more, [{**more[1], "row": 0.0}])
    last = _read(answers, again.seen)
    assert list(requests_of(last.rows)["request_id"]) == ["other"]
    # A row without a place is the first of its request.
    assert last.left_out == {"seen before": 1}


def test_rows_without_a_rate_are_whole_and_only_new_ones_are_thinned(answers):
    whole, tenth = answers.rows(1, 1000), answers.rows(2, 1000)
    for number, row in enumerate(whole):
        row["sample_rate"] = (None, 1.0, 7.0)[number % 3]
    for row in tenth:
        row["sample_rate"] = 0.1
    answers.write("1.parquet", whole)
    every = _read(answers)
    assert (len(every.rows), every.left_out) == (1000, {})
    answers.write("2.parquet", tenth)
    assert len(_read(answers, every.seen).rows) == 2000
    both = _read(answers)
    kept = both.rows["arm"].value_counts()
    assert kept[1] == 1000
    assert 60 < kept[0] < 140
    assert both.left_out == {"sampled at a larger rate": 1000 - kept[0]}


def test_a_key_is_the_same_whatever_type_a_file_has_it_in():
    assert list(key_text(pd.Series([7.0, None]))) == ["7", ""]
    assert list(key_text(pd.Series([7]))) == list(key_text(pd.Series(["7"]))) == ["7"]


def test_a_file_counts_from_an_hour_before_the_rollout_on(answers):
    """The clocks of machines differ by less."""
    for name, seconds in (("1.jsonl", 3599), ("2.jsonl", 3601)):
        answers.write(name, answers.rows(1, 3))
        at = BEGAN.timestamp() - seconds
        os.utime(answers.folder / name, (at, at))
    (answers.folder / "empty.jsonl").write_text("\n")
    observed = _read(answers)
    assert [path.rpartition("/")[2] for path in observed.seen] == ["1.jsonl"]
    assert observed.unreadable == {}


def test_a_row_and_its_label_are_a_pair_once_one_of_them_is_new(answers):
    answers.write("1.parquet", answers.rows(1, 2), answers.rows(2, 2))
    folder = answers.folder.parent / "labels"
    labels = Answers(folder)
    keyed = [{"request_id": f"r{number}", "row": 0.0, "y": 1.0} for number in range(3)]
    labels.write("1.jsonl", [*keyed, {**keyed[0], "y": 5.0}, {"request_id": "r3", "row": 0.0}])
    key = ("request_id", "row")
    # Labels may be older than the rollout: those of a table that is written once.
    os.utime(folder / "1.jsonl", (0, 0))

    def pairs(seen, labels_seen):
        observed = _read(answers, seen)
        found = read_labels(Reading(str(folder / "*"), BEGAN, labels_seen, (*key, "y"), key))
        return join_labels(observed, found, key), observed.seen, found.seen

    joined, seen, labels_seen = pairs({}, {})
    assert sorted(joined["request_id"]) == ["r0", "r1", "r2"]
    # The first of two labels counts.
    assert set(joined["y"]) == {1.0}
    assert [len(pairs(*one)[0]) for one in ((seen, {}), ({}, labels_seen))] == [3, 3]
    assert pairs(seen, labels_seen)[0].empty
