import pytest

from retrainer.components.lib.errors import RetrainerError
from retrainer.pipelines.project.sections.targets import VertexConfig
from retrainer.pipelines.project.sections.triggers import TriggerServiceConfig
from retrainer.pipelines.targets.precedence import parse_pairs, resolve_settings

FILE = VertexConfig(project="from-file", region="europe-west1", labels={"team": "search"})


def test_a_flag_goes_over_a_variable_and_that_over_the_file():
    environment = {"RETRAINER_VERTEX_PROJECT": "from-variable", "RETRAINER_VERTEX_REGION": "x1"}
    settings = resolve_settings(
        "vertex", FILE, {"project": "from-flag", "region": None}, environment
    )
    assert (settings.project, settings.region) == ("from-flag", "x1")
    assert settings.labels == {"team": "search"}


def test_other_sections_flags_are_left_alone():
    assert resolve_settings("vertex", FILE, {"namespace": "ml"}, {}) == FILE


def test_labels_come_in_one_variable():
    settings = resolve_settings("vertex", FILE, {}, {"RETRAINER_VERTEX_LABELS": "a=1, b=2"})
    assert settings.labels == {"a": "1", "b": "2"}
    assert resolve_settings("vertex", FILE, {}, {"RETRAINER_VERTEX_LABELS": ""}).labels == {}


def test_lists_numbers_and_flags_come_as_text():
    variables = {
        "RETRAINER_VERTEX_RESERVED_IP_RANGES": "a, b",
        "RETRAINER_VERTEX_PERSISTENT_RESOURCE_FALLBACK": "true",
    }
    settings = resolve_settings(
        "vertex", FILE, {"persistent_resource_wait_seconds": "60"}, variables
    )
    assert settings.reserved_ip_ranges == ["a", "b"]
    assert settings.persistent_resource_fallback is True
    assert settings.persistent_resource_wait_seconds == 60


def test_a_wrong_value_is_named_with_its_rule():
    with pytest.raises(RetrainerError, match="the label 'A' would be refused"):
        resolve_settings("vertex", FILE, {}, {"RETRAINER_VERTEX_LABELS": "A=1"})
    with pytest.raises(RetrainerError, match="RETRAINER_VERTEX_LABELS: 'a' is not of the form"):
        resolve_settings("vertex", FILE, {}, {"RETRAINER_VERTEX_LABELS": "a"})


def test_a_value_may_hold_an_equals_sign():
    assert parse_pairs(["pattern=gs://b/day={span}/*.csv"], "-p") == {
        "pattern": "gs://b/day={span}/*.csv"
    }


def test_a_variable_of_an_earlier_release_is_read_and_its_new_name_said(capsys):
    old = {"RETRAINER_TRIGGER_SERVICE_ACCOUNT": "old@acme-ml.iam.gserviceaccount.com"}
    settings = resolve_settings("trigger", TriggerServiceConfig(), {}, old)
    assert settings.push_account == old["RETRAINER_TRIGGER_SERVICE_ACCOUNT"]
    assert "is an old name of RETRAINER_TRIGGER_PUSH_ACCOUNT" in capsys.readouterr().err
    both = {**old, "RETRAINER_TRIGGER_PUSH_ACCOUNT": "new@acme-ml.iam.gserviceaccount.com"}
    assert resolve_settings("trigger", TriggerServiceConfig(), {}, both).push_account.startswith(
        "new@"
    )


def test_an_empty_variable_unsets_what_the_file_says():
    assert resolve_settings("vertex", FILE, {}, {"RETRAINER_VERTEX_PROJECT": ""}).project is None
