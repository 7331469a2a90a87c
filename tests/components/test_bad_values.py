"""Values that are odd, wrong or missing, from end to end: what a user sees of them, and that no model does."""

import decimal
import json

import pyarrow as pa
import pytest
from servers.bad_spans import HEADER, ONE, ROWS, THREE, TWO, Chain, cycle, good, table

from retrainer.components.lib.errors import RetrainerError


@pytest.fixture
def chain(tmp_path):
    return Chain(tmp_path)


# What columns hold.


def test_mixed_types_without_a_schema_make_text_and_validation_stops(chain):
    chain.ingest(ONE, TWO, THREE + "x1,Ulm,much,0\n")
    assert chain.eval.schema.field("amount").type == pa.string()
    with pytest.raises(RetrainerError, match="id: wrong type in evaluation"):
        chain.judge()


def test_mixed_types_with_a_schema_set_their_rows_aside(chain):
    chain.ingest(ONE, TWO, THREE).judge()
    chain.ingest(ONE, TWO, THREE + "x1,Ulm,1,0\n5,Ulm,much,0\n").judge()
    assert [row["reason"] for row in chain.quarantined] == [
        "'id' is no integer of 64 bits",
        "'amount' is no number",
    ]
    assert chain.eval.num_rows == ROWS


def test_nan_is_missing_and_infinities_are_numbers_that_are_counted(chain):
    odd = "5,Ulm,NaN,0\n6,Ulm,inf,1\n7,Ulm,-Infinity,0\n8,Ulm,,1\n"
    chain.ingest(ONE, TWO, THREE + odd).compute()
    assert chain.eval.column("amount").to_pylist()[-4:] == [
        None, float("inf"), float("-inf"), None,
    ]  # fmt: skip
    amount = chain.feature("amount").num_stats
    assert (amount.common_stats.num_missing, amount.min) == (2, float("-inf"))


def test_a_label_that_is_nan_or_infinite_is_no_label(chain):
    chain.ingest(ONE, TWO, THREE + "8,Ulm,1,nan\n9,Ulm,1,inf\n")
    assert chain.eval.num_rows == ROWS
    assert "2 unlabelled" in chain.verdict


def test_nan_and_infinities_of_parquet_are_as_those_of_csv(chain):
    odd = cycle(float("nan"), float("inf"), 1.0)
    chain.ingest(*(table(seed, amount=odd) for seed in (1, 2, 3)), ending="parquet").compute()
    assert chain.eval.column("amount").to_pylist()[:3] == [None, float("inf"), 1.0]


def test_integers_beyond_64_bits_keep_every_digit_as_text(chain):
    wide = "123456789012345678901234567890"
    chain.ingest(*(good(seed, ("1", wide)) for seed in (1, 2, 3)))
    assert set(chain.eval.column("city").to_pylist()) == {"1", wide}
    chain.judge()


def test_integers_beyond_64_bits_where_the_schema_says_int_are_quarantined(chain):
    chain.ingest(ONE, TWO, THREE).judge()
    chain.ingest(ONE, TWO, THREE + "18446744073709551616,Ulm,1,0\n")
    (row,) = chain.quarantined
    assert row["reason"] == "'id' is no integer of 64 bits"


def test_dates_before_1970_and_after_2262_are_text_in_csv(chain):
    days = ("1850-01-01", "2500-12-31", "9999-12-31 23:59:59")
    chain.ingest(*(good(seed, days) for seed in (1, 2, 3)))
    assert set(chain.eval.column("city").to_pylist()) == set(days)
    assert chain.judge().findings == []


FAR = {
    "date32": (cycle(-719162, 2932896, type=pa.date32()), ["0001-01-01", "9999-12-31"]),
    "seconds": (
        cycle(-62135596800, 253402300799, type=pa.timestamp("s")),
        ["0001-01-01 00:00:00", "9999-12-31 23:59:59"],
    ),
    "micros": (
        cycle(-1, 253402300799 * 10**6, type=pa.timestamp("us")),
        ["1969-12-31 23:59:59.999999", "9999-12-31 23:59:59"],
    ),
    "zone": (
        cycle(-1, 0, type=pa.timestamp("us", "America/New_York")),
        ["1969-12-31 23:59:59.999999Z", "1970-01-01 00:00:00Z"],
    ),
}  # fmt: skip
OTHER = {
    "decimal": (cycle(decimal.Decimal("1.50"), None), [1.5, None]),
    "time": (cycle(61_000, None, type=pa.time32("ms")), ["00:01:01", None]),
    "dictionary": (cycle("a", "b").dictionary_encode(), ["a", "b"]),
    "large": (cycle("a", "b", type=pa.large_string()), ["a", "b"]),
    "binary": (cycle(b"a", b"b"), ["a", "b"]),
    "unsigned": (cycle(1, 2**64 - 1, type=pa.uint64()), ["1", "18446744073709551615"]),
    "flag": (cycle(True, False), [1, 0]),
    "duration": (cycle(61, None, type=pa.duration("s")), [61.0, None]),
}


