import re
from pathlib import Path

import pytest
import yaml
from servers.small_project import MODEL

from retrainer.components.lib.errors import RetrainerError
from retrainer.pipelines.definitions.compiling import compile_spec
from retrainer.pipelines.project.config import load_config, read_config
from retrainer.pipelines.project.sections.tasks import TasksConfig
from retrainer.pipelines.targets.catalog import check_reachable

SMALLEST = """\
name: orders
data:
  pattern: data/{span}.csv
  label: returned
evaluation:
  metrics_specs:
    - metrics: [{class_name: AUC}]
"""


@pytest.fixture
def project(tmp_path):
    (tmp_path / "model.py").write_text(MODEL)
    (tmp_path / "retrain.yaml").write_text(SMALLEST)
    return tmp_path


def test_relative_paths_start_at_the_file(project):
    config = load_config(project / "retrain.yaml").config
    assert config.data.pattern == str(project / "data" / "{span}.csv")
    assert config.store == str(project / "store")
    assert config.pipeline_root == str(project / "store" / "pipeline_root")


def test_uris_are_left_as_they_are(project):
    text = SMALLEST.replace("data/{span}", "gs://bucket/{span}") + "store: s3://bucket/store\n"
    (project / "retrain.yaml").write_text(text)
    config = load_config(project).config
    assert config.data.pattern == "gs://bucket/{span}.csv"
    assert config.pipeline_root == "s3://bucket/store/pipeline_root"


@pytest.mark.parametrize(
    "pattern", ["bq://acme-ml.shop.orders_{span:%Y%m%d}", "bq://acme-ml.shop.orders${span:%Y%m%d}"]
)
def test_tables_of_bigquery_reach_the_pipeline_as_they_are_written(project, pattern):
    text = SMALLEST.replace("data/{span}.csv", pattern) + "store: gs://acme-ml/store\n"
    (project / "retrain.yaml").write_text(text)
    loaded = load_config(project)
    check_reachable("vertex", {"data.pattern": loaded.config.data.pattern})
    parameters = compile_spec(loaded)["root"]["inputDefinitions"]["parameters"]
    assert parameters["pattern"]["defaultValue"] == pattern


