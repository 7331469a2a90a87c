"""`retrainer run` with the store on S3 and an engine: model.py and the artifacts are on this machine alone."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from retrainer.components.lib.uris import filesystem
from retrainer.pipelines.project.starting import init_project

pytestmark = [pytest.mark.integration("go"), pytest.mark.slow]
ENGINE = """
engine:
  runner: portable
  options: {{job_endpoint: "{jobs}", environment_type: EXTERNAL, environment_config: "{pool}"}}
"""


@pytest.fixture
def project(tmp_path, prism, pool):
    folder = tmp_path / "project"
    init_project(folder)
    file = folder / "retrain.yaml"
    head = "store: s3://acme/store-of-runs\npipeline_root: artifacts\n"
    text = head + file.read_text() + ENGINE.format(jobs=prism.address, pool=pool.address)
    file.write_text(text)
    return folder


@pytest.fixture
def run(project, s3):
    def run(*options):
        return subprocess.run(
            [
                str(Path(sys.executable).with_name("retrainer")),
                *("run", str(project), "--json", *options),
            ],
            env={**os.environ, **s3.environment},
            capture_output=True,
            text=True,
        )

    return run


def test_a_failure_on_a_worker_is_a_few_lines_and_the_run_is_resumed(project, run, pool):
    model = project / "model.py"
    # It is missing where the workers are alone, and only until it is there.
    shop = pool.log.parent / "no_such_shop.py"
    here = f"os.getcwd() == {str(shop.parent)!r}"
    model.write_text(f"import os\nif {here}:\n    import no_such_shop\n{model.read_text()}")
    done = run("--run-id", "orders")
    assert done.returncode == 1
    tasks = json.loads(done.stdout)["tasks"]
    assert tasks["compute-statistics"]["state"] == "succeeded"
    lines = tasks["transform-features"]["error"].splitlines()
    assert "failed on PortableRunner at" in lines[0]
    assert "line 3: import no_such_shop" in lines[1]
    assert "image that they run in (engine.worker_image)" in lines[-1]
    assert len(lines) <= 6
    shop.write_text("")
    done = run("--resume", "orders")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["tasks"]["push-model"]["state"] == "succeeded"
    fs, path = filesystem("s3://acme/store-of-runs/temporary")
    assert fs.find(path) == []
