"""The model card: valid by the public schema, and a page that shows what was measured and said."""

import re

import pytest

from retrainer.components.lib.registry.evaluation_summary import EvaluationSummary, SliceMetrics
from retrainer.components.lib.registry.model_versions import ModelVersion
from retrainer.components.push_model.model_card import model_card
from retrainer.components.push_model.model_card_page import render_card

TEXT = {"type": "string"}


def _objects(**properties):
    """Return an array of objects; the public schema allows further keys in them, this one does not."""
    return {
        "type": "array",
        "items": {"type": "object", "properties": properties, "additionalProperties": False},
    }


def _object(**properties):
    return {"type": "object", "properties": properties, "additionalProperties": False}


# Fields and types by reading tensorflow/model-card-toolkit,
# model_card_toolkit/schema/v0.0.2/model_card.schema.json.
SCHEMA = _object(
    schema_version=TEXT,
    model_details=_object(
        name=TEXT,
        overview=TEXT,
        documentation=TEXT,
        owners=_objects(name=TEXT, contact=TEXT),
        version=_object(name=TEXT, date={"type": "string", "format": "date"}, diff=TEXT),
        licenses={
            **_objects(identifier=TEXT, custom_text=TEXT),
            "items": {"oneOf": [{"required": ["identifier"]}, {"required": ["custom_text"]}]},
        },
        references=_objects(reference={"type": "string", "format": "uri"}),
        citations=_objects(style=TEXT, citation=TEXT),
    ),
    model_parameters=_object(
        model_architecture=TEXT,
        data=_objects(name=TEXT, link=TEXT, description=TEXT),
        input_format=TEXT,
        output_format=TEXT,
    ),
    quantitative_analysis=_object(
        performance_metrics=_objects(type=TEXT, value={"type": "number"}, slice=TEXT)
    ),
    considerations=_object(
        users=_objects(description=TEXT),
        use_cases=_objects(description=TEXT),
        limitations=_objects(description=TEXT),
        tradeoffs=_objects(description=TEXT),
        ethical_considerations=_objects(name=TEXT, mitigation_strategy=TEXT),
    ),
)
INFO = {
    "run": "flights-7",
    "pushed_at": "2026-11-26T08:12:01+00:00",
    "train_spans": ["2013-01", "2013-02"],
    "eval_spans": ["2013-03"],
    "span_versions": {"2013-03": "abc123"},
    "rows": {"train": 9000, "eval": 3000},
    "schema": {"digest": "f" * 64, "number": 2},
    "hyperparameters": {"units": 8},
    "made_with": {"retrainer": "0.1.0"},
}
EVALUATION = EvaluationSummary(
    (
        SliceMetrics(
            {}, {"auc": 0.91, "example_count": 3000.0}, 3000, {"auc": 0.9}, {"auc": (0.89, 0.93)}
        ),
        SliceMetrics({"carrier": "<UA>"}, {"auc": 0.85}, 700, {"auc": 0.86}),
        SliceMetrics({"carrier": "EV"}, {"auc": 0.7}, 600),
    ),
    verdict="blessed: auc 0.91 (champion version 6 0.9, +0.01)",
    champion_version=6,
)
CARD = {
    "name": "flights",
    "overview": "Tells which flights are late.",
    "owners": [{"name": "Ops", "contact": "ops@example.org"}],
    "license": "Apache-2.0",
    "references": ["https://example.org/flights"],
    "limitations": ["Blind to strikes"],
    "ethical_considerations": [{"name": "None known"}],
}


@pytest.mark.parametrize("card", [CARD, {}, {"license_text": "For us only"}])
@pytest.mark.parametrize(("info", "evaluation"), [(INFO, EVALUATION), ({}, EvaluationSummary())])
def test_a_card_is_valid_by_the_public_schema(card, info, evaluation):
    jsonschema = pytest.importorskip("jsonschema")
    made = model_card(ModelVersion(7, "m", "d" * 64, info), evaluation, card)
    checker = jsonschema.Draft7Validator.FORMAT_CHECKER
    jsonschema.Draft7Validator(SCHEMA, format_checker=checker).validate(made)
    assert made["schema_version"] == "0.0.2"


