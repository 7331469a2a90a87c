"""What needs no data to be refused is refused before anything runs."""

import pytest

from retrainer.components.lib.errors import RetrainerError
from retrainer.pipelines.compiling import compile_spec
from retrainer.pipelines.config import load_config

CONFIG = """\
name: orders
data:
  pattern: data/{{span}}.csv
  label: returned
  {data}
validation:
  {validation}
evaluation:
  metrics_specs:
    - metrics: [{{class_name: AUC}}]
"""


def compile_with(folder, data="drop: [note]", validation="max_rows_factor: 3"):
    (folder / "model.py").write_text("x = 1\n")
    (folder / "retrain.yaml").write_text(CONFIG.format(data=data, validation=validation))
    return compile_spec(load_config(folder))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("csv: {delimiter: ;;}", "delimiter is ';;'; give one ASCII character"),
        ("csv: {encoding: cp12522}", "no encoding 'cp12522'"),
        ("drop: [returned]", "'returned' is the label"),
        ("hash: [returned]", "the label 'returned' can't be"),
        ("split_by: [customer]", "Take split_by out, or split by hash"),
        ("pattern: data/orders.csv", "orders.csv' has 0 '{span}' in it"),
        ("pattern: 'data/{span:%Y-%W}.csv'", "has the field '%W'"),
        ("marker: done/_SUCCESS", "must be a file's name"),
        ("marker: _SUCCESS", "can't tell which span it completes"),
        ("pattern: bq://a.b.c_{span}\n  marker: _SUCCESS", "tables of BigQuery have none"),
    ],
)
def test_data_that_could_not_be_ingested_is_not_compiled(tmp_path, data, reason):
    with pytest.raises(RetrainerError, match=reason):
        compile_with(tmp_path, data=data)


@pytest.mark.parametrize(
    ("validation", "reason"),
    [
        ("domains: {items: {minimum: 1}}", r"validation\.domains\.items has no 'minimum'"),
        ("severity: {drfit: error}", "Did you mean 'drift'"),
        ("skew: {infinity_norm: -1}", r"validation\.skew\.infinity_norm is -1"),
    ],
)
def test_thresholds_that_could_not_be_used_are_not_compiled(tmp_path, validation, reason):
    with pytest.raises(RetrainerError, match=reason):
        compile_with(tmp_path, validation=validation)


def test_settings_that_agree_are_compiled(tmp_path):
    data = 'split: hash\n  split_by: [customer]\n  csv: {delimiter: ";", encoding: cp1252}'
    assert compile_with(tmp_path, data, "domains: {items: {min: 1}}")["root"]
