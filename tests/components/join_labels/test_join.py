"""Joining: which label finds which prediction, what is counted, and what a second look costs."""

import json
import shutil
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from retrainer.components import join_labels as join_labels_face
from retrainer.components.join_labels import join, span_join
from retrainer.components.join_labels.join import join_labels
from retrainer.components.join_labels.label_rows import NO_TIME, parse_times
from retrainer.components.join_labels.settings import LabelSettings
from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.predictions.joined_sets import list_joined, newest_joined
from retrainer.components.lib.predictions.joined_table import LABELLED_AT, WEIGHT, read_joined
from retrainer.components.lib.predictions.prediction_table import read_columns
from retrainer.components.lib.source_rows.pseudonymize import hash_column
from retrainer.components.lib.spans.exclusions import exclude
from tests.servers.bigquery import BigQueryServer
from tests.servers.reference_rows import write_span

from .conftest import DAY, NOW, Project, labels_of


def test_labels_find_their_requests_over_spans_and_new_ones_make_a_new_set(
    project: Project,
) -> None:
    project.predict(0, ["a", "b", "c"])
    project.predict(1, ["d", "e"])
    project.label("1.jsonl", [{"request_id": "a", "late": 1}, {"request_id": "d", "late": 0.0}])
    first = project.join()
    assert [labels_of(one) for one in first.sets] == [{"a": 1.0}, {"d": 0.0}]
    assert "2 of 5 predictions of 2 spans have their label (40 %); 2 of 2 spans" in first.verdict
    files = {path: path.read_bytes() for path in Path(project.store, "joined").rglob("*.parquet")}
    again = project.join()
    assert (again.made, [one.version for one in again.sets]) == (
        0,
        [one.version for one in first.sets],
    )
    project.label("2.jsonl", [{"request_id": "b", "late": 1, "row": 0}])
    later = project.join()
    # Only the span that a label came for is written again.
    assert later.made == 1
    assert labels_of(later.sets[0]) == {"a": 1.0, "b": 1.0}
    assert later.sets[1].version == first.sets[1].version
    assert all(path.read_bytes() == content for path, content in files.items())
    newest = {one.span: one for one in list_joined(project.store)}
    assert newest["2026-03-01"].version == later.sets[0].version
    coverage = later.sets[0].coverage
    assert [(one.start, one.end) for one in coverage] == [
        ("2026-03-01T12:00:00+00:00", "2026-03-01T13:00:00+00:00")
    ]
    assert (coverage[0].rows, coverage[0].labelled) == (3, 2)


