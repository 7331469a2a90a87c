import pytest
import yaml
from servers.small_project import MODEL

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.monitoring.incident import Detection
from retrainer.components.lib.monitoring.retraining_settings import RetrainingSettings
from retrainer.components.lib.monitoring.run_request import TRIGGER_ATTRIBUTE
from retrainer.pipelines.project.checks import check_settings
from retrainer.pipelines.project.config import load_config
from retrainer.pipelines.project.formats.names import TRIGGER_KEY
from retrainer.pipelines.project.reach import local_only

SMALLEST = {
    "name": "orders",
    "data": {"pattern": "data/{span}.csv", "label": "returned", "marker": "{span}.ok"},
    "evaluation": {"metrics_specs": [{"metrics": [{"class_name": "AUC"}]}]},
}


@pytest.fixture
def load(tmp_path):
    def load_with(section, **more):
        (tmp_path / "model.py").write_text(MODEL)
        content = {**SMALLEST, "retraining": section, **more}
        (tmp_path / "retrain.yaml").write_text(yaml.safe_dump(content))
        return load_config(tmp_path).config

    return load_with


def test_an_empty_section_has_every_default(load):
    config = load({})
    trigger = config.all_triggers["retraining"]
    assert (trigger.kind, trigger.cool_down_seconds, trigger.daily_limit) == ("incident", 21600, 2)
    values = config.retraining.values("orders", config.data)
    assert values["pattern"].endswith("/data/{span}.csv")
    assert (values["pipeline"], values["marker"]) == ("orders", "{span}.ok")
    assert RetrainingSettings.of(values) == RetrainingSettings()


def test_messages_name_triggers_as_the_trigger_service_reads_them():
    assert TRIGGER_ATTRIBUTE == TRIGGER_KEY


def test_without_the_section_there_is_no_trigger(load):
    assert load(None).all_triggers == {}


def test_numbers_come_from_kfp_as_floating_point(load):
    settings = RetrainingSettings.of({"confirm_looks": 5.0, "min_new_labelled_rows": 0.0})
    assert (settings.confirm_looks, settings.min_new_labelled_rows) == (5, 0)


@pytest.mark.parametrize(
    ("wanted", "name", "retrains"),
    [
        ("drift", "drift/dep_delay", True),
        ("drift", "prediction_drift/score", False),
        ("drift/dep_*", "drift/dep_delay", True),
        ("drift/dep_*", "drift/arr_delay", False),
        ("*", "data/weather", False),
        ("*_quality", "realised_quality/auc", True),
    ],
)
def test_kinds_and_names_choose_signals(wanted, name, retrains):
    assert RetrainingSettings(signals=(wanted,)).retrains(Detection(name, "1", "m")) is retrains


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ({"signals": ["data"]}, "broken data, which never starts a run"),
        ({"signals": ["data/weather"]}, "broken data, which never starts a run"),
        ({"signals": ["drifts"]}, "is no kind of signal"),
        ({"signals": []}, "at least 1"),
        ({"topic": "projects/a/topics/b", "url": "https://x/push"}, "both topic and url"),
        ({"topic": "retrain"}, "topic"),
        ({"cool_down_seconds": -1}, "cool_down_seconds"),
        ({"otherwise": "retrain"}, "needs_a_person"),
    ],
)
def test_what_cannot_be_meant_is_an_error(load, section, words):
    with pytest.raises(RetrainerError, match=words):
        load(section)


def test_the_name_of_its_trigger_is_taken(load):
    with pytest.raises(RetrainerError, match="that of the section retraining"):
        load({}, triggers={"retraining": {"kind": "request"}})


def test_its_kind_is_not_for_other_triggers(load):
    with pytest.raises(RetrainerError, match="'storage', 'request', 'schedule' or 'alert'"):
        load({}, triggers={"mine": {"kind": "incident"}})


def test_without_monitoring_it_says_that_nothing_would_start(load, tmp_path):
    load({})
    (warning,) = [one for one in check_settings(load_config(tmp_path)) if "retraining" in one]
    assert "there is no section monitoring" in warning
    load({}, monitoring={})
    assert not [one for one in check_settings(load_config(tmp_path)) if "retraining" in one]


def test_data_that_tasks_elsewhere_cannot_count_is_named(load, tmp_path):
    load({}, monitoring={}, store="s3://acme/store")
    loaded = load_config(tmp_path).of("monitoring")
    assert [one for one in local_only(loaded, "kubeflow") if "data.pattern" in one]
