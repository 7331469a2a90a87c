"""Scoring spans: exactly the rows that came in, by one model, and the same files again."""

import hashlib
import multiprocessing
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.predictions.prediction_sets import list_predictions
from retrainer.components.lib.predictions.prediction_table import (
    read_about,
    read_columns,
    read_predictions,
)
from retrainer.components.predict_batch import in_process, source_predictions, span_predictions
from retrainer.components.predict_batch import predict as predict_module

HEADER = "id,carrier,hour,distance,note\n"


def table_of(predicted: Any) -> pa.Table:
    (found,) = predicted.sets
    return pa.Table.from_batches(read_predictions(found))


def files_of(predicted: Any) -> dict[str, str]:
    return {
        f"{one.span}/{name}": hashlib.sha256(Path(one.uri, name).read_bytes()).hexdigest()
        for one in predicted.sets
        for name in one.files
    }


def test_every_row_goes_out_in_order_with_its_key_and_the_models_version(project):
    project.span("2026-01.csv", HEADER + "b,UA,3,1.5,x\na,ÅÄ,4,,y\nb,数,5,2,\n")
    predicted = project.predict()
    table = table_of(predicted)
    assert table["id"].to_pylist() == ["b", "a", "b"]
    assert table["prediction"].to_pylist() == [4.5, 1004.0, 7.0]
    assert table["carrier"].to_pylist() == ["UA", "ÅÄ", "数"]
    assert table["row"].to_pylist() == [0, 1, 2]
    assert set(table["status"].to_pylist()) == {"ok"}
    assert set(table["model_version"].to_pylist()) == {1}
    assert table["occurred_at"][0].as_py().isoformat() == "2026-01-01T00:00:00+00:00"
    assert "note" not in table.column_names
    (found,) = predicted.sets
    assert (found.rows, found.errors, found.model_version) == (3, 0, 1)
    schema = pq.read_schema(Path(found.uri, found.files[0]))
    assert read_about(schema)["model_digest"] == project.registry.get(1).digest
    assert read_columns(schema).features == ("carrier", "distance", "hour")
    assert predicted.verdict == "3 rows of 1 span (2026-01) scored by version 1"


def test_a_row_that_cant_be_scored_keeps_its_place_and_says_why(project):
    project.span(
        "1.csv",
        HEADER
        + "a,UA,3,1.5,x\nb,UA,late,2,x\nc,UA\nd,UA,,2,x\ne,UA,5,inf,x\nf,UA,5,far,x\ng,UA,6,0,x\n",
    )
    table = table_of(project.predict())
    assert table["row"].to_pylist() == list(range(7))
    # Of the row that has too few cells, none is known.
    assert table["id"].to_pylist() == ["a", "b", None, "d", "e", "f", "g"]
    assert table["status"].to_pylist() == ["ok", "error", "error", "error", "error", "error", "ok"]
    assert table["prediction"].to_pylist() == [4.5, None, None, None, None, None, 6.0]
    errors = table["error"].to_pylist()
    assert "'hour'" in errors[1]
    assert errors[3] == "'hour' is missing"
    assert errors[4] == "the model returned no finite number"
    assert "'distance'" in errors[5]


def test_more_errors_than_allowed_write_nothing(project):
    project.span("1.csv", HEADER + "a,UA,3,1.5,x\nb,UA,late,2,x\n")
    with pytest.raises(RetrainerError, match=r"1 of 2 rows.*max_errors.*row 1 of '1.csv': 'hour'"):
        project.predict(max_errors=0.1)
    assert list_predictions(project.store) == []
    project.span("2.csv", HEADER + "b,UA,late,2,x\n")
    assert table_of(project.predict(span="2"))["prediction"].to_pylist() == [None]


@pytest.mark.parametrize("ending", ["parquet", "jsonl", "csv.gz"])
def test_every_format_gives_the_same_predictions(project, ending):
    frame = pa.table(
        {
            "id": [f"r{number}" for number in range(100)],
            "carrier": ["UA", "ÅÄ"] * 50,
            "hour": list(range(100)),
            "distance": [float(number) / 2 for number in range(100)],
        }
    ).to_pandas()
    path = project.inbox / f"1.{ending}"
    if ending == "parquet":
        frame.to_parquet(path)
    elif ending == "jsonl":
        frame.to_json(path, orient="records", lines=True)
    else:
        frame.to_csv(path, index=False)
    table = table_of(project.predict(f"{{span}}.{ending}"))
    expected = frame.distance + frame.hour + np.where(frame.carrier == "ÅÄ", 1000, 0)
    assert table["prediction"].to_pylist() == expected.astype("float32").tolist()
    assert table["id"].to_pylist() == frame.id.tolist()