def test_equal_inputs_are_not_read_again(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.predict(0, ["a", "b"])
    project.label("1.jsonl", [{"request_id": "a", "late": 1}])
    first = project.join()
    monkeypatch.setattr(join, "read_keys", lambda *_: pytest.fail("read"))
    again = project.join()
    assert (again.sets, again.labels) == (first.sets, first.labels)


def test_a_join_that_was_killed_half_way_leaves_nothing_and_is_made_the_same(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.predict(0, ["a", "b"])
    project.label("1.jsonl", [{"request_id": "a", "late": 1}])
    whole = project.join().sets[0]
    content = Path(whole.uri, whole.files[0]).read_bytes()
    shutil.rmtree(Path(project.store, "joined"))

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(span_join, "publish_folder", killed)
        with pytest.raises(KeyboardInterrupt):
            project.join()
    assert list_joined(project.store) == []
    # As a copy to a bucket that was cut off: files without the record.
    Path(whole.uri).mkdir(parents=True)
    Path(whole.uri, whole.files[0]).write_bytes(b"half")
    again = project.join().sets[0]
    assert again.version == whole.version
    assert Path(again.uri, again.files[0]).read_bytes() == content


def test_duplicates_conflicts_and_unknown_labels_are_counted_and_the_newest_wins(
    project: Project,
) -> None:
    project.predict(0, ["a", "b", "c"])
    project.label(
        "1.jsonl",
        [
            {"request_id": "a", "late": 1, "at": "2026-03-02T10:00:00Z"},
            {"request_id": "a", "late": 1, "at": "2026-03-02T10:00:00Z"},
            {"request_id": "b", "late": 0, "at": "2026-03-02T12:00:00+02:00"},
            {"request_id": "zzz", "late": 0, "at": "2026-03-02T10:00:00Z"},
            {"request_id": None, "late": 0, "at": "2026-03-02T10:00:00Z"},
            {"request_id": "c", "late": None, "at": None},
            {"request_id": "c", "late": "soon", "at": None},
        ],
    )
    # An older label in a newer file.
    project.label("2.jsonl", [{"request_id": "b", "late": 1, "at": "2026-03-02T09:00:00Z"}])
    done = project.join(labelled_at="at")
    assert labels_of(done.sets[0]) == {"a": 1.0, "b": 0.0}
    counts = done.sets[0].counts
    assert (counts["duplicates"], counts["conflicts"]) == (1, 1)
    assert done.labels["unknown"] == 1
    assert (done.labels["missing"], done.labels["unreadable"], done.labels["without_key"]) == (
        1,
        1,
        1,
    )
    assert "1.jsonl" in done.labels["examples"][0]
    assert "1 label contradicted by a newer one" in done.verdict
    (batch,) = read_joined(done.sets[0], [LABELLED_AT])
    assert [f"{one:%H}" for one in batch[LABELLED_AT].to_pylist()] == ["10", "10"]


def test_without_a_time_the_later_row_of_a_label_wins(project: Project) -> None:
    project.predict(0, ["a"])
    project.label("1.jsonl", [{"request_id": "a", "late": 1}, {"request_id": "a", "late": 0}])
    assert labels_of(project.join().sets[0]) == {"a": 0.0}
    project.label("2.jsonl", [{"request_id": "a", "late": 1}])
    assert labels_of(project.join().sets[0]) == {"a": 1.0}


def test_labels_before_their_predictions_are_counted_and_used_only_by_request(
    project: Project,
) -> None:
    """Noon is when the predictions were made; a clock may be five minutes off."""
    project.predict(0, ["a", "b"])
    rows = [
        {"request_id": "a", "flight": "a", "late": 1, "at": "2026-03-01T11:56:00Z"},
        {"request_id": "b", "flight": "b", "late": 1, "at": "2026-03-01T07:00:00"},
    ]
    project.label("1.jsonl", rows)
    by_request = project.join(labelled_at="at").sets[0]
    assert labels_of(by_request) == {"a": 1.0, "b": 1.0}
    assert by_request.counts["early_used"] == 1
    by_key = project.join(labelled_at="at", key=("flight",)).sets[0]
    assert labels_of(by_key) == {"a": 1.0}
    assert by_key.counts["early"] == 1


def test_one_label_for_two_requests_goes_to_the_newest(project: Project) -> None:
    hours = [DAY + timedelta(hours=hour) for hour in (9, 11, 10)]
    project.predict(0, ["a", "b", "c"], at=hours, flight=["x", "x", "y"])
    project.label("1.jsonl", [{"flight": "x", "late": 1}])
    (found,) = project.join(key=("flight",)).sets
    assert labels_of(found) == {"b": 1.0}
    assert found.counts["shared_key"] == 1
    # The other one does not count as a prediction that waits for its label.
    assert sum(one.rows for one in found.coverage) == 2


def test_a_label_of_a_request_with_several_rows_must_name_the_row(project: Project) -> None:
    project.predict(0, ["a", "a", "b"], row=[0, 1, 0])
    project.label("1.jsonl", [{"request_id": "a", "late": 1}, {"request_id": "b", "late": 1}])
    (found,) = project.join().sets
    assert labels_of(found) == {"b": 1.0}
    assert found.counts["ambiguous"] == 1
    project.label("2.jsonl", [{"request_id": "a", "row": 1, "late": 0}])
    (found,) = project.join().sets
    assert labels_of(found) == {"b": 1.0, "a": 0.0}


def test_sampled_logs_are_weighed_and_failed_requests_get_no_label(project: Project) -> None:
    errors = [None, "timeout", None]
    project.predict(0, ["a", "b", "c"], rates=[0.1, 1.0, 1.0], errors=errors)
    project.label("1.jsonl", [{"request_id": one, "late": 1, "w": 2} for one in "abc"])
    (found,) = project.join().sets
    (batch,) = read_joined(found, ["request_id", WEIGHT])
    weights = {row["request_id"]: row[WEIGHT] for row in batch.to_pylist()}
    assert weights == pytest.approx({"a": 10.0, "c": 1.0})
    assert found.coverage[0].weight == pytest.approx(11)
    assert (found.counts["predictions"], found.counts["answered"]) == (3, 2)
    (found,) = project.join(weight="w").sets
    (batch,) = read_joined(found, [WEIGHT])
    assert batch[WEIGHT].to_pylist() == pytest.approx([20.0, 2.0])


def test_keys_are_the_same_in_every_format(project: Project, tmp_path: Path) -> None:
    project.predict(0, ["a", "b", "c"], flight=[7, 8, 9])
    pq.write_table(
        pa.table({"flight": [7.0], "late": [1]}), project.labels / "labels-2026-03-02.parquet"
    )
    project.label("labels-2026-03-03.csv", "flight,late\n8,0\n")
    done = project.join("labels-{span:%Y-%m-%d}.*", key=("flight",))
    assert labels_of(done.sets[0]) == {"a": 1.0, "b": 0.0}
    # A day that ended long before the first prediction is not read.
    project.label("labels-2026-02-01.csv", "no,labels\n")
    assert project.join("labels-{span:%Y-%m-%d}.*", key=("flight",)).labels["read"] == 2


def test_labels_are_those_of_the_ingested_spans_by_the_users_key(project: Project) -> None:
    """The same flights come back in the training data, with their label; a span that was excluded is faulty."""
    project.predict(0, ["a", "b", "c"], flight=["UA1", "UA2", "UA3"])
    for span, flights in (("2026-03-02", ["UA1", "XX9"]), ("2026-03-03", ["UA2"])):
        rows = pa.table(
            {"flight": flights, "late": [1.0] * len(flights), "w": [2.0] * len(flights)}
        )
        write_span(project.store, span, {"all": rows})
    done = project.join("", key=("flight",), weight="w")
    assert labels_of(done.sets[0]) == {"a": 1.0, "b": 1.0}
    assert done.labels["unknown"] == 1
    (batch,) = read_joined(done.sets[0], [WEIGHT])
    assert batch[WEIGHT].to_pylist() == [2.0, 2.0]
    exclude(project.store, "2026-03-03", "doubled", "me")
    assert labels_of(project.join("", key=("flight",), weight="w").sets[0]) == {"a": 1.0}


def test_a_table_of_bigquery_has_labels(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.predict(0, ["a", "b"])
    rows = pa.table(
        {
            "id": ["b", "c"],
            "late": [1, 0],
            "landed": pa.array([NOW, NOW], pa.timestamp("us", "UTC")),
            "note": ["x", "y"],
        }
    )
    with BigQueryServer() as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        server.add("outcomes", rows)
        settings = LabelSettings(
            "bq://acme-ml.air.outcomes", "late", labelled_at="landed", columns={"request_id": "id"}
        )
        done = join_labels(project.store, settings, now=NOW)
        assert labels_of(done.sets[0]) == {"b": 1.0}
        assert done.labels["unknown"] == 1
        asked = server.sessions[0].read_session.read_options.selected_fields
        assert "note" not in asked
        assert join_labels(project.store, settings, now=NOW).labels == done.labels
    (batch,) = read_joined(done.sets[0], [LABELLED_AT])
    assert batch[LABELLED_AT].to_pylist() == [NOW]


def test_predictions_without_an_answer_wait_for_no_label(project: Project) -> None:
    project.predict(0, ["a", "b"], errors=["down", "down"])
    project.label("1.jsonl", [{"request_id": "a", "late": 1}])
    (found,) = project.join().sets
    assert (found.rows, sum(one.rows for one in found.coverage)) == (0, 0)
    assert found.counts == {"predictions": 2}


def test_logs_without_the_training_datas_key_have_no_labels_by_default(project: Project) -> None:
    """Where nobody said how labels come, that is no error; where somebody did, it is."""
    project.predict(0, ["a"])
    write_span(project.store, "2026-03-02", {"all": pa.table({"id": ["a"], "late": [1.0]})})
    done = project.join("", key=("id",))
    assert (done.sets, done.rows) == ((), 0)
    assert "the predictions of 1 span keep no id, by which labels" in done.verdict
    project.label("1.jsonl", [{"id": "a", "late": 1}])
    with pytest.raises(RetrainerError, match="no column 'id'"):
        project.join(key=("id",))


def test_labels_that_are_taken_back_bring_the_set_before(project: Project) -> None:
    project.predict(0, ["a", "b"])
    project.label("1.jsonl", [{"request_id": "a", "late": 1}])
    first = project.join().sets[0]
    project.label("2.jsonl", [{"request_id": "b", "late": 1}])
    second = project.join().sets[0]
    assert (first.rows, second.rows) == (1, 2)
    (project.labels / "2.jsonl").unlink()
    assert project.join().sets[0].version == first.version
    (newest,) = newest_joined(project.store)
    assert newest.version == first.version


def test_private_keys_are_hashed_as_the_predictions_have_them(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RETRAINER_HASH_KEY", "0123456789abcdef")
    hashed = hash_column(pa.array([7, 8]), b"0123456789abcdef").to_pylist()
    project.predict(0, ["a", "b"], flight=hashed)
    project.label("1.jsonl", [{"flight": 7, "late": 1}, {"flight": "9", "late": 1}])
    done = project.join(key=("flight",), hash=("flight",))
    assert labels_of(done.sets[0]) == {"a": 1.0}
    monkeypatch.delenv("RETRAINER_HASH_KEY")
    with pytest.raises(RetrainerError, match="there is no key"):
        project.join(key=("flight",), hash=("flight",))


def test_times_in_every_form() -> None:
    texts = pa.array(
        [
            "2026-03-01T12:00:00Z",
            "2026-03-01 14:00:00+02:00",
            "1772366400",
            "1772366400000",
            "soon",
            None,
        ]
    )
    noon = 1_772_366_400_000_000
    assert parse_times(texts).tolist() == [noon] * 4 + [NO_TIME] * 2
    assert parse_times(pa.array([noon // 1000], pa.timestamp("ms"))).tolist() == [noon]


def test_many_predictions_take_several_passes_with_the_same_result(project: Project) -> None:
    for day in range(2):
        project.predict(day, [f"{day}-{number}" for number in range(40)])
    rows = [
        {"request_id": f"{day}-{number}", "late": number % 2}
        for day in range(3)
        for number in range(0, 40, 2)
    ]
    project.label("1.jsonl", rows)
    at_once = project.join()
    shutil.rmtree(Path(project.store, "joined"))
    in_passes = project.join(most_rows=10)
    assert [one.version for one in in_passes.sets] == [one.version for one in at_once.sets]
    assert in_passes.labels == at_once.labels
    assert at_once.labels["unknown"] == 20


def test_spans_beyond_the_horizon_are_not_joined_again(project: Project) -> None:
    project.predict(0, ["a"])
    project.predict(1, ["b"])
    project.label("1.jsonl", [{"request_id": "a", "late": 1}, {"request_id": "b", "late": 1}])
    done = project.join(horizon_seconds=24 * 3600 - 1)
    assert [one.span for one in done.sets] == ["2026-03-02"]


def test_an_empty_store_and_no_labels_yet_are_no_errors(project: Project) -> None:
    assert project.join().verdict == "no predictions are waiting for labels"
    project.predict(0, ["a"])
    done = project.join()
    assert (done.rows, done.sets[0].coverage[0].rows) == (0, 1)
    assert "there are no labels yet in" in done.verdict
    (batch,) = [*read_joined(done.sets[0])] or [None]
    assert batch is None


def test_a_wrong_column_is_named(project: Project) -> None:
    project.predict(0, ["a"])
    project.label("1.jsonl", [{"request_id": "a", "lat": 1}])
    with pytest.raises(RetrainerError, match=r"no column 'late' .*Did you mean 'lat'"):
        project.join()
    with pytest.raises(
        RetrainerError, match=r"predictions of span 2026-03-01 have no column 'fligt'"
    ):
        project.join(key=("fligt",))


@pytest.mark.parametrize("must_succeed", [True, False])
def test_a_failure_is_an_output_where_others_go_on_without_labels(
    project: Project, tmp_path: Path, must_succeed: bool
) -> None:
    project.predict(0, ["a"])
    project.label("1.jsonl", [{"request_id": "a", "lat": 1}])

    def join() -> Any:
        return join_labels_face.python_func(
            store=project.store,
            label="late",
            joined=SimpleNamespace(path=str(tmp_path / "joined"), metadata={}),
            pattern=f"{project.labels}/*.jsonl",
            must_succeed=must_succeed,
            now=NOW.isoformat(),
            run="monitoring-1",
        )

    if must_succeed:
        with pytest.raises(RetrainerError, match="no column 'late'"):
            join()
    else:
        verdict, failure = join()
        assert "no column 'late'" in failure
        assert verdict == f"failed: {failure}"
    (record,) = Path(project.store).glob("runs/monitoring-1/tasks/*.json")
    noted = json.loads(record.read_text())
    assert noted["state"] == "failed"
    assert "no column 'late'" in noted["error"]


def test_predictions_and_their_metadata_stay(project: Project) -> None:
    project.predict(0, ["a", "b"], [0.25, 0.75])
    project.label("1.jsonl", [{"request_id": "b", "late": 1}])
    (found,) = project.join(compare=("carrier",)).sets
    (batch,) = read_joined(found)
    assert read_columns(batch.schema).features == ("distance", "carrier")
    assert batch["prediction"].to_pylist() == [0.75]
    assert found.model_versions == {"3": 1}
    scores, carriers = found.compared
    assert (scores.column, carriers.column) == ("prediction", "carrier")
    assert np.array(scores.labelled).sum() == np.array(scores.unlabelled).sum() == 1
    assert carriers.bins == ("c0", "c1", "other", "missing")
    assert carriers.labelled == ((0, 1, 0, 0),)


def test_replaced_sets_are_removed_when_nobody_reads_them_any_more(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(span_join, "_KEPT_SECONDS", -1)
    project.predict(0, ["a", "b"])
    for name in "ab":
        project.label(f"{name}.jsonl", [{"request_id": name, "late": 1}])
        project.join()
    (found,) = list_joined(project.store)
    assert found.rows == 2
