"""The text is read by TensorFlow Serving's own messages."""

import pytest
from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from retrainer.components.lib.serving.tf_serving.config_text import (
    ConfigTextError,
    ModelEntry,
    read_entry,
    with_entry,
    without_entry,
)

ENTRY = ModelEntry("tips", "gs://acme/serving/tips", (7, 8), {"stable": 8, "canary": 7})
OTHERS = """\
# Written by hand.
model_config_list: {
  config < name: 'a' "b" base_path: "/models/a\\"b" ; model_platform: "tensorflow" >
  config {
    name: "fares"  # the brace } in a comment and "quotes"
    base_path: "/models/fares}{"
    model_platform: "tensorflow"
    model_version_policy { latest { num_versions: 2 } }
    logging_config { sampling_config { sampling_rate: 0.1 } }
  }
}
"""


def _parse(text):
    return text_format.Parse(text, model_server_config_pb2.ModelServerConfig()).model_config_list


def test_an_entry_in_an_empty_file_is_what_tensorflow_serving_reads():
    (config,) = _parse(with_entry("", ENTRY)).config
    assert (config.name, config.base_path) == ("tips", "gs://acme/serving/tips")
    assert config.model_platform == "tensorflow"
    assert list(config.model_version_policy.specific.versions) == [7, 8]
    assert dict(config.version_labels) == {"stable": 8, "canary": 7}
    assert read_entry(with_entry("", ENTRY), "tips") == ENTRY


def test_other_models_comments_and_their_fields_stay_as_they_are():
    changed = with_entry(OTHERS, ENTRY)
    assert changed.replace(changed[changed.index('  config {\n    name: "tips"') :], "") in OTHERS
    before, after = _parse(OTHERS).config, _parse(changed).config
    assert list(after)[:2] == list(before)
    assert after[2].name == "tips"
    assert read_entry(changed, "tips") == ENTRY
    assert _parse(without_entry(changed, "tips")) == _parse(OTHERS)
    assert without_entry(OTHERS, "tips") == OTHERS


def test_an_entry_is_replaced_and_keeps_what_is_not_ours():
    text = with_entry(OTHERS, ModelEntry("fares", "/models/fares", (3,), {"stable": 3}))
    fares = _parse(text).config[1]
    assert list(fares.model_version_policy.specific.versions) == [3]
    assert fares.logging_config.sampling_config.sampling_rate == pytest.approx(0.1)
    again = with_entry(text, ModelEntry("fares", "/models/fares", (3, 4), {"stable": 4}))
    assert list(_parse(again).config[1].model_version_policy.specific.versions) == [3, 4]
    assert dict(_parse(again).config[1].version_labels) == {"stable": 4}
    assert "# Written by hand." in again
    # It does not grow with each deployment.
    assert len(with_entry(again, read_entry(again, "fares"))) == len(again)


@pytest.mark.parametrize(
    "written",
    [
        "model_config_list { config { name: 'tips' model_version_policy { specific { versions: [7, 8] } } } }",
        "model_config_list { config: { name: 't' 'ips', model_version_policy: < specific: { versions: 7; "
        "versions: 0x8 } > } }",
    ],
)
def test_every_way_to_write_versions_is_read(written):
    _parse(written)
    assert read_entry(written, "tips").versions == (7, 8)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("model_config_list {\n config {\n", "line 1 is not protobuf's text format"),
        ("model_config_list { config } ", "line 1 is not"),
        ('model_config_list {\n config { name: "x } }', "line 2 is not"),
        ("custom_model_config { }", "custom_model_config, which leaves no room"),
    ],
)
def test_a_file_that_is_damaged_is_named_and_not_replaced(text, reason):
    with pytest.raises(ConfigTextError, match=reason):
        with_entry(text, ENTRY)