def test_a_model_file_travels_as_its_text_and_a_module_as_its_name(project):
    assert load_config(project).module_source == MODEL
    (project / "retrain.yaml").write_text(SMALLEST + "model: {module: shop.model}\n")
    loaded = load_config(project)
    assert (loaded.module, loaded.module_source) == ("shop.model", "")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            ("label: returned", "lable: returned"),
            r"y:4: unknown key 'data\.lable'\. Did you mean 'label'\?",
        ),
        (
            ("label: returned", "lable: returned"),
            r"y:2: 'data\.label' is missing\. Column of the label",
        ),
        (("name: orders", "name: orders\nstore: ''"), r"y:2: 'store' is '': names no place; leave"),
        (("name: orders", "name: orders\nstore: ' '"), r"y:2: 'store' is ' ': names no place"),
        (
            ("name: orders", "name: orders\nstore: 's3://'"),
            r"'s3://': names no bucket; .* s3://bucket/",
        ),
        (("name: orders", "name: orders\nstore: gs:/b/store"), r"'gs:/b/store': names no bucket"),
        (
            ("name: orders", "name: orders\npipeline_root: gs:///store"),
            r"y:2: 'pipeline_root' is 'gs:///store': names no bucket",
        ),
        (("returned", "''"), r"y:4: 'data\.label' is ''"),
        (("name: orders", "name: orders\nmodel: {module: ''}"), r"y:2: 'model\.module' is ''"),
        (
            ("name: orders", "name: orders\ntriggers: {a: {kind: alert, policy: ''}}"),
            r"y:2: 'triggers\.a\.policy' is ''",
        ),
        (("name: orders", "name: Orders!"), r"y:1: 'name' is 'Orders!': must be lower case"),
        (
            ("label: returned", "label: r\n  window: many"),
            r"y:5: 'data\.window' is 'many': input should be a valid int",
        ),
        (
            ("label: returned", "label: r\n  window: 1"),
            r"y:2: 'data': window \(1\) must be larger than split.eval_spans \(1\)",
        ),
        (
            ("label: returned", "label: r\n  min_spans: 4"),
            r"y:2: 'data': min_spans \(4\) must not be larger than window \(3\)",
        ),
        (
            ("label: returned", "label: r\n  min_spans: 1"),
            r"y:2: 'data': min_spans \(1\) must be larger than split.eval_spans \(1\)",
        ),
        (
            ("label: returned", "label: r\n  split: {by: random}"),
            r"y:5: 'data\.split\.by' is 'random'.*'newest_spans' or 'hash'",
        ),
        (
            ("  metrics_specs:\n    - metrics", "  metrics_specs:\n    - "),
            r"y:8: this is not YAML|y:\d+",
        ),
        (("evaluation:", "evaluation: {"), "this is not YAML"),
        (
            ("name: orders", "name: orders\ntasks: {all: {cpu: 04}}"),
            r'y:2: \'tasks\.all\.cpu\' is 04, which YAML reads as a number\. Put it in quotes to have text: "04"\.',
        ),
        (
            ("name: orders", "name: orders\ntasks: {all: {memory: 16GB}}"),
            r"y:2: 'tasks\.all\.memory' is '16GB': not a number of bytes .* Write 16Gi, or 16G for",
        ),
        (
            ("name: orders", "name: orders\ntasks: {all: {accelerators: 0}}"),
            r"y:2: 'tasks\.all\.accelerators' is 0: input should be greater than or equal to 1",
        ),
        (
            ("label: returned", "label: r\n  key: order_id"),
            r"y:5: 'data\.key' must be a list: write \[order_id\]\.",
        ),
        (
            ("name: orders", "name: orders\nmodel: model.py"),
            r"y:2: 'model' must be a section of its own, with module, steps, ",
        ),
        (
            ("name: orders", "name: orders\nvalidation: {domains: []}"),
            r"y:2: 'validation\.domains' must be a mapping, such as \{name: value\}",
        ),
        (
            ("label: returned", "label: r\n  key: [No]"),
            r'y:5: \'data\.key\.0\' is No, which YAML reads as false\. Put it in quotes .*: "No"\.',
        ),
        (
            ("label: returned", "label: 2026-01-01"),
            r'y:4: \'data\.label\' is 2026-01-01, which YAML reads as a date\. .*"2026-01-01"',
        ),
        (
            ("label: returned", "label: r\nvalidation: {domains: {day: {values: [2026-01-01]}}}"),
            r'y:5: \'validation\.domains\.day\.values\.0\' is a date to YAML, .* quotes .*"2026-01-01"',
        ),
        (
            ("label: returned", "label: r\nvalidation: {domains: {day: {max: .inf}}}"),
            r"y:5: 'validation\.domains\.day\.max' is \.inf, and a pipeline carries finite numbers only",
        ),
        (
            ("label: returned", "label: r\n  label: s"),
            r"y:5:3: this is not YAML: the key 'label' stands here twice",
        ),
        (
            ("label: returned", "label: r\n  window: 2026-13-45"),
            r"y:5:11: this is not YAML: '2026-13-45' looks like a date and is none; put a text in quotes",
        ),
        (
            ("label: returned", f"label: r\n  window: {'9' * 5000}"),
            r"y:5:11: this is not YAML: '9{40}' looks like a whole number and is none",
        ),
        (("name: orders", 'name: "\\ud800"'), r"y:1:10: this is not YAML: .*escape code"),
        (("name: orders", "x: &x [*x]\nname: orders"), "y: this is not YAML: .* holds itself"),
        (("name: orders", f"x: {'[' * 3000}{']' * 3000}"), "y: this is not YAML: .* nested more"),
        (
            ("name: orders", "name: orders\nmodel: {epochs: yes}"),
            r"y:2: 'model\.epochs' is yes, which YAML reads as true\. Give a number",
        ),
        (
            ("name: orders", "name: orders\nmodel: {class_weights: {a: on}}"),
            r"y:2: 'model\.class_weights\.a' is on, which YAML reads as true",
        ),
        (
            ("name: orders", "name: orders\nmodel: {class_weights: {0: -1}}"),
            r"y:2: 'model\.class_weights\.0' is -1: input should be greater than or equal to 0",
        ),
        (
            ("name: orders", "name: orders\nmodel: {class_weights: {rare: 2}}"),
            r"y:2: 'model\.class_weights': has the key 'rare'; keys are values of the label",
        ),
        (
            ("name: orders", f"name: orders\nmodel: {{batch_size: {2**53 + 1}}}"),
            r"y:2: 'model\.batch_size' is 9007199254740993, and .* up to 9,007,199,254,740,992",
        ),
        (
            ("name: orders", f"name: {'a' * 200}"),
            r"y:1: 'name' is 'a{49}\.\.\.a{49}': must be lower case",
        ),
        (("data/{span}.csv", '"data\\0/{span}.csv"'), r"y:3: 'data\.pattern' has a NUL character"),
    ],
)
def test_a_mistake_is_named_with_its_line(change, says):
    with pytest.raises(RetrainerError, match=says):
        read_config(SMALLEST.replace(*change), "y")


