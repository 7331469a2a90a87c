"""The store's schema: frozen by the first run, and edited by people."""

import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from retrainer.components.validate_examples import validate as work


def test_a_later_run_reads_it_and_changes_nothing(judge, frozen, three, months):
    before = frozen.schema.read_bytes()
    judge({**three, "2013-04": months["2013-04"].assign(gate="B4")})
    assert frozen.schema.read_bytes() == before


def test_an_edit_by_hand_counts(judge, frozen, three):
    text = frozen.schema.read_text()
    schema = text_format.Parse(text, schema_pb2.Schema())
    for feature in schema.feature:
        if feature.name == "minute":
            feature.int_domain.max = 30
            feature.ClearField("annotation")
        if feature.name == "hour":
            feature.lifecycle_stage = schema_pb2.DEPRECATED
        if feature.name == "carrier":
            feature.drift_comparator.infinity_norm.threshold = 0.001
    frozen.schema.write_text(text_format.MessageToString(schema))
    spans = {span: frame.drop(columns="hour") for span, frame in three.items()}
    for folder in (frozen.home / "store" / "spans").iterdir():
        folder.rename(folder.with_name(f"old-{folder.name}"))
    outcome = judge(spans)
    assert outcome.found("error") == {("minute", "out_of_domain"), ("carrier", "drift")}
    assert "at most 30" in outcome.error


def test_a_curated_schema_is_read_and_not_written(judge, frozen, three, tmp_path):
    curated = tmp_path / "curated.pbtxt"
    schema = text_format.Parse(frozen.schema.read_text(), schema_pb2.Schema())
    schema.feature.add(name="gate", type=schema_pb2.BYTES).presence.min_count = 1
    curated.write_text(text_format.MessageToString(schema))
    before = curated.read_bytes()
    frozen.schema.unlink()
    outcome = judge(three, schema_uri=str(curated))
    assert outcome.found("error") == {("gate", "missing_column")}
    assert f"edit {curated}" in outcome.error
    assert curated.read_bytes() == before
    assert not frozen.schema.exists()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "there is no schema at"),
        ("feature { nmae: 1 }", "not a schema"),
        ("feature { name: 'Größe' }".encode("latin-1"), "not a schema"),
        ("", "without columns"),
        ("# nothing yet\n", "without columns"),
        ("feature { name: 'hour' type: INT } " * 2, "has the column 'hour' 2 times"),
    ],
)
def test_a_schema_that_cannot_be_read(judge, three, tmp_path, content, reason):
    uri = tmp_path / "curated.pbtxt"
    if content is not None:
        uri.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert reason in judge(three, schema_uri=str(uri)).error


def test_a_folder_is_no_schema(judge, three, tmp_path):
    assert "is a folder" in judge(three, schema_uri=str(tmp_path)).error


def test_a_threshold_for_label_or_key_counts_where_somebody_set_it(judge, frozen, three):
    measure = {"jensen_shannon_divergence": 1e-12}
    assert judge(three).error == ""
    outcome = judge(three, drift={"columns": {"late": measure}})
    assert outcome.found("error") == {("late", "drift")}
    schema = text_format.Parse(frozen.schema.read_text(), schema_pb2.Schema())
    for feature in schema.feature:
        if feature.name in ("late", "flight"):
            feature.drift_comparator.jensen_shannon_divergence.threshold = 1e-12
    frozen.schema.write_text(text_format.MessageToString(schema))
    assert judge(three, key=["flight"]).found("error") == {("late", "drift"), ("flight", "drift")}


def test_a_threshold_that_numbers_never_pass_is_said_to_do_nothing(judge, frozen, three):
    schema = text_format.Parse(frozen.schema.read_text(), schema_pb2.Schema())
    known = {feature.name: feature for feature in schema.feature}
    known["hour"].drift_comparator.infinity_norm.threshold = 0.001
    known["carrier"].drift_comparator.infinity_norm.threshold = 0.5
    frozen.schema.write_text(text_format.MessageToString(schema))
    outcome = judge(three)
    assert {f["column"] for f in outcome.findings if f["kind"] == "not_compared"} == {"hour"}
    assert "reads as 0" in outcome.one("hour", "not_compared")["seen"]
    assert "`jensen_shannon_divergence`" in outcome.one("hour", "not_compared")["remedy"]


def test_bad_training_data_is_not_frozen(judge, three):
    three["2013-02"] = three["2013-02"].assign(distance=-5)
    outcome = judge(three)
    assert ("distance", "out_of_domain") in outcome.found("error")
    assert not outcome.schema.exists()
    assert "not frozen" in outcome.page


def test_a_label_with_one_value_is_not_frozen(judge, three):
    spans = {span: frame.assign(late=1) for span, frame in three.items()}
    outcome = judge(spans)
    assert "late: constant label" in outcome.error
    assert not outcome.schema.exists()


def test_of_two_first_runs_one_schema_counts(judge, three, monkeypatch, frozen):
    """The other run's schema appears between looking for one and writing it."""
    other = frozen.schema.read_text().replace('name: "hour"', 'name: "gone"')
    frozen.schema.unlink()
    original = work.create_exclusive

    def lose(uri, text):
        frozen.schema.write_text(other)
        return original(uri, text)

    monkeypatch.setattr(work, "create_exclusive", lose)
    outcome = judge(three)
    assert outcome.found("error") == {("gone", "missing_column")}
    assert frozen.schema.read_text() == other


def test_a_run_that_fails_changes_nothing_of_a_frozen_schema(judge, frozen, three, months):
    before = frozen.schema.read_bytes()
    broken = months["2013-04"].drop(columns="hour").assign(carrier="ZZ", gate="B4")
    outcome = judge({**three, "2013-04": broken})
    assert "retrainer schema accept" in outcome.error
    assert frozen.schema.read_bytes() == before
    assert [path.name for path in frozen.schema.parent.iterdir()] == ["schema.pbtxt"]
