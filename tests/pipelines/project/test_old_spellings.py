"""Settings of earlier releases are read, and what they are called now is said."""

import pytest
from servers.small_project import MODEL

from retrainer.components.lib.errors import RetrainerError
from retrainer.pipelines.project.config import load_config, read_config

OLD = """\
name: orders
caching: false
image: ""
data:
  pattern: data/{span}.csv
  label: returned
  window: 4
  min_spans: 0
  split: hash
  eval_fraction: 0.25
  split_by: [customer]
  hash: [email]
  hash_key_file: key.txt
model: {steps: 0}
evaluation:
  metrics_specs: []
  example_weight_key: ""
tasks:
  all: {node_selector: {pool: small}}
  train_model:
    timeout_seconds: 900
    secrets: {A: s/k}
trigger_service:
  service_account: push@acme-ml.iam.gserviceaccount.com
"""
NEW = """\
version: 1
name: orders
data:
  pattern: data/{span}.csv
  label: returned
  window: 4
  split: {by: hash, eval_fraction: 0.25, columns: [customer]}
  hash: {columns: [email], key_file: key.txt}
evaluation:
  metrics_specs: []
tasks:
  all: {caching: false, kubernetes: {node_selector: {pool: small}}}
  train_model:
    kubernetes: {timeout_seconds: 900, secrets: {A: s/k}}
trigger_service: {push_account: push@acme-ml.iam.gserviceaccount.com}
"""


def test_the_old_spellings_mean_what_the_new_ones_mean():
    assert read_config(OLD, "y").config == read_config(NEW, "y").config
    assert read_config(NEW, "y").old == []


def test_each_old_spelling_is_named_with_its_line_and_the_new_one(tmp_path):
    (tmp_path / "model.py").write_text(MODEL)
    (tmp_path / "retrain.yaml").write_text(OLD)
    notes = []
    load_config(tmp_path, say=notes.append)
    lines = {line.removeprefix(f"{tmp_path}/retrain.yaml:").split(";")[0] for line in notes}
    assert lines == {
        "2: 'caching' is an old spelling of 'tasks.all.caching'",
        "3: 'image: ''' is an old spelling of null",
        "8: 'data.min_spans: 0' is an old spelling of null",
        "9: 'data.split' is an old spelling of 'data.split.by'",
        "10: 'data.eval_fraction' is an old spelling of 'data.split.eval_fraction'",
        "11: 'data.split_by' is an old spelling of 'data.split.columns'",
        "12: 'data.hash' is an old spelling of 'data.hash.columns'",
        "13: 'data.hash_key_file' is an old spelling of 'data.hash.key_file'",
        "14: 'model.steps: 0' is an old spelling of null",
        "17: 'evaluation.example_weight_key: ''' is an old spelling of null",
        "19: 'tasks.all.node_selector' is an old spelling of 'tasks.all.kubernetes.node_selector'",
        "21: 'tasks.train_model.timeout_seconds' is an old spelling of "
        "'tasks.train_model.kubernetes.timeout_seconds'",
        "22: 'tasks.train_model.secrets' is an old spelling of 'tasks.train_model.kubernetes.secrets'",
        "24: 'trigger_service.service_account' is an old spelling of 'trigger_service.push_account'",
    }


def test_a_setting_in_both_spellings_is_refused_with_both_lines():
    text = OLD.replace("  all: {node", "  all: {caching: true, node")
    with pytest.raises(RetrainerError, match=r"y:2: 'caching' is an old spelling.*too \(y:19\)"):
        read_config(text, "y")


def test_a_mistake_in_an_old_spelling_is_named_at_its_line():
    with pytest.raises(RetrainerError, match=r"y:10: 'data\.split\.eval_fraction' is 2"):
        read_config(OLD.replace("0.25", "2"), "y")


def test_a_file_of_a_later_version_names_the_release_that_is_needed():
    with pytest.raises(
        RetrainerError, match=r"^y:1: 'version' is 2, and this release .* newer one[^\n]*$"
    ):
        read_config(NEW.replace("version: 1", "version: 2\nnews: {}"), "y")


def test_null_is_unset_everywhere():
    nulls = NEW + "model:\nserving: {max_latency_ms: null}\ntargets: {vertex: {project: null}}\n"
    nothing = read_config(nulls + "triggers: null\n", "y")
    assert nothing.config == read_config(NEW, "y").config


def test_a_tasks_own_settings_come_over_those_of_all_name_by_name():
    tasks = read_config(
        NEW.replace("node_selector: {pool: small}", "node_selector: {pool: small, zone: a}")
        .replace("{caching: false,", "{caching: false, env: {C: x, B: y}, accelerator: t4,")
        .replace("timeout_seconds: 900,", "node_selector: {zone: b},")
        .replace("  train_model:\n", "  train_model:\n    accelerator: null\n    env: {B: null}\n"),
        "y",
    ).config.tasks
    own, other = tasks.of("train_model"), tasks.of("push_model")
    assert (own.accelerator, other.accelerator) == (None, "t4")
    assert (own.env, other.env) == ({"C": "x"}, {"C": "x", "B": "y"})
    assert own.kubernetes.node_selector == {"pool": "small", "zone": "b"}
    assert own.kubernetes.secrets == {"A": "s/k"}
    assert own.caching is False


def test_an_empty_text_that_says_something_is_kept():
    csv = "  csv: {thousands: ',', by_column: {code: {thousands: ''}}}\n"
    text = NEW.replace("  label: returned\n", f"  label: returned\n{csv}")
    config, _, old = read_config(text, "y")
    assert (config.data.csv.by_column["code"].thousands, old) == ("", [])