@pytest.mark.parametrize(
    ("model", "says"),
    [
        ("{early_stopping_patience: 3}", "set validation_fraction, such as 0.1"),
        ('{balance_classes: true, class_weights: {"1": 20}}', "leave out class_weights"),
        ("{validation_fraction: 1.0}", "validation_fraction"),
        ("{early_stopping_mode: best}", "early_stopping_mode"),
    ],
)
def test_settings_of_training_that_do_not_fit_are_named(model, says):
    with pytest.raises(RetrainerError, match=says):
        read_config(f"{SMALLEST}model: {model}\n", "y")


def test_settings_of_training_reach_the_component(project):
    more = "model: {class_weights: {1: 20}, validation_fraction: 0.1, early_stopping_patience: 3}\n"
    text = SMALLEST.replace("evaluation:\n", "evaluation:\n  example_weight_key: amount\n") + more
    (project / "retrain.yaml").write_text(text)
    spec = compile_spec(load_config(project))
    given = spec["root"]["dag"]["tasks"]["train-model"]["inputs"]["parameters"]
    values = {
        name: one["runtimeValue"]["constant"]
        for name, one in given.items()
        if "runtimeValue" in one
    }
    assert values["class_weights"] == {"1": 20}
    assert values["example_weight_key"] == "amount"
    assert (values["validation_fraction"], values["early_stopping_patience"]) == (0.1, 3)


def test_keys_that_yaml_reads_as_something_else_are_text():
    text = (
        SMALLEST
        + "    - aggregate: {class_weights: {0: 1.0}}\nmodel: {hyperparameters: {3: {off: 1}}}\n"
    )
    config = read_config(text, "y").config
    assert config.evaluation.metrics_specs[1] == {"aggregate": {"class_weights": {"0": 1.0}}}
    assert config.model.hyperparameters == {"3": {"off": 1}}


def test_every_mistake_is_reported_at_once():
    text = SMALLEST.replace("label: returned", "lable: returned").replace("name: orders", "name: 7")
    with pytest.raises(RetrainerError) as error:
        read_config(text, "y")
    assert len(str(error.value).splitlines()) == 3


def test_a_file_that_is_not_a_mapping_says_what_it_should_hold():
    with pytest.raises(RetrainerError, match="keys name, data, evaluation"):
        read_config("- a\n", "y")


def test_a_missing_file_points_at_init(tmp_path):
    with pytest.raises(RetrainerError, match="retrainer init"):
        load_config(tmp_path / "retrain.yaml")


def test_a_missing_model_file_is_named(project):
    (project / "model.py").unlink()
    with pytest.raises(RetrainerError, match=r"model\.module names 'model\.py'"):
        load_config(project)


@pytest.mark.parametrize(
    ("module", "says"),
    [
        ("latin.py", r"latin\.py:2: byte 0xe4 is not UTF-8\. Save the file as UTF-8"),
        ("folder.py", r"'folder\.py', and '.*folder\.py' can't be read: Is a directory"),
        ("my model", "neither a file that ends in .py nor the name of a Python module"),
    ],
)
def test_a_model_file_that_can_not_be_read_is_named(project, module, says):
    (project / "latin.py").write_bytes(b"# -*-\n# \xe4")
    (project / "folder.py").mkdir()
    (project / "retrain.yaml").write_text(f"{SMALLEST}model: {{module: {module}}}\n")
    with pytest.raises(RetrainerError, match=says):
        load_config(project)


def test_a_byte_order_mark_is_no_part_of_a_file(project):
    for name in ("retrain.yaml", "model.py"):
        (project / name).write_bytes(b"\xef\xbb\xbf" + (project / name).read_bytes())
    assert load_config(project).module_source == MODEL


def test_a_model_file_that_is_too_large_to_travel_is_refused(project):
    (project / "model.py").write_text("#" * 70_000)
    with pytest.raises(RetrainerError, match="70,000 bytes"):
        load_config(project)


def test_the_tasks_in_the_page_on_targets_are_valid():
    page = (Path(__file__).resolve().parents[3] / "docs/targets.md").read_text()
    blocks = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    tasks = [yaml.safe_load(block)["tasks"] for block in blocks if block.startswith("tasks:")]
    assert len(tasks) >= 2
    for settings in tasks:
        TasksConfig.model_validate(settings)


def test_a_text_of_the_wrong_form_is_named_with_the_form(project):
    deploy = "{sagemaker: {endpoint: o, role: admin, image: i, model_data: s3://models}}"
    (project / "retrain.yaml").write_text(f"{SMALLEST}serving: {{deploy: {deploy}}}\n")
    with pytest.raises(RetrainerError) as error:
        load_config(project / "retrain.yaml")
    found = str(error.value)
    assert "'serving.deploy.sagemaker.role' is 'admin', which does not match '^arn:aws" in found
    assert "It is: ARN of the IAM role" in found
