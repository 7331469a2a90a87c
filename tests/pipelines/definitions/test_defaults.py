"""A default has one value in a component's face, in the settings of its plain functions and in retrain.yaml.

KFP copies a face's source into the compiled pipeline, so a default there has to be a literal, and can't be shared.
"""

from dataclasses import MISSING, fields
from typing import Any

import pytest
from pydantic_core import PydanticUndefined

from retrainer.components import (
    check_serving,
    compute_statistics,
    evaluate_model,
    ingest_spans,
    push_model,
    train_model,
    validate_examples,
)
from retrainer.components.lib.source_rows.settings import IngestSettings
from retrainer.components.lib.source_rows.sources.base import SourceOptions
from retrainer.pipelines.project.sections.data import DataConfig, HashConfig, SplitConfig
from retrainer.pipelines.project.sections.model import ModelConfig
from retrainer.pipelines.project.sections.quality import (
    EvaluationConfig,
    ServingConfig,
    StatisticsConfig,
    ValidationConfig,
)

# Sections of retrain.yaml, and inputs that have another name there.
SECTIONS: list[tuple[Any, type, dict[str, str]]] = [
    (ingest_spans, DataConfig, {}),
    (ingest_spans, SplitConfig, {"by": "split", "columns": "split_by"}),
    (ingest_spans, HashConfig, {"columns": "hash", "key_env": "hash_key_env", "key_file": "hash_key_file"}),
    (compute_statistics, StatisticsConfig, {}),
    (validate_examples, ValidationConfig, {}),
    (train_model, ModelConfig, {}),
    (evaluate_model, EvaluationConfig, {}),
    (push_model, EvaluationConfig, {}),
    (check_serving, ServingConfig, {}),
]  # fmt: skip
# Sections by themselves, the file that is loaded as a module, and the slice of all rows, which TFMA adds itself.
OTHERS = {
    (DataConfig, "split"), (DataConfig, "hash"), (DataConfig, "csv"), (ModelConfig, "module"),
    (EvaluationConfig, "slicing_specs"),
}  # fmt: skip


def defaults_of(component: Any) -> dict[str, Any]:
    return {
        name: one.default
        for name, one in component.component_spec.inputs.items()
        if one.optional and one.default is not None
    }


def plain(value: Any) -> Any:
    """A default without its type: none, empty and 0 are `not set`."""
    return None if value in (None, "", 0, (), [], {}) and value is not False else value


@pytest.mark.parametrize(
    ("component", "section", "names"), SECTIONS, ids=lambda one: getattr(one, "__name__", "")
)
def test_a_setting_has_the_default_of_the_components_input(component, section, names):
    inputs = defaults_of(component)
    compared = 0
    for name, field in section.model_fields.items():
        target = names.get(name, name)
        if target not in inputs or (section, name) in OTHERS:
            continue
        value = field.get_default(call_default_factory=True)
        if value is PydanticUndefined:
            continue
        assert plain(value) == plain(inputs[target]), name
        compared += 1
    assert compared


@pytest.mark.parametrize("settings", [IngestSettings, SourceOptions])
def test_settings_of_ingestion_have_the_defaults_of_the_components_inputs(settings):
    inputs = defaults_of(ingest_spans)
    found = {
        one.name: one.default if one.default_factory is MISSING else one.default_factory()
        for one in fields(settings)
        if one.name in inputs and one.name != "source"
    }
    assert len(found) > 2
    assert {name: plain(value) for name, value in found.items()} == {
        name: plain(inputs[name]) for name in found
    }