@pytest.mark.parametrize("columns", [FAR, OTHER], ids=["moments", "others"])
def test_types_of_parquet_pass_through_the_chain(chain, columns):
    arrays = {name: column for name, (column, _) in columns.items()}
    chain.ingest(*(table(seed, **arrays) for seed in (1, 2, 3)), ending="parquet").compute()
    for name, (_, cells) in columns.items():
        assert chain.eval.column(name).to_pylist()[:2] == cells, name
        assert chain.feature(name).ByteSize()


def test_binary_columns_are_reported_with_the_fix(chain):
    spans = [table(seed, blob=cycle(b"a", b"\xff")) for seed in (1, 2, 3)]
    with pytest.raises(RetrainerError, match=r"1\.parquet row 2: 'blob' is not UTF-8.*data\.drop"):
        chain.ingest(*spans, ending="parquet")
    chain.ingest(*spans, ending="parquet", drop=("blob",)).judge()


@pytest.mark.parametrize("cell", [[1], {"x": 1}, [{"x": [1]}]], ids=["list", "struct", "both"])
def test_nested_columns_are_named_and_left_out_they_do_no_harm(chain, cell):
    spans = [table(seed, deep=cycle(cell)) for seed in (1, 2, 3)]
    with pytest.raises(
        RetrainerError, match=r"column 'deep' of '.*1\.parquet' holds (list|struct)"
    ):
        chain.ingest(*spans, ending="parquet")
    chain.ingest(*spans, ending="parquet", drop=("deep",)).judge()
    assert chain.eval.column_names == ["id", "label"]
    lines = [
        "\n".join(json.dumps({"id": i, "label": i % 2, "deep": cell}) for i in range(k, 50 * k))
        for k in (1, 2, 3)
    ]
    with pytest.raises(RetrainerError, match=r"column 'deep' of '.*1\.jsonl' holds (list|struct)"):
        chain.ingest(*lines, ending="jsonl")
    chain.ingest(*lines, ending="jsonl", drop=("deep",)).compute()


def test_a_column_without_a_value_in_the_newest_span_is_found(chain):
    empty = HEADER + "".join(f"{9_000 + i},,{i}.5,{i % 2}\n" for i in range(ROWS))
    chain.ingest(ONE, TWO, empty)
    assert chain.eval.schema.field("city").type == pa.null()
    with pytest.raises(RetrainerError, match="city: missing column"):
        chain.judge()


def test_a_column_without_a_value_in_an_older_span_merges_with_the_others(chain):
    empty = HEADER + "".join(f"{9_000 + i},,{i % 9}.5,{i % 2}\n" for i in range(ROWS))
    chain.ingest(empty, TWO, THREE).compute()
    city = chain.feature("city", "Split-train").string_stats
    assert (city.common_stats.num_missing, city.unique) == (ROWS, 3)


def test_a_column_empty_in_every_span_is_a_warning_and_a_new_one_once_it_has_values(chain):
    empty = [
        HEADER + "".join(f"{seed}{i:03},,{(i * seed) % 11}.5,{i % 2}\n" for i in range(ROWS))
        for seed in (1, 2, 3)
    ]
    chain.ingest(*empty).judge()
    assert [(f["column"], f["kind"]) for f in chain.findings] == [("city", "all_missing")]
    chain.ingest(*empty[:2], THREE).judge()
    assert ("city", "new_column") in [(f["column"], f["kind"]) for f in chain.findings]


def test_a_column_without_a_value_anywhere_is_counted_as_missing(chain):
    spans = [
        HEADER + "".join(f"{seed * 1_000 + i},,{i},{i % 2}\n" for i in range(ROWS))
        for seed in (1, 2, 3)
    ]
    chain.ingest(*spans).compute()
    feature = chain.feature("city")
    stats = feature.string_stats if feature.HasField("string_stats") else feature.num_stats
    assert stats.common_stats.num_missing == ROWS


def test_a_label_without_a_value_anywhere_asks_for_it(chain):
    spans = [
        HEADER + "".join(f"{seed * 1_000 + i},Ulm,{i},\n" for i in range(ROWS))
        for seed in (1, 2, 3)
    ]
    with pytest.raises(RetrainerError, match=r"train split has no rows with a label.*arrived yet"):
        chain.ingest(*spans)
