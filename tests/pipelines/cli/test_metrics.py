"""`retrainer metrics`."""

import pytest
from click.testing import CliRunner
from servers.monitored_store import MonitoredStore
from servers.service_process import ServiceProcess

from retrainer.pipelines.cli.main import cli
from retrainer.pipelines.project.starting import init_project


@pytest.fixture
def project(tmp_path):
    init_project(tmp_path / "project")
    return tmp_path / "project"


def test_metrics_are_written_for_node_exporter(project):
    file, text = str(project / "retrain.yaml"), project / "flights.prom"
    done = CliRunner().invoke(cli, ["metrics", "write", "--file", file, "--textfile", str(text)])
    assert done.exit_code == 0, done.output
    assert "\nretrainer_champion_version{" in text.read_text()
    assert [one.name for one in project.glob("*prom*")] == ["flights.prom"]
    shown = CliRunner().invoke(cli, ["metrics", "write", "--file", file])
    assert "\nretrainer_champion_version{" in shown.output
    wrong = CliRunner().invoke(cli, ["metrics", "write", "--file", file, "--textfile", "x.txt"])
    assert wrong.exit_code == 2
    assert ".prom" in wrong.output


def test_metrics_are_served_and_follow_the_store(project, tmp_path):
    words = ["metrics", "serve", "--file", str(project / "retrain.yaml"), "--listen", "127.0.0.1"]
    with ServiceProcess([*words, "--port", "0", "--refresh-seconds", "0.1"]) as service:
        assert service.get("/healthz").status_code == 200
        assert service.get("/other").status_code == 404
        first = service.get("/metrics")
        assert first.headers["Content-Type"].startswith("text/plain; version=")
        assert 'retrainer_champion_version{project="orders"} 0.0' in first.text
        store = MonitoredStore(tmp_path)
        (project / "store").mkdir(exist_ok=True)
        store.uri = str(project / "store")
        store.put_into_service("2026-10-01T00:00:00+00:00")
        while (
            'retrainer_champion_version{project="orders"} 1.0' not in service.get("/metrics").text
        ):
            pass
        assert service.terminate() == 0
