"""The settings of ingestion."""

import pytest

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.source_rows.csv_options import parse_csv_options
from retrainer.components.lib.source_rows.settings import IngestSettings, check_query
from retrainer.components.lib.source_rows.sources.base import SourceOptions


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"split": "random"}, r"split 'random' is unknown; use newest_spans or hash"),
        ({"eval_fraction": 0}, r"eval_fraction is 0; it must lie between 0 and 1"),
        ({"eval_fraction": 1.5}, r"eval_fraction is 1\.5"),
        (
            {"source": SourceOptions(format="xml")},
            r"format 'xml' is unknown; use auto, csv, parquet",
        ),
        ({"drop": ("late",)}, r"'late' is the label.*data\.drop"),
        ({"key": ("id",), "drop": ("id",)}, r"'id' is the label, the weight, or part of key"),
        ({"split": "hash", "split_by": ("id",), "drop": ("id",)}, "'id'.*can't be dropped as well"),
        ({"hash": ("id",), "drop": ("id",)}, "'id'.*can't be dropped as well"),
        ({"max_bad_rows": 1.01}, r"max_bad_rows is 1\.01; it is a share"),
        ({"max_bad_rows": -0.01}, "max_bad_rows is -0.01"),
        ({"max_bad_rows": float("nan")}, "max_bad_rows is nan"),
        ({"key": ("late",)}, "the label 'late' can't be part of key"),
        ({"hash": ("late",)}, "the label 'late'.*nor be hashed"),
    ],
)
def test_invalid_settings_are_reported_with_the_fix(settings, says):
    with pytest.raises(RetrainerError, match=says):
        IngestSettings("late", **settings).check()


def test_settings_that_can_be_pass():
    IngestSettings("late", key=("id",), drop=("a",), hash=("id",), split="hash").check()


def test_columns_to_drop_are_left_out_by_the_source():
    assert IngestSettings("late", drop=("a",)).source_options.exclude == ("a",)


def test_what_makes_other_rows_makes_another_version():
    base = IngestSettings("late", key=("id",), hash=("b",))
    others = [
        IngestSettings("late", key=("id",), hash=("b",), **changed)
        for changed in (
            {"drop": ("a",)},
            {"drop": ("b",)},
            {"split": "hash"},
            {"eval_fraction": 0.2},
            {"source": SourceOptions(csv_delimiter=";")},
            {"source": SourceOptions(csv_skip_rows=1)},
            {"source": SourceOptions(csv_quote="")},
            {"source": SourceOptions(csv_by_column={"a": {"decimal": ","}})},
        )
    ]
    digests = {one.digest(b"k" * 16) for one in [base, *others]}
    assert len(digests) == 9
    assert base.digest(b"other key of bytes") not in digests


def test_what_makes_the_same_rows_keeps_the_version():
    base = IngestSettings("late", hash=("b",))
    for same in (
        {"hash_key_env": "OTHER"},
        {"hash_key_file": "/secret"},
        {"max_bad_rows": 0.5},
    ):
        assert IngestSettings("late", hash=("b",), **same).digest(b"k" * 16) == base.digest(
            b"k" * 16
        )


def test_without_private_columns_no_key_is_read(monkeypatch):
    monkeypatch.delenv("RETRAINER_HASH_KEY", raising=False)
    assert IngestSettings("late").read_key() == b""


