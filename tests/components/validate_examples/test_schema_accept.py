"""What data would change in a schema, and that data fits once it is taken."""

import pandas as pd
import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from retrainer.components.compute_statistics.compute import compute
from retrainer.components.lib.schema_file import load_schema
from retrainer.components.validate_examples.schema_accept import update_schema
from retrainer.components.validate_examples.settings import parse_settings
from retrainer.components.validate_examples.window import read_window

ROWS = 400


def clean() -> pd.DataFrame:
    numbers = list(range(ROWS))
    return pd.DataFrame(
        {
            "shop": ["north", "south"] * (ROWS // 2),
            "price": [number + 0.5 for number in numbers],
            "pieces": [1 + number % 7 for number in numbers],
            "size": [float(number % 5) + 0.5 for number in numbers],
            "sold": [number % 2 for number in numbers],
        }
    )


def write(change, column, share, value):
    frame = change.copy()
    frame[column] = frame[column].astype(object)
    frame.loc[: int(share * ROWS) - 1, column] = value
    return frame.infer_objects()


@pytest.fixture
def window(make_examples, tmp_path):
    """A function that gives the statistics of two clean spans and a newest one."""

    def of(newest, label="sold"):
        spans = {"1": clean(), "2": clean(), "3": newest}
        compute(make_examples(spans, label=label), str(tmp_path / "s"), str(tmp_path / "s.html"))
        return read_window(str(tmp_path / "s"))

    return of


@pytest.fixture
def schema(judge, tmp_path):
    spans = {"a": clean(), "b": clean(), "c": clean()}
    outcome = judge(spans, label="sold", severity={"same_data": "ignore"})
    assert outcome.error == ""
    return load_schema(str(outcome.schema))[0]


FAULTS = {
    "new values": (
        lambda f: write(f, "shop", 0.1, "west"),
        ("shop", "unexpected_values", "the domain gains 1 value (west)"),
    ),
    "range": (
        lambda f: write(f, "price", 0.1, -5.5),
        ("price", "out_of_domain", "'from 0' becomes 'from -5.5'"),
    ),
    "column gone": (
        lambda f: f.drop(columns="size"),
        ("size", "missing_column", "no such column; it becomes DEPRECATED"),
    ),
    "no value": (
        lambda f: f.assign(size=None),
        ("size", "missing_column", "no value in any row; it becomes DEPRECATED"),
    ),
    "new column": (
        lambda f: f.assign(gate=["A", "B"] * (ROWS // 2)),
        ("gate", "new_column", "type BYTES, may be missing, one of 2 values (A, B)"),
    ),
    "gaps": (
        lambda f: write(f, "price", 0.5, None).astype({"price": float}),
        (
            "price",
            "missing_values",
            "'at least 90 % of the rows' becomes 'at least 45 % of the rows'",
        ),
    ),
    "gaps in integers": (
        lambda f: write(f, "pieces", 0.1, None).astype({"pieces": "Int64"}),
        ("pieces", "missing_values", "'every row' becomes 'at least 81 % of the rows'"),
    ),
    "fractions": (
        lambda f: f.assign(pieces=f.pieces + 0.5),
        ("pieces", "wrong_type", "type INT becomes FLOAT"),
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_change_is_named_and_then_fits(window, schema, fault):
    change, (column, kind, words) = FAULTS[fault]
    before = schema.SerializeToString()
    data = window(change(clean()))
    update = update_schema(schema, data, parse_settings())
    assert [(one.column, one.kind.name) for one in update.changes] == [(column, kind)]
    assert words in update.changes[0].words
    assert update.changes[0].where == "evaluation (3)"
    assert update.left == ()
    assert schema.SerializeToString() == before
    assert update_schema(update.schema, data, parse_settings()).changes == ()


def test_data_that_fits_changes_nothing(window, schema):
    update = update_schema(schema, window(clean()), parse_settings())
    assert (update.changes, update.left) == ((), ())
    assert update.schema == schema


def test_only_what_is_wanted_is_taken(window, schema):
    newest = write(clean(), "shop", 0.1, "west").assign(price=-1.0, gate="A")
    data = window(newest)
    update = update_schema(schema, data, parse_settings(), lambda column, kind: column == "shop")
    assert [one.column for one in update.changes] == ["shop"]
    changed = {f.name for f in update.schema.feature} ^ {f.name for f in schema.feature}
    assert changed == set()
    prices = [next(f for f in s.feature if f.name == "price") for s in (schema, update.schema)]
    assert prices[0] == prices[1]


def test_what_somebody_wrote_of_a_column_stays(window, schema):
    (shop,) = [feature for feature in schema.feature if feature.name == "shop"]
    shop.drift_comparator.infinity_norm.threshold = 0.4
    shop.skew_comparator.infinity_norm.threshold = 0.3
    shop.distribution_constraints.min_domain_mass = 0.95
    shop.annotation.comment.append("mine")
    update = update_schema(schema, window(write(clean(), "shop", 0.1, "west")), parse_settings())
    (after,) = [feature for feature in update.schema.feature if feature.name == "shop"]
    assert after == shop
    assert list(update.schema.string_domain[0].value) == ["north", "south", "west"]


def test_a_domain_that_gains_a_value_keeps_its_place_in_the_schema(window, schema):
    schema.string_domain.add(name="written by hand", value=["a"])
    names = [domain.name for domain in schema.string_domain]
    update = update_schema(schema, window(write(clean(), "shop", 0.1, "west")), parse_settings())
    assert [domain.name for domain in update.schema.string_domain] == names


def test_a_domain_of_the_settings_is_refused(window, schema):
    settings = parse_settings(domains={"shop": {"values": ["north", "south"]}})
    update = update_schema(schema, window(write(clean(), "shop", 0.1, "west")), settings)
    assert "change validation.domains.shop" in update.changes[0].refused
    assert update.schema == schema


def test_a_share_of_rows_in_the_settings_leaves_the_values_to_the_schema(window, schema):
    settings = parse_settings(domains={"shop": {"min_domain_mass": 1}})
    update = update_schema(schema, window(write(clean(), "shop", 0.1, "west")), settings)
    assert [change.refused for change in update.changes] == [""]
    assert not update.left
    assert update.changes[0].words == "the domain gains 1 value (west)"


def test_the_label_is_not_given_up(window, schema):
    update = update_schema(schema, window(clean().assign(sold=None)), parse_settings())
    refused = {one.column: one.refused for one in update.changes}
    assert "it is the label" in refused["sold"]
    assert update.schema == schema


def test_text_in_place_of_numbers_is_said_to_stop_runs_that_hold_both(window, schema):
    update = update_schema(
        schema, window(clean().assign(price=[f"{n} mi" for n in range(ROWS)])), parse_settings()
    )
    assert "type FLOAT becomes BYTES" in update.changes[0].words
    assert any("price: wrong type in training (1, 2)" in line for line in update.left)


def test_a_shape_that_no_longer_fits_is_replaced(window, schema):
    text = text_format.MessageToString(schema)
    shaped = text_format.Parse(text, schema_pb2.Schema())
    (price,) = [feature for feature in shaped.feature if feature.name == "price"]
    price.presence.min_fraction = 1
    price.shape.dim.add(size=2)
    update = update_schema(shaped, window(clean()), parse_settings())
    assert [(one.column, one.kind.name) for one in update.changes] == [("price", "wrong_shape")]
    assert update.left == ()


def test_what_the_schema_says_of_all_rows_is_told_and_left_to_be_changed_by_hand(window, schema):
    schema.dataset_constraints.min_examples_count = 500
    schema.dataset_constraints.num_examples_drift_comparator.max_fraction_threshold = 0.9
    before = schema.SerializeToString()
    update = update_schema(schema, window(clean()), parse_settings())
    lines = {change.kind.name: change.line for change in update.changes}
    assert lines["few_rows"].startswith(
        "all rows: row count dropped: 400 rows where at least 500 rows is expected, in evaluation (3)"
    )
    assert (
        "change dataset_constraints.min_examples_count in the schema by hand" in lines["few_rows"]
    )
    assert "at most 0.9 times as many as the span before" in lines["many_rows"]
    assert all(change.refused for change in update.changes)
    assert update.schema.SerializeToString() == before
