"""A new component takes a folder and a line of a list: settings, references, the faces' tests and the wheel have it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FACE = '''"""The KFP face of `score_rows`."""

from typing import NamedTuple

from kfp import dsl

from ..lib.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def score_rows(
    model: dsl.Input[dsl.Model], rows: int = 10
) -> NamedTuple("Outputs", [("verdict", str)]):
    """Scores rows.

    Args:
        model: The model.
        rows: How many rows.

    Returns:
        verdict: How many rows were scored.
    """
    from retrainer.components.score_rows.score import score

    return (score(model.path, rows),)
'''
README = """# score_rows

| input | |
|---|---|
| `model` | the model |
| `rows` | how many rows |

Its output is `verdict`.

```python
from kfp import compiler, dsl

from retrainer.components import score_rows


@dsl.pipeline(name="scoring")
def pipeline():
    model = dsl.importer(artifact_uri="gs://bucket/model", artifact_class=dsl.Model)
    score_rows(model=model.output)


compiler.Compiler().compile(pipeline, "scoring.yaml")
```
"""
PROGRAM = """
import sys

import pytest

sys.path.insert(0, "tools")
import docs
import retrainer.components
from retrainer.pipelines.project.sections.tasks import TasksConfig

assert "score_rows" in dir(retrainer.components)
assert TasksConfig(score_rows={"cpu": "4"}).of("score_rows").cpu == "4"
assert "## score_rows" in docs.components_page()
faces = "tests/components/test_faces.py"
kept = "score_rows or every_folder or take_the_run"
sys.exit(pytest.main(["-q", "-c", "none.ini", "-p", "no:cacheprovider", faces, "-k", kept]))
"""


@pytest.fixture
def project(tmp_path):
    """A copy of the sources with one component more."""
    for folder in ("components", "pipelines"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / folder, tmp_path / "retrainer" / folder, ignore=ignored)
        (tmp_path / folder).symlink_to(tmp_path / "retrainer" / folder)
    for file in ("tools/docs.py", "tests/components/test_faces.py"):
        (tmp_path / file).parent.mkdir(parents=True)
        shutil.copy(ROOT / file, tmp_path / file)
    (tmp_path / "none.ini").touch()
    added = tmp_path / "components" / "score_rows"
    added.mkdir()
    (added / "__init__.py").write_text('"""Scores rows."""\n')
    (added / "component.py").write_text(FACE)
    (added / "README.md").write_text(README)
    listed = tmp_path / "components" / "__init__.py"
    line = "    from .train_model.component import train_model as train_model\n"
    own = line.replace("train_model", "score_rows")
    listed.write_text(listed.read_text().replace(line, own + line))
    return tmp_path


def test_a_new_component_takes_a_folder_and_a_line(project):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(project)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    # The folder, the list, a face's name and verdict, its README, its example.
    assert "5 passed" in done.stdout
