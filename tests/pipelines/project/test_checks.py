"""What needs no data to be refused is refused before anything runs, with its line."""

import pytest
from servers.small_project import MODEL

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.registry.registry import CHAMPION, Registry
from retrainer.components.lib.store import Store
from retrainer.pipelines.definitions.compiling import compile_spec
from retrainer.pipelines.project.checks import check_settings
from retrainer.pipelines.project.config import load_config
from retrainer.pipelines.project.reach import local_only

CONFIG = """\
name: orders
data:
  label: returned
  {data}
validation:
  {validation}
evaluation:
  metrics_specs:
    - metrics: [{{class_name: AUC}}]
"""


def compile_with(folder, data="drop: [note]", validation="max_rows_factor: 3"):
    (folder / "model.py").write_text(MODEL)
    if "pattern:" not in data:
        data = f"pattern: data/{{span}}.csv\n  {data}"
    (folder / "retrain.yaml").write_text(CONFIG.format(data=data, validation=validation))
    return compile_spec(load_config(folder))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("csv: {delimiter: ;;}", "delimiter is ';;'; give one ASCII character"),
        ("csv: {encoding: cp12522}", "no encoding 'cp12522'"),
        ("csv: {thousands: '.'}", r"both '\.'; they must differ"),
        ("csv: {by_column: {a: {thousands: '.'}}}", r"both '\.'.*data\.csv\.by_column\.a"),
        ("columns: {hour: {hours: at}}", "the function 'hours', which is unknown.*'hour'"),
        ("columns: {late: {greater: [delay]}}", "'greater' takes 2 arguments, and has 1"),
        ("key_features: [id]", "'id', which is no part of key"),
        ("drop: [returned]", "'returned' is the label"),
        ("hash: {columns: [returned]}", "the label 'returned' can't be"),
        (
            "split: {columns: [customer]}",
            r"Take data\.split\.columns out, or set data\.split\.by to hash",
        ),
        ("pattern: data/orders.csv", "orders.csv' has 0 '{span}' in it"),
        ("pattern: 'data/{span:%Y-%W}.csv'", "has the field '%W'"),
        ("marker: done/_SUCCESS", "must be a file's name"),
        ("marker: _SUCCESS", "does not say which span it"),
        ("pattern: bq://a.b.c_{span}\n  marker: _SUCCESS", "tables of BigQuery have none"),
    ],
)
def test_data_that_could_not_be_ingested_is_not_compiled(tmp_path, data, reason):
    with pytest.raises(RetrainerError, match=reason):
        compile_with(tmp_path, data=data)


@pytest.mark.parametrize(
    "data",
    [
        "csv: {by_column: {amount: {decimal: ','}, rate: {null_values: ['-']}}, skip_rows: 2}",
        "key: [id]\n  key_features: [id]\n  columns: {id: Order ID, late: {greater: [delay, 15]}}",
    ],
)
def test_settings_of_cells_and_columns_are_compiled(tmp_path, data):
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
    data = 'split: {by: hash, columns: [customer]}\n  csv: {delimiter: ";", encoding: cp1252}'
    assert compile_with(tmp_path, data, "domains: {items: {min: 1}}")["root"]


GOOD = """\
name: orders
data:
  pattern: data/{span}.csv
  label: returned
  key: [order_id]
evaluation:
  metrics_specs:
    - metrics:
        - class_name: ExampleCount
        - class_name: AUC
          threshold: {value_threshold: {lower_bound: 0.6}}
  slicing_specs:
    - {}
    - feature_keys: [country]
"""
COLUMNS = ("order_id", "country", "basket_value", "returned")


