"""The settings of ingestion."""

import pytest

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.source_rows.csv_options import parse_csv_options
from retrainer.components.lib.source_rows.settings import IngestSettings
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
            {"split": "hash"},
            {"eval_fraction": 0.2},
            {"source": SourceOptions(csv_delimiter=";")},
            {"source": SourceOptions(csv_skip_rows=1)},
            {"source": SourceOptions(csv_quote="")},
            {"source": SourceOptions(csv_by_column={"a": {"decimal": ","}})},
        )
    ]
    digests = {one.digest(b"k" * 16) for one in [base, *others]}
    assert len(digests) == 8
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
        ({"delimeter": ";"}, r"'delimeter' is unknown\. Did you mean 'delimiter'\?"),
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