def test_csv_options_become_arguments_of_the_source():
    options = parse_csv_options(
        {"columns": ["a", "b"], "delimiter": ";", "encoding": "cp1252", "null_values": ["-"]}
    )
    assert SourceOptions(**options) == SourceOptions(
        csv_columns=("a", "b"), csv_delimiter=";", csv_encoding="cp1252", csv_null_values=("-",)
    )
    assert parse_csv_options({}) == {}
    # As KFP hands them on.
    by_column = {"amount": {"decimal": ",", "null_values": ["-"]}}
    options = parse_csv_options({"skip_rows": 2.0, "thousands": " ", "by_column": by_column})
    assert SourceOptions(**options) == SourceOptions(
        csv_skip_rows=2,
        csv_thousands=" ",
        csv_by_column={"amount": {"decimal": ",", "null_values": ("-",)}},
    )


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (
            {"delimeter": ";"},
            r"'delimeter' is unknown\. Did you mean 'delimiter'\? There are columns, ",
        ),
        ({"at": 1}, r"'at' is unknown\. There are columns, [a-z_, ]*, by_column \(data\.csv\)"),
        ({"quotes": "'"}, r"'quotes' is unknown\. Did you mean 'quote'"),
        ({"quote": "''"}, r"the CSV quote is .*data\.csv\.quote"),
        ({"quote": ","}, "other than the delimiter"),
        ({"quote": False}, "the CSV quote is False"),
        ({"delimiter": ";;"}, "the CSV delimiter is ';;'"),
        ({"delimiter": "é"}, "one ASCII character"),
        ({"delimiter": '"'}, "the CSV delimiter is"),
        ({"delimiter": ""}, "the CSV delimiter is"),
        ({"delimiter": 1}, "the CSV delimiter is 1"),
        ({"encoding": "latin-x"}, r"no encoding 'latin-x'.*data\.csv\.encoding"),
        ({"encoding": "base64"}, "no encoding 'base64'"),
        ({"encoding": 8}, "no encoding 8"),
        ({"skip_rows": -1}, r"skip_rows is -1.*data\.csv\.skip_rows"),
        ({"skip_rows": 1.5}, r"skip_rows is 1\.5"),
        ({"decimal": ";"}, r"the decimal mark is ';'.*data\.csv\.decimal"),
        ({"thousands": "00"}, r"the thousands mark is '00'.*data\.csv\.thousands"),
        ({"decimal": ",", "thousands": ","}, r"both ','; they must differ"),
        ({"by_column": {"a": {"thousands": "."}}}, r"both '\.'.*data\.csv\.by_column\.a"),
        ({"by_column": {"a": {"decimals": ","}}}, r"'decimals' is unknown. Did you mean 'decimal'"),
    ],
)
def test_csv_options_that_cannot_be_are_named(options, says):
    with pytest.raises(RetrainerError, match=says):
        parse_csv_options(options)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"eval_fraction": 1}, "eval_fraction is 1; it must lie between"),
        ({"weight": "late"}, r"the weight 'late' .*can't be the label, nor be hashed"),
        ({"weight": "w", "hash": ("w",)}, "the weight 'w'"),
        ({"weight": "w", "drop": ("w",)}, "'w' is the label, the weight"),
        ({"split_by": ("id",)}, r"data\.split\.columns names id, and data\.split\.by is newest_spans"),
        ({"split": "hash", "split_by": ("late",)}, "the label 'late' can't be part"),
        ({"label_keys": {"a": ("late", "other")}, "drop": ("other",)}, "'other' is the label"),
        ({"label_keys": {"a": ("late", "other")}, "key": ("other",)}, "the label 'other'"),
        ({"types": {"late": "list"}}, "'late' is a list"),
        ({"types": {"w": "list"}, "weight": "w"}, "'w' is a list"),
        ({"types": {"id": "list"}, "key": ("id",)}, "'id' is a list"),
        ({"columns": {"b": {"split_pattern": ["a", {"value": "|"}]}}, "hash": ("b",)}, "'b' is a list"),
    ],
)  # fmt: skip
def test_settings_that_contradict_each_other_are_reported(settings, says):
    with pytest.raises(RetrainerError, match=says):
        IngestSettings("late", **settings).check()


@pytest.mark.parametrize(
    "settings",
    [
        {"max_bad_rows": 0}, {"max_bad_rows": 1}, {"eval_fraction": 0.001}, {"eval_fraction": 0.999},
        {"split": "hash", "split_by": ("id",)}, {"weight": "w", "key": ("w",)},
        {"types": {"a": "list"}}, {"key": ("id",), "key_features": ("id",)},
    ],
)  # fmt: skip
def test_settings_at_their_ends_pass(settings):
    IngestSettings("late", **settings).check()


def test_labels_are_those_of_all_outputs_once():
    keys = {"a": ("late", "x"), "b": ("x", "y")}
    assert IngestSettings("late", label_keys=keys).labels == ("late", "x", "y")
    assert IngestSettings("late").labels == ("late",)


