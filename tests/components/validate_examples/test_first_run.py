"""The first run is not stopped by what it has inferred itself."""

from dataclasses import fields

import numpy as np
import pandas as pd
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from retrainer.components import validate_examples
from retrainer.components.validate_examples.limits import Settings
from retrainer.pipelines.project.sections.quality import ValidationConfig


def spans(older, newest) -> dict[str, pd.DataFrame]:
    frames = {}
    for i in range(3):
        rng = np.random.default_rng(i)
        rows = 400
        make = newest if i == 2 else older
        frames[str(i)] = pd.DataFrame({"x": make(rng, rows), "y": rng.integers(0, 2, rows)})
    return frames


def column(outcome) -> schema_pb2.Feature:
    schema = text_format.Parse(outcome.schema.read_text(), schema_pb2.Schema())
    return next(feature for feature in schema.feature if feature.name == "x")


def with_gaps(share):
    def make(rng, rows):
        values = pd.array(rng.integers(0, 100, rows), dtype="Int64")
        values[: int(share * rows)] = pd.NA
        return values

    return make


def test_zeros_in_training_and_fractions_in_the_newest_span(judge):
    outcome = judge(
        spans(lambda rng, rows: np.zeros(rows, int), lambda rng, rows: rng.random(rows) * 0.01),
        label="y",
        drift={"columns": {"x": {}}},
    )
    assert outcome.error == ""
    assert column(outcome).type == schema_pb2.FLOAT
    assert column(outcome).float_domain.min == 0


def test_a_few_gaps_in_the_newest_span_and_many(judge):
    few = judge(spans(with_gaps(0), with_gaps(0.02)), label="y")
    assert few.error == ""
    assert 0 < column(few).presence.min_fraction < 1


def test_many_gaps_in_the_newest_span_are_a_fault(judge):
    assert "x: missing values" in judge(spans(with_gaps(0), with_gaps(0.4)), label="y").error


def test_with_a_schema_fractions_for_integers_are_still_a_fault(judge):
    assert judge(spans(with_gaps(0), with_gaps(0)), label="y").error == ""
    later = spans(with_gaps(0), lambda rng, rows: rng.random(rows) * 100)
    outcome = judge({f"{span}n": frame for span, frame in later.items()}, label="y")
    assert "x: wrong type" in outcome.error


def test_a_fault_of_a_newest_span_with_training_in_its_name_spoils_no_schema(judge):
    frames = spans(with_gaps(0), lambda rng, rows: rng.choice(["a", "b"], rows))
    names = ("day-1", "day-2", "training-1")
    outcome = judge(dict(zip(names, frames.values(), strict=True)), label="y")
    assert "x: wrong type" in outcome.error
    assert outcome.schema.exists(), "the training rows were good"


def test_the_defaults_of_the_face_and_of_retrain_yaml_are_those_of_the_settings():
    defaults = Settings()
    names = [
        field.name for field in fields(Settings) if isinstance(getattr(defaults, field.name), float)
    ]
    assert len(names) >= 5
    for name in names:
        assert validate_examples.component_spec.inputs[name].default == getattr(defaults, name)
        assert ValidationConfig.model_fields[name].default == getattr(defaults, name)
