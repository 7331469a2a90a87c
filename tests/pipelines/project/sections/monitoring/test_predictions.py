"""Where logs are, by what retrain.yaml says and by its defaults."""

import pytest

from retrainer.components.ingest_predictions.task import parse_settings
from retrainer.components.lib.errors import RetrainerError
from retrainer.pipelines.project.config import load_config
from retrainer.pipelines.project.pipelines import MONITORING, pipeline_tasks
from retrainer.pipelines.project.starting import init_project


def _load(tmp_path, section):
    path = tmp_path / "retrain.yaml"
    if not path.exists():
        init_project(tmp_path)
    text = path.read_text().split("\nmonitoring:")[0]
    path.write_text(f"{text}\nmonitoring:\n  predictions: {section}\n")
    return load_config(path).config


def test_without_a_uri_what_batch_prediction_wrote_is_monitored(tmp_path):
    config = _load(tmp_path, "{}")
    assert "ingest_predictions" not in pipeline_tasks(config, MONITORING)
    with pytest.raises(RetrainerError, match=r"format is parquet.*set uri"):
        _load(tmp_path, "{format: parquet}")


def test_a_uri_brings_the_task_with_settings_that_it_takes(tmp_path):
    config = _load(
        tmp_path,
        "{uri: logs, format: json_lines, period: hour, versions: {canary: 4}, "
        "mapping: {time: at, columns: {id: meta.id}}}",
    )
    assert "ingest_predictions" in pipeline_tasks(config, MONITORING)
    predictions = config.monitoring.predictions
    arguments = predictions.ingest_arguments(config.data, "")
    assert arguments["uri"] == str(tmp_path / "logs")
    settings = {name: one for name, one in arguments.items() if name != "schema_uri"}
    settings["output"] = settings.pop("model_output")
    parsed = parse_settings(settings)
    parsed.check()
    assert (parsed.mapping.time, parsed.mapping.status) == ("at", "status")
    assert parsed.mapping.columns == {"id": "meta.id"}
    assert parsed.versions == {"canary": 4}


def test_a_table_of_bigquery_stays_as_it_is_named(tmp_path):
    uri = "bq://acme-ml.logs.request_response_logging"
    config = _load(tmp_path, f"{{uri: '{uri}', format: vertex}}")
    assert config.monitoring.predictions.uri == uri


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ("{uri: logs, format: csv}", "format"),
        ("{uri: logs, format: parquet, mapping: {tiem: at}}", "tiem"),
        ("{uri: logs, mapping: {time: at}}", "mapping is for the formats json_lines and parquet"),
        ("{uri: logs, period: week}", "period"),
        ("{uri: logs, format: vertex}", "bq://project.dataset.table"),
        ("{uri: 'bq://a.b.c'}", "vertex"),
        ("{uri: logs, since: yesterday}", "since"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path, section, said):
    with pytest.raises(RetrainerError, match=said) as raised:
        _load(tmp_path, section)
    assert ".." not in str(raised.value)
