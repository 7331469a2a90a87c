import pyarrow as pa
import pytest

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.examples import Examples, concat_tables, to_list_batch


def test_tables_that_differ_in_columns_are_joined_with_nulls():
    joined = concat_tables([pa.table({"a": [1], "b": ["x"]}), pa.table({"a": [2.5]})])
    assert joined.to_pylist() == [{"a": 1.0, "b": "x"}, {"a": 2.5, "b": None}]


def test_a_column_that_is_all_missing_in_one_table_takes_the_others_type():
    joined = concat_tables([pa.table({"a": pa.nulls(1)}), pa.table({"a": ["x"]})])
    assert joined.to_pylist() == [{"a": None}, {"a": "x"}]


def test_large_integers_join_fractions_rounded():
    joined = concat_tables([pa.table({"a": [2**62 + 1]}), pa.table({"a": [2.5]})])
    assert joined.to_pylist() == [{"a": 2.0**62}, {"a": 2.5}]


def test_text_against_numbers_names_the_column():
    with pytest.raises(RetrainerError, match="column 'a'"):
        concat_tables([pa.table({"a": [1]}), pa.table({"a": ["x"]})])


def test_list_batches_keep_every_cell_and_its_absence():
    batch = pa.record_batch(
        [pa.array([1, None, 3]), pa.array(["x", "y", None]), pa.array([0.5, 1.5, 2.5])],
        ["i", "s", "f"],
    )
    lists = to_list_batch(batch)
    assert lists.to_pydict() == {
        "i": [[1], None, [3]],
        "s": [[b"x"], [b"y"], None],
        "f": [[0.5], [1.5], [2.5]],
    }


def test_what_a_manifest_says_of_its_key_is_read_again(tmp_path):
    splits = {"train": (), "eval": ()}
    Examples("late", splits, ("1",), key=("id", "shop"), key_features=("shop",)).write(tmp_path)
    assert Examples.read(tmp_path).bare_key == ("id",)
    Examples("late", splits, ("1",), key=("id", "shop")).write(tmp_path)
    assert Examples.read(tmp_path).bare_key == ("id", "shop")


def test_the_words_of_classes_are_read_again(tmp_path):
    examples = Examples("late", {"train": (), "eval": ()}, ("1",), classes={"late": ("no", "yes")})
    examples.write(tmp_path)
    assert Examples.read(tmp_path) == examples


def test_a_missing_manifest_is_named(tmp_path):
    with pytest.raises(RetrainerError, match="no examples manifest"):
        Examples.read(tmp_path)


def test_a_manifest_of_another_format_is_refused(tmp_path):
    (tmp_path / "manifest.json").write_text('{"format": 99}')
    with pytest.raises(RetrainerError, match="format 99"):
        Examples.read(tmp_path)
