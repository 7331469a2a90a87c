import gzip

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.monitoring.new_rows import count_new_rows
from retrainer.components.lib.registry.model_versions import ModelVersion


def champion(span="2026-04"):
    return ModelVersion(3, "uri", "digest", {"span": span} if span else {})


def write(folder, span, text="a,b\n1,2\n3,4\n", name="a.csv"):
    (folder / span).mkdir(exist_ok=True)
    (folder / span / name).write_text(text)


@pytest.fixture
def pattern(tmp_path):
    for span in ("2026-03", "2026-04"):
        write(tmp_path, span)
    return f"{tmp_path}/{{span:%Y-%m}}/*"


def test_spans_that_the_champion_has_seen_have_nothing_new(pattern):
    found = count_new_rows(champion(), pattern)
    assert found.rows == 0
    assert "no new span" in found.describe()


def test_rows_of_each_format_are_counted(pattern, tmp_path):
    write(tmp_path, "2026-05", "a,b\n1,2\n3,4")
    write(tmp_path, "2026-05", '{"a": 1}\n{"a": 2}\n{"a": 3}\n', "b.jsonl")
    pq.write_table(pa.table({"a": range(5)}), tmp_path / "2026-05" / "c.parquet")
    with gzip.open(tmp_path / "2026-05" / "d.csv.gz", "wt") as file:
        file.write("a,b\n" + "1,2\n" * 7)
    found = count_new_rows(champion(), pattern, enough=1000)
    assert found.rows == 2 + 3 + 5 + 7
    assert "17 new rows in span 2026-05" in found.describe()


def test_counting_ends_where_it_is_enough(pattern, tmp_path):
    for name in "abc":
        write(tmp_path, "2026-05", name=f"{name}.csv")
    assert count_new_rows(champion(), pattern, enough=3).rows == 4


def test_a_span_that_is_still_being_written_is_not_new(pattern, tmp_path):
    write(tmp_path, "2026-05")
    (tmp_path / "2026-05" / "late.txt").write_text("")
    marked = f"{tmp_path}/{{span:%Y-%m}}/*.csv"
    assert count_new_rows(champion(), marked, "_SUCCESS").rows == 0
    (tmp_path / "2026-05" / "_SUCCESS").write_text("")
    assert count_new_rows(champion(), marked, "_SUCCESS").rows == 2


def test_rows_of_parquet_without_a_label_do_not_count(pattern, tmp_path):
    (tmp_path / "2026-05").mkdir()
    table = pa.table({"late": [1, None, 0, None], "x": [1, 2, None, 4]})
    pq.write_table(table, tmp_path / "2026-05" / "a.parquet", row_group_size=2)
    assert count_new_rows(champion(), pattern, label="late").rows == 2
    assert count_new_rows(champion(), pattern, label="another").rows == 4


def test_of_a_champion_without_spans_everything_is_new(pattern):
    assert count_new_rows(champion(""), pattern, enough=1000).rows == 4


def test_a_source_that_is_gone_is_an_error_and_not_zero(tmp_path):
    with pytest.raises(RetrainerError, match="new rows for a retrain can't be counted"):
        count_new_rows(champion(), f"{tmp_path}/none/{{span}}.csv")
