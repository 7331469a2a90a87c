import pytest
import tensorflow as tf

from retrainer.components.lib.source_rows.sources import tf_examples
from retrainer.components.lib.source_rows.sources.tf_examples import decode_examples


def example(**features):
    """Serialize features: numbers, bytes or lists of them; None is a feature without any value."""
    made = {}
    for name, value in features.items():
        values = value if isinstance(value, list) else [value]
        if value is None:
            made[name] = tf.train.Feature()
        elif values and isinstance(values[0], int):
            made[name] = tf.train.Feature(int64_list=tf.train.Int64List(value=values))
        elif values and isinstance(values[0], float):
            made[name] = tf.train.Feature(float_list=tf.train.FloatList(value=values))
        else:
            made[name] = tf.train.Feature(bytes_list=tf.train.BytesList(value=values))
    return tf.train.Example(features=tf.train.Features(feature=made)).SerializeToString()


def columns_of(decoded):
    return {
        field.name: (str(field.type), column.to_pylist())
        for field, column in zip(decoded.batch.schema, decoded.batch.columns, strict=True)
    }


def test_one_value_a_row_is_a_flat_column_sorted_by_name():
    decoded = decode_examples([example(b=2.5, a=1, c=b"x"), example(a=None, c=[]), example()])
    assert columns_of(decoded) == {
        "a": ("int64", [1, None, None]),
        "b": ("float", [2.5, None, None]),
        "c": ("large_binary", [b"x", None, None]),
    }
    assert list(columns_of(decoded)) == ["a", "b", "c"]
    assert decoded.faults == ()


def test_a_feature_of_several_values_stays_a_column_of_lists():
    decoded = decode_examples([example(a=[1, 2]), example(a=3), example()])
    assert columns_of(decoded)["a"] == ("large_list<item: int64>", [[1, 2], [3], None])


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        ([1, 2.5, None, 2**40], "double", [1.0, 2.5, None, float(2**40)]),
        ([2.5, [], 1.0], "float", [2.5, None, 1.0]),
        ([1, b"x", 2.5, []], "large_binary", [b"1", b"x", b"2.5", None]),
        ([b"x", 7], "large_binary", [b"x", b"7"]),
        ([[1, 2], b"x"], "large_list<item: string>", [["[1, 2]"], ["b'x'"]]),
    ],
)
def test_a_feature_of_several_types_has_one_that_holds_them_all(values, kind, expected):
    records = [example(a=value, row=row) for row, value in enumerate(values)]
    decoded = decode_examples(records)
    assert columns_of(decoded) == {
        "a": (kind, expected),
        "row": ("int64", list(range(len(values)))),
    }
    assert not decoded.faults


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (b"\xff\xff", "no tf.Example: its bytes can't be parsed as one"),
        (b'{"a": 1}', "no tf.Example: its bytes can't be parsed as one"),
        (example(q=1).replace(b"q", b"\xff"), "no tf.Example: its bytes can't be parsed as one"),
        (example(a=1)[:-1], "no tf.Example: its bytes can't be parsed as one"),
        (b"\x08\x01", "no tf.Example: a message without features"),
    ],
)
def test_a_record_that_is_no_example_is_reported_and_the_others_are_kept(record, reason):
    decoded = decode_examples([example(a=1), record, example(b=2), example()])
    assert decoded.faults == [(1, reason)]
    assert decoded.batch.to_pylist() == [
        {"a": 1, "b": None}, {"a": None, "b": 2}, {"a": None, "b": None},
    ]  # fmt: skip


def test_odd_records_among_many_are_found_and_the_others_keep_their_order():
    values = [b"x" if row == 777 else 0.5 if row >= 900 else row for row in range(1000)]
    records = [example(a=value, row=row) for row, value in enumerate(values)]
    for index in (0, 500, 501, 999):
        records[index] = b"\xff"
    decoded = decode_examples(records)
    assert [index for index, _ in decoded.faults] == [0, 500, 501, 999]
    rows = [row for row in range(1000) if row not in (0, 500, 501, 999)]
    assert decoded.batch.column("row").to_pylist() == rows
    expected = [b"x" if row == 777 else b"0.5" if row >= 900 else b"%d" % row for row in rows]
    assert decoded.batch.column("a").to_pylist() == expected


def test_an_excluded_feature_is_left_out_whatever_it_holds():
    records = [example(a=1, private=[1, 2]), example(a=2, private=b"x"), example(a=3, private=0.5)]
    for some in (records, records[:1]):
        decoded = decode_examples(some, exclude=("private", "other"))
        assert columns_of(decoded) == {"a": ("int64", [1, 2, 3][: len(some)])}
        assert decoded.excluded == ["private"]


def test_rows_without_any_feature_are_rows():
    assert decode_examples([example(), example()]).batch.num_rows == 2
    assert decode_examples([example(a=1), example()], exclude=("a",)).batch.num_rows == 2


def test_names_may_be_anything():
    names = ["", "a.b", "x y", "ä😀"]
    record = example(**{name: number for number, name in enumerate(names)})
    assert decode_examples([record]).batch.to_pylist() == [
        {name: number for number, name in enumerate(names)}
    ]


def test_ordinary_records_are_decoded_at_once(monkeypatch):
    def refuse(*_):
        raise AssertionError(
            "these records are decoded in parts, which takes several times as long"
        )

    monkeypatch.setattr(tf_examples, "_decode_apart", refuse)
    records = [example(a=1, b=[0.5, 1.5]), example(), b"\n\x00", example(c=b"x", a=None)]
    decoded = decode_examples(records, exclude=("c", "d"))
    assert decoded.batch.to_pylist() == [
        {"a": 1, "b": [0.5, 1.5]}, *[{"a": None, "b": None}] * 3,
    ]  # fmt: skip
    assert (list(decoded.faults), decoded.excluded) == ([], ["c"])