@pytest.fixture
def project(tmp_path):
    """A project with data, and a schema in its store."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "1.csv").write_text("order_id\n1\n")
    (tmp_path / "model.py").write_text(MODEL)
    schema = tmp_path / "store" / "schema"
    schema.mkdir(parents=True)
    text = "".join(f'feature {{ name: "{name}" type: INT }}\n' for name in COLUMNS)
    (schema / "schema.pbtxt").write_text(text)

    def write(*changes, file="retrain.yaml"):
        content = GOOD if file == "retrain.yaml" else MODEL
        for old, new in changes:
            assert old in content
            content = content.replace(old, new)
        (tmp_path / file).write_text(content)
        return tmp_path

    write()
    return write


def problems(folder, here=False):
    with pytest.raises(RetrainerError) as error:
        check_settings(load_config(folder / "retrain.yaml"), here)
    return str(error.value).replace(f"{folder}/", "").splitlines()


def warnings(folder, here=False):
    loaded = load_config(folder / "retrain.yaml")
    return [line.replace(f"{folder}/", "") for line in check_settings(loaded, here)]


def test_a_good_project_has_neither_problems_nor_warnings(project):
    assert warnings(project(), here=True) == []


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        (
            "label: returned",
            "label: returned\n  columns: {late: {hours: at}}",
            "retrain.yaml:5: data.columns.late has the function 'hours', which is unknown",
        ),
        (
            "{lower_bound: 0.6}",
            "{lower_bound: 60}",
            "retrain.yaml:10: the value_threshold of 'AUC' has the lower_bound 60, and it is 1 at most",
        ),
        (
            "class_name: AUC",
            "class_name: AUCC",
            "retrain.yaml:10: TFMA knows no metric 'AUCC'. Did you mean 'AUC'",
        ),
        (
            "{lower_bound: 0.6}",
            "{lower_bounds: 0.6}",
            "retrain.yaml:11: evaluation.metrics_specs[0].metrics[1].threshold.value_threshold has no field "
            "'lower_bounds'. Did you mean 'lower_bound'",
        ),
        (
            "class_name: AUC\n",
            "class_name: AUC\n          config: 'num_thresholds: 100'\n",
            "retrain.yaml:11: the metric 'AUC' doesn't take the config 'num_thresholds: 100': it is not JSON",
        ),
        (
            "class_name: AUC\n",
            "class_name: AUC\n          config: {num_threshold: 100}\n",
            "retrain.yaml:11: the metric 'AUC' has no argument 'num_threshold'. Did you mean 'num_thresholds'?",
        ),
        (
            "  slicing_specs:\n",
            "      thresholds: {auc: {value_threshold: {lower_bound: 0.6}}}\n  slicing_specs:\n",
            "retrain.yaml:8: the threshold of 'auc' stands beside the metrics, where TFMA ignores it.",
        ),
        (
            "[country]",
            "[contry]",
            "retrain.yaml:14: evaluation.slicing_specs[1] names the column 'contry', which the schema does not have. "
            "Did you mean 'country'?",
        ),
        (
            "  slicing_specs:",
            "  example_weight_key: basket_valu\n  slicing_specs:",
            "retrain.yaml:12: evaluation.example_weight_key names the column 'basket_valu', which the schema",
        ),
        (
            "  key: [order_id]",
            "  key: [order_id]\n  drop: [country]",
            "retrain.yaml:15: evaluation.slicing_specs[1] names the column 'country', which data.drop leaves out.",
        ),
        ("[order_id]", "[orderid]", "retrain.yaml:5: data.key[0] names the column 'orderid'"),
        (
            "label: returned",
            "label: retuned",
            "retrain.yaml:4: data.label names the column 'retuned'",
        ),
        (
            "evaluation:",
            "validation:\n  domains: {basket_valu: {min: 0}}\nevaluation:",
            "retrain.yaml:7: validation.domains.basket_valu names the column 'basket_valu'",
        ),
        (
            "evaluation:",
            "validation:\n  max_rows_factor: 3\n  severity: {drfit: error}\nevaluation:",
            "retrain.yaml:8: validation.severity has no 'drfit'. Did you mean 'drift'?",
        ),
        (
            "  key: [order_id]",
            "  key: [order_id]\n  csv: {delimiter: ;;}",
            "retrain.yaml:6: the CSV delimiter is ';;'",
        ),
        (
            "evaluation:",
            "validation: {schema_uri: nowhere.pbtxt}\nevaluation:",
            "retrain.yaml:6: there is no schema at 'nowhere.pbtxt'.",
        ),
    ],
)
def test_a_problem_is_named_with_its_line_and_its_fix(project, old, new, line):
    (found,) = problems(project((old, new)))
    assert found.startswith(line)


@pytest.mark.parametrize(
    ("setting", "place", "says"),
    [
        ("store", "[x]", "and TensorFlow reads its '[' as a wildcard"),
        ("pipeline_root", "what?", "and TensorFlow reads its '?' as a wildcard"),
        ("store", "foo://b/x", "and nothing serves 'foo://'"),
        ("store", "model.py", "and it is no folder"),
        ("pipeline_root", "model.py/a/b", "and 'model.py' is no folder"),
        ("store", "nowhere", "and it is no folder"),
    ],
)
def test_a_folder_that_can_hold_no_store_is_named(project, setting, place, says):
    folder = project(("name: orders", f"name: orders\n{setting}: '{place}'"))
    (folder / "nowhere").symlink_to("gone")
    found, *_ = problems(folder)
    assert found.startswith(f"retrain.yaml:2: {setting} is '{place}', {says}")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ("{num_top_value: 3}", "Did you mean 'num_top_values'?"),
        ("{num_top_values: many}", "stats_options.num_top_values is 'many'; TFDV takes a whole"),
        ("{num_top_values: -1}", "stats_options.num_top_values is -1"),
        ("{epsilon: 1}", "stats_options.epsilon is 1; TFDV takes a number between 0 and 1"),
    ],
)
def test_options_of_statistics_are_checked_without_tfdv(project, options, says):
    [found] = problems(
        project(("name: orders", f"name: orders\nstatistics: {{stats_options: {options}}}"))
    )
    assert found.startswith("retrain.yaml:2: ")
    assert says in found


def test_all_problems_are_named_at_once(project):
    folder = project(
        ("class_name: AUC", "class_name: AUCC"),
        ("[country]", "[contry]"),
        ("data/{span}.csv", "data/orders.csv"),
    )
    project(("def build_model", "def build"), file="model.py")
    places = [line.split(" ")[0] for line in problems(folder)]
    assert places == ["retrain.yaml:3:", "retrain.yaml:", "retrain.yaml:10:", "retrain.yaml:14:"]


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        (
            "def build_model(",
            "def build_modell(",
            "model.py has no function 'build_model'. Did you mean 'build_modell'?",
        ),
        ("return None", "return (", "model.py:6: this is not Python: '(' was never closed"),
        (
            "(inputs)",
            "(inputs, options)",
            "model.py:1: preprocessing_fn takes inputs, options, and retrainer calls preprocessing_fn(inputs).",
        ),
        ("(transform_output, hyperparameters)", "()", "model.py:5: build_model takes nothing, and"),
    ],
)
def test_model_code_that_can_not_be_used_is_named_without_running_it(project, old, new, line):
    project((old, new), file="model.py")
    (found,) = problems(project())
    assert found.split(": ", 1)[1].startswith(line)


@pytest.mark.parametrize(
    "code",
    [
        "from shop import *\n",
        "from shop import preprocessing_fn, make as build_model\n",
        "preprocessing_fn = build_model = print\n",
        "try:\n    import shop\nexcept ImportError:\n    def preprocessing_fn(x): ...\n"
        "def build_model(transform_output, hyperparameters, size=3, **more): ...\n",
        "def preprocessing_fn(*inputs): ...\nclass build_model: ...\n",
    ],
)
def test_functions_may_come_from_anywhere(project, code):
    project((MODEL, code), file="model.py")
    assert warnings(project()) == []


def test_a_module_that_is_not_installed_stops_a_run_here_and_no_compiling(project):
    folder = project(("evaluation:", "model: {module: shop.model}\nevaluation:"))
    (found,) = problems(folder, here=True)
    assert found.startswith("retrain.yaml:6: model.module is 'shop.model', and no such module")
    assert warnings(folder) == []


def test_a_pattern_that_matches_nothing_stops_a_run_here_and_is_a_warning_elsewhere(project):
    folder = project(("data/{span}.csv", "dada/{span}.csv"))
    (found,) = problems(folder, here=True)
    assert found.startswith("retrain.yaml:3: no file matches 'dada/{span}.csv'")
    assert warnings(folder) == [found]


@pytest.mark.parametrize(
    ("section", "found"),
    [
        ("{pattern: 'new/{spn}.csv'}", "needs one"),
        ("{pattern: 'new/{span}.csv', query: SELECT 1}", "fix predict.pattern"),
    ],
)
def test_a_wrong_pattern_of_batch_prediction_is_found_with_its_line(project, section, found):
    (problem,) = problems(project(("evaluation:", f"predict: {section}\nevaluation:")))
    assert problem.startswith("retrain.yaml:6: ")
    assert found in problem


def test_thresholds_that_bless_nothing_are_warned_of(project):
    (found,) = warnings(
        project(("          threshold: {value_threshold: {lower_bound: 0.6}}\n", ""))
    )
    assert found.startswith("retrain.yaml:7: no metric has a threshold, so no model can be blessed")


def test_a_floor_is_missed_only_as_long_as_there_is_no_champion(project):
    change = "{change_threshold: {direction: HIGHER_IS_BETTER, absolute: 0}}"
    folder = project(("{value_threshold: {lower_bound: 0.6}}", change))
    (found,) = warnings(folder)
    assert "the first model has no champion to compare with" in found
    registry = Registry(Store(str(folder / "store")).models_uri)
    (folder / "model").mkdir()
    version = registry.add(str(folder / "model"), "ab", {})
    registry.move_alias(CHAMPION, version.version, None, {})
    assert warnings(folder) == []


def test_a_column_without_a_near_name_may_be_new(project):
    (found,) = warnings(project(("[country]", "[weather]")))
    assert "'weather', which the schema does not have. If the data has it, accept it" in found


MONITORING = "monitoring:\n  labels: {pattern: labels/*.csv%s}\n  drift: {%s}\nevaluation:"


@pytest.mark.parametrize(
    ("labels", "drift", "line"),
    [
        (", key: [order_di]", "", "7: monitoring.labels.key[0] names the column 'order_di', which"),
        (", compare: [contry]", "", "7: monitoring.labels.compare[0] names the column 'contry'"),
        (
            "",
            "thresholds: {contry: 0.1}",
            "8: monitoring.drift.thresholds.contry names the column 'contry', which the schema does not have. Did you "
            "mean 'country'?",
        ),
        ("", "method: {columns: {contry: psi}}", "8: monitoring.drift.method.columns.contry names"),
        (
            "",
            "ignore: [country, contry]",
            "8: monitoring.drift.ignore[1] names the column 'contry'",
        ),
    ],
)
def test_a_column_of_monitoring_is_looked_for_in_the_schema(project, labels, drift, line):
    (found,) = warnings(project(("evaluation:", MONITORING % (labels, drift))))
    assert found.startswith(f"retrain.yaml:{line}")


def test_columns_that_logs_have_beside_the_data_are_no_problem(project):
    known = ", key: [request_id, row]", "thresholds: {prediction: 0.1, prediction_1: 0.1}"
    assert warnings(project(("evaluation:", MONITORING % known))) == []
    (found,) = warnings(project(("evaluation:", MONITORING % (", key: [visitor]", ""))))
    assert found.endswith("does not have. It counts only where the logs of predictions have it.")
    scored = "predict: {key: [visitor], pattern: 'new/{span}.csv'}\n" + MONITORING
    assert warnings(project(("evaluation:", scored % (", key: [visitor]", "")))) == []
    mapped = ", key: [visitor]}\n  predictions: {uri: logs, format: json_lines, mapping: {columns: {visitor: who.id}}"
    assert warnings(project(("evaluation:", MONITORING % (mapped, "")))) == []


def test_what_only_this_machine_has_is_named(project):
    folder = project()
    lines = list(local_only(load_config(folder)))
    assert [line.split("retrain.yaml:")[1].split(" is '")[0].strip() for line in lines] == [
        "3: data.pattern",
        "store",
        "image",
    ]
    bucket = project(
        ("data/{span}.csv", "gs://acme-ml/{span}.csv"),
        (
            "evaluation:",
            "store: gs://acme-ml/store\nimage: registry.example/retrainer:3\nevaluation:",
        ),
    )
    assert list(local_only(load_config(bucket))) == []


def test_a_service_that_can_not_read_the_store_is_named(project):
    deploy = "serving:\n  deploy:\n    vertex: {project: acme-ml, region: europe-west1, endpoint: live}\n"
    (found,) = problems(project(("evaluation:", f"{deploy}evaluation:")))
    assert found.startswith("retrain.yaml:")
    assert "Vertex AI reads models from Cloud Storage only: move the store to gs://" in found
    elsewhere = project(("evaluation:", f"store: gs://acme-ml/store\n{deploy}evaluation:"))
    assert warnings(elsewhere) == []