def test_files_of_a_span_are_requests_of_their_own_and_partition_columns_count(project):
    for site in ("north", "south"):
        (project.inbox / f"carrier={site}").mkdir()
        project.span(f"carrier={site}/1.csv", f"id,hour,distance\n{site},1,2\n")
    predicted = project.predict("carrier=*/{span}.csv")
    table = table_of(predicted)
    assert table["carrier"].to_pylist() == ["north", "south"]
    assert table["row"].to_pylist() == [0, 0]
    assert len(set(table["request_id"].to_pylist())) == 2
    assert predicted.sets[0].files == ("part-00000-00000.parquet", "part-00001-00000.parquet")


def test_the_same_again_is_not_scored_again_and_other_input_or_model_is(project, monkeypatch):
    project.span("1.csv", HEADER + "a,UA,3,1.5,x\n")
    first = project.predict()
    with monkeypatch.context() as patched:
        patched.setattr(source_predictions, "SpanReader", None)
        again = project.predict()
    assert again.sets == first.sets
    assert "1 of 1 span scored before" in again.verdict
    second = project.push("ten", champion=False)
    other = project.predict(model=str(second))
    assert table_of(other)["prediction"].to_pylist() == [18.0]
    assert project.predict(keep=("note",)).sets[0].version != first.sets[0].version
    project.span("1.csv", HEADER + "a,UA,4,1.5,x\n")
    assert table_of(project.predict())["prediction"].to_pylist() == [5.5]
    assert len(list_predictions(project.store, "1")) == 4


def test_another_place_gets_the_same_files(project, tmp_path):
    text = HEADER + "".join(
        f"r{number},UA,{number % 24},{number}.5,x\n" for number in range(70_000)
    )
    project.span("1.csv", text)
    first = project.predict()
    again = project.predict(output=str(tmp_path / "elsewhere"))
    assert again.sets[0].uri.startswith(str(tmp_path / "elsewhere" / "1"))
    assert files_of(again) == files_of(first)
    assert again.rows == 70_000


def test_a_champion_that_changes_meanwhile_scores_nothing(project, monkeypatch):
    for name in "12":
        project.span(f"{name}.csv", HEADER + "a,UA,3,1,x\n")
    whole = predict_module.predict_span

    def push_first(*arguments):
        if project.registry.version_of("champion") == 1:
            project.push("ten")
        return whole(*arguments)

    monkeypatch.setattr(predict_module, "predict_span", push_first)
    predicted = project.predict(window=2)
    assert [one.span for one in predicted.sets] == ["1", "2"]
    assert {one.model_version for one in predicted.sets} == {1}


def test_killed_while_it_writes_it_leaves_nothing_and_the_next_run_gives_the_same_files(
    project, tmp_path
):
    text = HEADER + "".join(
        f"r{number},UA,{number % 24},{number}.5,x\n" for number in range(50_000)
    )
    project.span("1.csv", text)

    def die(step: str) -> None:
        module = source_predictions if step == "make_rows" else span_predictions
        whole = getattr(module, step)

        def killed(*arguments: Any, **options: Any) -> Any:
            if step == "publish_folder":
                os.kill(os.getpid(), signal.SIGKILL)
            whole(*arguments, **options)
            os.kill(os.getpid(), signal.SIGKILL)

        setattr(module, step, killed)
        # Threads of the parent's TensorFlow are not in a forked child: the model is not called here.
        in_process.Scorer.score = _scored_without_a_model  # type: ignore[method-assign]
        project.predict()

    for step in ("make_rows", "write_json", "publish_folder"):
        child = multiprocessing.get_context("fork").Process(target=die, args=(step,))
        child.start()
        child.join(60)
        assert child.exitcode == -signal.SIGKILL
        assert list_predictions(project.store) == []
    assert project.predict().rows == 50_000
    assert files_of(project.predict()) == files_of(project.predict(output=str(tmp_path / "other")))


def _scored_without_a_model(self: Any, rows: Any) -> Any:
    from retrainer.components.predict_batch.row_scores import ScoredRows

    count = len(rows.table)
    inputs = rows.table.select(list(self._names))
    return ScoredRows(rows.source, np.arange(count), inputs, np.zeros(count, np.float32), None)


def test_a_model_with_several_outputs_has_a_column_for_each(project):
    project.push("classes")
    project.span("1.csv", "id,distance\na,2.5\nb,x\n")
    table = table_of(project.predict())
    assert table["prediction_0"].to_pylist() == [2.5, None]
    assert table["prediction_1"].to_pylist() == [-2.5, None]


def test_columns_are_renamed_made_kept_and_hashed_as_for_training(project, tmp_path):
    (tmp_path / "key").write_text("k" * 32)
    project.span(
        "1.csv", "order no,who,Carrier,at,distance,status\n7,ann,UA,2026-01-02 05:00:00,1,late\n"
    )
    columns = {
        "id": "order no",
        "carrier": "Carrier",
        "hour": {"hour": "at"},
        "label": {"greater": ["delay", 15]},
    }
    table = table_of(
        project.predict(
            columns=columns,
            keep=("who", "status"),
            hash=("who",),
            hash_key_file=str(tmp_path / "key"),
        )
    )
    (row,) = table.to_pylist()
    assert (row["id"], row["carrier"], row["hour"], row["prediction"]) == (7, "UA", 5, 6.0)
    assert len(row["who"]) == 64
    # The table has a column of that name itself.
    assert (row["status"], row["input_status"]) == ("ok", "late")