def test_a_column_that_others_are_made_of_is_read_and_then_dropped():
    settings = IngestSettings(
        "late", drop=("a", "b"), columns={"c": {"utf8_lower": "a"}, "l": {"split_pattern": ["x", {"value": "|"}]}},
        types={"t": "list", "l": "list", "n": "number"},
    )  # fmt: skip
    assert settings.source_options.exclude == ("b",)
    assert settings.dropped_sources == {"a"}
    assert settings.lists == ("t", "l")


def test_a_key_is_strict_where_no_type_is_said():
    assert IngestSettings("late", key=("a", "b"), types={"a": "integer"}).strict == {"b"}


def test_words_stay_words_in_a_key_and_in_text_but_not_in_a_digest():
    settings = IngestSettings(
        "late", key=("id",), split_by=("who",), hash=("who",), columns={"amount": "Betrag"},
        types={"city": "text", "tags": "list", "n": "number"},
        source=SourceOptions(csv_by_column={"Betrag": {"decimal": ","}}),
    )  # fmt: skip
    rules = settings.cell_rules
    kept = {name for name in ("id", "who", "city", "tags", "n") if rules.of(name).keep_words}
    assert kept == {"id", "city", "tags"}
    assert (rules.of("amount").decimal, rules.of("Betrag").decimal) == (",", ".")


def test_only_types_that_make_other_rows_make_another_version():
    def digest(types=None, **more):
        return IngestSettings("late", key=("id",), types=types or {}, **more).digest(b"")

    base = digest()
    assert digest({"a": "number"}) == base
    assert digest(key_features=("id",)) == base
    assert digest(source=SourceOptions(max_bytes_billed=1)) == base
    others = [
        digest(types)
        for types in (
            {"a": "text"}, {"a": "list"}, {"id": "number"}, {"b": "text"}, {"__index_level_0__": "number"},
        )
    ]  # fmt: skip
    assert len({base, *others}) == 6
    assert digest({"a": "text", "b": "text"}) == digest({"b": "text", "a": "text"})


def test_a_query_is_for_bigquery():
    check_query("", "data/{span}.csv")
    check_query("select 1", "bq://p.d.t_{span}")
    with pytest.raises(
        RetrainerError, match=r"data\.query is for BigQuery, and the pattern 'data/"
    ):
        check_query("select 1", "data/{span}.csv")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"skip_rows": True}, "skip_rows is True"),
        ({"skip_rows": "1"}, "skip_rows is '1'"),
        ({"thousands": "a"}, "the thousands mark is 'a'"),
        ({"thousands": "-"}, "the thousands mark is '-'"),
        ({"decimal": ",", "by_column": {"a": {"thousands": ","}}}, r"both ','.*by_column\.a"),
    ],
)
def test_marks_and_lines_that_can_not_be_are_named(options, says):
    with pytest.raises(RetrainerError, match=says):
        parse_csv_options(options)


def test_no_lines_are_skipped_and_no_column_is_apart_by_default():
    assert parse_csv_options({"skip_rows": 0, "by_column": {}, "thousands": ""}) == {
        "csv_skip_rows": 0, "csv_by_column": {}, "csv_thousands": "",
    }  # fmt: skip
    own = {"a": {"decimal": ",", "thousands": "."}}
    assert parse_csv_options({"by_column": own}) == {"csv_by_column": own}


def test_spans_that_were_stored_keep_the_versions_that_they_have():
    # Another digest would ingest every span again: raise INGEST_VERSION only where the rows are others.
    plain = IngestSettings("late")
    assert plain.digest(b"") == "b6430c9ffbed54cdcdf0ab368c7f64011285c4b936be4172e4a73c0bbe86b1f5"
    private = IngestSettings(
        "late", key=("id",), hash=("who",), drop=("a",), types={"b": "text"},
        source=SourceOptions(csv_delimiter=";"),
    )  # fmt: skip
    assert private.digest(b"a key of enough bytes") == (
        "02981bbe231650bebf1348ff40101aad1dad759da33bab32d657628fe557372e"
    )


def test_a_third_of_the_keys_evaluate_and_one_row_in_a_hundred_may_be_unreadable():
    settings = IngestSettings("late")
    assert (settings.eval_fraction, settings.max_bad_rows) == (1 / 3, 0.01)
    assert (settings.split, settings.hash_key_env) == ("newest_spans", "RETRAINER_HASH_KEY")
