"""A run on this machine whose components go to an engine, as the section `engine` says."""

import json

import pytest
from click.testing import CliRunner
from servers.beam_engine import Prism

from retrainer.pipelines.cli.main import cli
from retrainer.pipelines.project.starting import init_project


@pytest.mark.slow
@pytest.mark.integration("go")
def test_the_components_that_are_named_run_on_the_engine_and_the_model_serves(tmp_path):
    init_project(tmp_path)
    file = tmp_path / "retrain.yaml"
    with Prism(tmp_path / "prism.log") as prism:
        options = f"{{job_endpoint: '{prism.address}', environment_type: LOOPBACK}}"
        section = f"engine:\n  runner: prism\n  options: {options}\n"
        section += "  components: [compute_statistics, transform_features]\n"
        file.write_text(file.read_text().replace("epochs: 3", "epochs: 1") + section)
        done = CliRunner().invoke(cli, ["run", str(file), "--json"])
        said = prism.text()
    assert done.exit_code == 0, done.output
    tasks = json.loads(done.stdout)["tasks"]
    assert {task["state"] for task in tasks.values()} == {"succeeded"}, tasks
    assert said.count("pipeline done!") == 2, said