@pytest.mark.parametrize("made", [False, True], ids=["in the source", "made of a text"])
def test_a_column_of_lists_is_the_json_that_training_stored(project, made):
    lists = pa.array(["ÅÄ;UA", None] if made else [["ÅÄ", "UA"], None])
    name = "carriers" if made else "carrier"
    table = pa.table({"id": [7, 8], name: lists, "hour": [5, 5], "distance": [1.0, 2.0]})
    pq.write_table(table, project.inbox / "1.parquet")
    split = {"carrier": {"split_pattern": ["carriers", {"value": ";"}]}}
    options = {"columns": split} if made else {"types": {"carrier": "list"}}
    scored = table_of(project.predict("{span}.parquet", **options))
    assert scored["carrier"].to_pylist() == ['["ÅÄ", "UA"]', None]
    assert scored["prediction"].to_pylist() == [6.0, 7.0]


def test_a_type_that_a_later_row_shows_holds_for_all(project):
    rows = [f"{number},UA,1,1,x\n" for number in range(400_000)]
    project.span("1.csv", HEADER + "".join(rows) + "no number,UA,1,1,x\n")
    table = table_of(project.predict())
    assert table.num_rows == 400_001
    assert table["id"].type == pa.string()
    assert table["id"][0].as_py() == "0"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty"),
        (HEADER, "rows"),
        (
            "id,carrier,distance\na,UA,1\n",
            "has no column 'hour', which the model (version 1) takes",
        ),
        ("ID,carrier,hour,distance\na,UA,1,1\n", "has no column 'id', which data.key names"),
    ],
)
def test_a_file_that_cant_be_scored_is_named(project, text, says):
    project.span("1.csv", text)
    with pytest.raises(RetrainerError) as error:
        project.predict()
    assert "1.csv" in str(error.value)
    assert says in str(error.value)
    assert list_predictions(project.store) == []


@pytest.mark.parametrize(
    ("model", "says"),
    [
        ("7", "no version 7"),
        ("best", "'champion' or the number"),
        ("2", "no signature"),
        ("3", "no version 3"),
    ],
)
def test_a_model_that_cant_score_is_named(project, model, says):
    project.push("unserved", champion=False)
    half = Path(project.store, "models", "versions", "3")
    half.mkdir()
    (half / "reserved").touch()
    project.span("1.csv", HEADER + "a,UA,3,1.5,x\n")
    with pytest.raises(RetrainerError, match=says):
        project.predict(model=model)


def test_a_pattern_without_files_is_named_with_its_setting(project):
    with pytest.raises(RetrainerError, match=r"no file matches .*nothing.* predict\.pattern"):
        project.predict("nothing-{span}.csv")


def test_no_champion_is_named(project):
    project.registry.move_alias("champion", None, 1, {})
    project.span("1.csv", HEADER + "a,UA,3,1.5,x\n")
    with pytest.raises(RetrainerError, match="no model is in service"):
        project.predict()


def test_a_span_that_is_still_written_waits_for_its_marker(project):
    project.span("1.csv", HEADER + "a,UA,3,1.5,x\n")
    project.span("1.done", "")
    project.span("2.csv", HEADER + "a,UA")
    assert project.predict(marker="{span}.done").newest_span == "1"


def test_a_file_that_changes_while_it_is_read_is_named(project, monkeypatch):
    path = project.span("1.csv", HEADER + "a,UA,3,1.5,x\n")
    whole = source_predictions.make_rows

    def growing(*arguments, **options):
        with path.open("a") as file:
            file.write("b,UA,4,2,x\n")
        return whole(*arguments, **options)

    monkeypatch.setattr(source_predictions, "make_rows", growing)
    with pytest.raises(RetrainerError, match="changed while it was read"):
        project.predict()
    assert list_predictions(project.store) == []


def test_a_span_that_a_log_has_is_not_mixed_with_batch_predictions(project):
    project.span("2026-01.csv", "id,distance,hour,carrier\n1,2,3,UA\n")
    project.predict()
    found = list_predictions(project.store)[0]
    record = Path(found.uri, "predictions.json")
    record.write_text(
        record.read_text().replace('"format": 1', '"format": 1, "writer": "ingest_predictions"')
    )
    project.span("2026-01.csv", "id,distance,hour,carrier\n1,2,4,UA\n")
    with pytest.raises(
        RetrainerError, match=r"has predictions of ingest_predictions.*predict\.output"
    ):
        project.predict()
