"""One retrain.yaml for several places: values from environment variables."""

import pytest
from servers.small_project import MODEL

from retrainer.components.lib.errors import RetrainerError
from retrainer.pipelines.cli.prepare import load_with_image
from retrainer.pipelines.definitions.compiling import compile_spec
from retrainer.pipelines.project.config import load_config, read_config
from retrainer.pipelines.project.variables import VariableError, fill_in

CONFIG = """\
name: orders
store: ${BUCKET:-store}
data:
  pattern: ${PATTERN:-data/{span}.csv}
  label: returned
  window: ${WINDOW:-4}
model:
  warm_start: ${WARM:-false}
  hyperparameters:
    size: ${SIZE:-8}
    word: "${SIZE:-8}"
evaluation:
  metrics_specs:
    - metrics: [{class_name: AUC}]
tasks:
  all:
    cpu: ${CPU:-2}
    env:
      TIER: ${TIER:-}
      PRICE: $${amount}
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    for name in ("BUCKET", "PATTERN", "WINDOW", "WARM", "SIZE", "CPU", "TIER"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "model.py").write_text(MODEL)
    (tmp_path / "retrain.yaml").write_text(CONFIG)
    return tmp_path


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("gs://${A}/x-${A}", "gs://acme/x-acme"),
        ("${B:-x}${E:-y}", "xy"),
        ("${E}", ""),
        ("${B:-${A}/{span}.csv}", "acme/{span}.csv"),
        ("$${A} costs $5", "${A} costs $5"),
        ("bq://p.d.t${span:%Y%m%d}", "bq://p.d.t${span:%Y%m%d}"),
        ("bq://p.d.${A}${span}", "bq://p.d.acme${span}"),
    ],
)
def test_variables_are_filled_in(text, filled):
    assert fill_in(text, {"A": "acme", "E": ""}) == filled


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("${B}", r"variable B is not set\. Set it, or write \$\{B:-default\}"),
        ("${region}", r"'\$\{region\}' is not a variable: .* in upper case"),
        ("${B:?no}", "is not a variable"),
        ("${B", "no closing brace"),
        ("${B:-${C}}", "variable C is not set"),
    ],
)
def test_what_is_no_variable_is_refused(text, says):
    with pytest.raises(VariableError, match=says):
        fill_in(text, {"A": "acme"})


def test_one_file_serves_development_and_production(project, monkeypatch):
    here = load_config(project).config
    assert (here.store, here.data.window) == (str(project / "store"), 4)
    for name, value in {
        "BUCKET": "gs://acme/store",
        "PATTERN": "gs://acme/{span}.csv",
        "WINDOW": "14",
        "WARM": "true",
        "SIZE": "64",
        "TIER": "1",
    }.items():
        monkeypatch.setenv(name, value)
    there = load_config(project).config
    assert (there.store, there.data.pattern) == ("gs://acme/store", "gs://acme/{span}.csv")
    assert (there.data.window, there.model.warm_start) == (14, True)
    assert there.tasks.all.env == {"TIER": "1", "PRICE": "${amount}"}


def test_a_value_of_any_kind_is_read_as_yaml_reads_it_unless_it_is_in_quotes(project, monkeypatch):
    monkeypatch.setenv("SIZE", "16")
    assert load_config(project).config.model.hyperparameters == {"size": 16, "word": "16"}


def test_what_is_compiled_is_what_was_filled_in(project, monkeypatch):
    monkeypatch.setenv("BUCKET", "gs://acme/store")
    parameters = compile_spec(load_config(project))["root"]["inputDefinitions"]["parameters"]
    assert parameters["store"]["defaultValue"] == "gs://acme/store"


def test_missing_variables_are_all_named_with_their_lines():
    text = CONFIG.replace(":-store", "").replace(":-4", "")
    with pytest.raises(RetrainerError) as error:
        read_config(text, "y")
    first, second = str(error.value).splitlines()
    assert first.startswith("y:2: 'store': the environment variable BUCKET is not set. Set it")
    assert second.startswith("y:6: 'data.window': the environment variable WINDOW is not set")


def test_a_variable_between_braces_needs_quotes():
    with pytest.raises(RetrainerError, match=r"y:2:\d+: this is not YAML.* in quotes between"):
        read_config("name: orders\ndata: {pattern: ${PATTERN}}\nevaluation: {}\n", "y")


def test_the_store_and_the_image_have_variables_of_their_own(project, monkeypatch):
    (project / "retrain.yaml").write_text(CONFIG + "image: registry.example/a:1\n")
    monkeypatch.setenv("RETRAINER_STORE", "s3://acme/store")
    monkeypatch.setenv("RETRAINER_IMAGE", "registry.example/b:2")
    loaded = load_config(project)
    assert (loaded.config.store, loaded.config.image) == (
        "s3://acme/store",
        "registry.example/b:2",
    )
    assert loaded.config.pipeline_root == "s3://acme/store/pipeline_root"
    assert loaded.places.locate(("image",)) == "RETRAINER_IMAGE"


def test_plain_numbers_are_text_where_yaml_would_not_change_them():
    text = CONFIG.replace("${CPU:-2}", "0.5").replace("${TIER:-}", "3")
    tasks = read_config(text, "y").config.tasks
    assert (tasks.all.cpu, tasks.all.env["TIER"]) == ("0.5", "3")
    for changed in ("007", "1.10", "yes", "2026-01-01"):
        with pytest.raises(RetrainerError, match=f'quotes to have text: "{changed}"'):
            read_config(CONFIG.replace("${TIER:-}", changed), "y")


def test_a_flag_goes_over_a_variable_and_that_over_the_file(project, monkeypatch):
    # By digest, no registry is asked.
    images = [f"registry.example/a@sha256:{digit * 64}" for digit in "123"]
    (project / "retrain.yaml").write_text(f"{CONFIG}image: {images[0]}\n")
    assert load_with_image(project, None).config.image == images[0]
    monkeypatch.setenv("RETRAINER_IMAGE", images[1])
    assert load_with_image(project, None).config.image == images[1]
    assert load_with_image(project, images[2]).config.image == images[2]


def test_a_value_of_any_kind_that_is_no_yaml_is_an_error_of_its_line(project, monkeypatch):
    monkeypatch.setenv("SIZE", "[secret")
    with pytest.raises(
        RetrainerError, match=r":10: 'model.hyperparameters.size' is not YAML"
    ) as error:
        load_config(project)
    assert "secret" not in str(error.value)