def test_a_card_without_anything_to_say_has_the_versions_number_alone():
    made = model_card(ModelVersion(7, "m", "d" * 64), EvaluationSummary(), {})
    assert made == {
        "schema_version": "0.0.2",
        "model_details": {"name": "model", "version": {"name": "7"}},
    }


def test_everything_said_and_known_of_a_model_stands_on_its_card():
    said = {
        **CARD,
        "documentation": "Trained daily.",
        "license": "",
        "license_text": "For us only",
        "citations": ["Ops, 2026"],
        "users": ["Dispatchers"],
    }
    info = {**INFO, "rows": {"train": 0}, "training": {"epochs": 3, "batch_size": 64}}
    made = model_card(ModelVersion(7, "m", "d" * 64, info), EvaluationSummary(), said)
    assert made == {
        "schema_version": "0.0.2",
        "model_details": {
            "name": "flights",
            "overview": "Tells which flights are late.",
            "documentation": "Trained daily.",
            "owners": [{"name": "Ops", "contact": "ops@example.org"}],
            "version": {"name": "7", "date": "2026-11-26"},
            "licenses": [{"custom_text": "For us only"}],
            "references": [{"reference": "https://example.org/flights"}],
            "citations": [{"citation": "Ops, 2026"}],
        },
        "model_parameters": {
            "model_architecture": "Made with: retrainer 0.1.0. Hyperparameters: units 8. Training: epochs 3, "
            "batch_size 64.",
            "data": [
                {"name": "training data", "description": "Spans 2013-01, 2013-02. 0 rows."},
                {
                    "name": "evaluation data",
                    "description": "Spans 2013-03. Versions: 2013-03 abc123.",
                },
            ],
            "input_format": "Columns by name; schema.pbtxt beside this card has their types and domains.",
        },
        "considerations": {
            "users": [{"description": "Dispatchers"}],
            "limitations": [{"description": "Blind to strikes"}],
            "ethical_considerations": [{"name": "None known"}],
        },
    }
    unnumbered = model_card(
        ModelVersion(7, "m", "d" * 64, {"schema": {"digest": "f" * 64}}), EvaluationSummary(), said
    )
    assert "model_parameters" not in unnumbered


def test_a_card_has_what_was_measured_and_what_was_said():
    made = model_card(ModelVersion(7, "m", "d" * 64, INFO), EVALUATION, CARD)
    assert made["model_details"]["version"] == {
        "name": "7",
        "date": "2026-11-26",
        "diff": EVALUATION.verdict,
    }
    assert made["model_details"]["licenses"] == [{"identifier": "Apache-2.0"}]
    data = [one["description"] for one in made["model_parameters"]["data"]]
    assert data == [
        "Spans 2013-01, 2013-02. 9,000 rows.",
        "Spans 2013-03. 3,000 rows. Versions: 2013-03 abc123.",
    ]
    metrics = made["quantitative_analysis"]["performance_metrics"]
    assert {"type": "auc", "value": 0.85, "slice": "carrier = <UA>"} in metrics
    assert metrics[0] == {"type": "auc", "value": 0.91}
    assert made["considerations"]["limitations"] == [{"description": "Blind to strikes"}]


def test_the_page_shows_it_and_needs_no_network():
    page = render_card(ModelVersion(7, "m", "d" * 64, INFO), EVALUATION, CARD, "gs://b/store")
    assert "Model card: flights, version 7" in page
    for text in ("Blind to strikes", "Ops ops@example.org", "0.89 to 0.93", "Champion version 6"):
        assert text in page, text
    # What the data holds is text.
    assert "&lt;UA&gt;" in page
    assert "<UA>" not in page
    assert not re.search(r'(src|href)="(https?:)?//', page)


def test_a_page_without_metrics_says_so():
    page = render_card(ModelVersion(1, "m", "d" * 64), EvaluationSummary(), {})
    assert "No metrics were recorded with this version" in page
    assert "not recorded" in page
