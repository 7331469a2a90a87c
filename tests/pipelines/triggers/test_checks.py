"""Triggers that say what they can't mean are named when the file is checked."""

import pytest
from click.testing import CliRunner
from servers.small_project import MODEL

from retrainer.components.lib.errors import RetrainerError
from retrainer.pipelines.cli.main import cli
from retrainer.pipelines.project.config import load_config

PROJECT = """
name: orders
store: gs://acme/store
data: {pattern: "gs://acme/day={span}/*.parquet", label: y, marker: _SUCCESS}
evaluation:
  metrics_specs:
    - metrics:
        - {class_name: AUC, threshold: {value_threshold: {lower_bound: {value: 0.6}}}}
triggers:
"""


@pytest.fixture
def check(tmp_path):
    """Write the file with this trigger and this section of the service, and check it."""

    def check(trigger, service="{}"):
        (tmp_path / "model.py").write_text(MODEL)
        file = tmp_path / "retrain.yaml"
        file.write_text(f"{PROJECT}  new-day: {trigger}\ntrigger_service: {service}\n")
        return CliRunner().invoke(cli, ["config", "check", str(file)])

    return check


@pytest.mark.parametrize("marker", ["null", "DONE"])
def test_a_trigger_that_does_not_wait_for_the_datas_marker_is_a_warning(check, marker):
    result = check(f"{{kind: storage, marker: {marker}}}")
    assert result.exit_code == 0
    assert "retrain.yaml:10: triggers.new-day.marker is " in result.output
    assert "does not see a span before its '_SUCCESS' is there" in result.output


@pytest.mark.parametrize(
    "trigger",
    [
        "{kind: storage}",
        "{kind: storage, marker: _SUCCESS}",
        "{kind: request}",
        # Another folder is not what the data's marker completes.
        '{kind: storage, pattern: "gs://acme/late/{span}/*", marker: null}',
    ],
)
def test_other_triggers_are_none(check, trigger):
    result = check(trigger)
    assert (result.exit_code, "marker" in result.output) == (0, False)


@pytest.mark.parametrize(
    ("service", "says"),
    [
        ("{subscription: runs}", "must be projects/<project>/subscriptions/<name>"),
        ("{dead_letter_topic: projects/acme/subscriptions/x}", "projects/<project>/topics/<name>"),
        ("{push_account: bob}", "must be an account's e-mail"),
    ],
)
def test_a_name_that_pubsub_would_not_take_is_an_error_with_its_line(
    check, tmp_path, service, says
):
    check("{kind: request}", service)
    with pytest.raises(RetrainerError, match=rf"retrain\.yaml:11: .*{says}"):
        load_config(tmp_path / "retrain.yaml")
