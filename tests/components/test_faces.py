"""Every component has the same shape, and its README shows it as it is."""

import ast
import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import retrainer.components
from retrainer.pipelines.project.sections.tasks import NEVER_CACHED

ROOT = Path(__file__).parents[2]
NAMES = retrainer.components.__all__
HEAVY = [
    "tensorflow",
    "tensorflow_data_validation",
    "tensorflow_transform",
    "tensorflow_model_analysis",
    "apache_beam",
]


def _example(name):
    readme = (ROOT / "components" / name / "README.md").read_text()
    return re.search(r"```python\n(.*?)```", readme, re.DOTALL)[1]


def test_every_folder_of_a_component_is_exported_and_listed():
    folders = {path.parent.name for path in (ROOT / "components").glob("*/component.py")}
    source = ast.parse((ROOT / "components" / "__init__.py").read_text())
    listed = [
        (node.module, alias.name)
        for node in ast.walk(source)
        if isinstance(node, ast.ImportFrom) and node.level and "component" in (node.module or "")
        for alias in node.names
    ]
    assert folders == set(NAMES)
    assert sorted(listed) == sorted((f"{name}.component", name) for name in NAMES)


def test_components_that_take_the_run_are_never_cached():
    take_the_run = {
        name
        for name in NAMES
        if "run" in (getattr(retrainer.components, name).component_spec.inputs or {})
    }
    assert take_the_run == set(NEVER_CACHED)


@pytest.mark.parametrize("name", NAMES)
def test_a_face_is_named_as_its_folder_and_gives_a_verdict(name):
    component = getattr(retrainer.components, name)
    assert component.python_func.__name__ == name
    assert "verdict" in component.component_spec.outputs
    executor = component.component_spec.implementation.container
    assert executor.image.startswith("retrainer:")
    assert "pip install" not in " ".join(executor.command)


@pytest.mark.parametrize("name", NAMES)
def test_a_readme_names_every_input_and_output(name):
    readme = (ROOT / "components" / name / "README.md").read_text()
    spec = getattr(retrainer.components, name).component_spec
    missing = [key for key in [*(spec.inputs or {}), *spec.outputs] if f"`{key}`" not in readme]
    assert missing == []


@pytest.mark.parametrize("name", NAMES)
def test_the_example_of_a_readme_compiles(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # From a file, since kfp reads the source of what it compiles.
    script = tmp_path / "example.py"
    script.write_text(_example(name))
    exec(compile(script.read_text(), str(script), "exec"), {"__name__": "example"})
    compiled = list(tmp_path.glob("*.yaml"))
    assert len(compiled) == 1
    spec = next(iter(yaml.safe_load_all(compiled[0].read_text())))
    labels = spec["deploymentSpec"]["executors"]
    assert any(label.startswith(f"exec-{name.replace('_', '-')}") for label in labels)


def _printed(program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; {program}"], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_importing_the_components_loads_no_heavy_library():
    loaded = f"print([name for name in {HEAVY} if name in sys.modules])"
    assert _printed(f"from retrainer.components import *; {loaded}") == "[]"


def test_importing_the_package_loads_no_kfp():
    assert _printed("import retrainer.components; print('kfp' in sys.modules)") == "False"


def test_a_component_is_found_after_a_module_of_its_folder_was_imported():
    program = (
        "import retrainer.components.push_model.push; from retrainer.components import push_model"
    )
    assert _printed(f"{program}; print(push_model.name)") == "push-model"


def test_an_unknown_component_is_named():
    with pytest.raises(AttributeError, match="has no attribute 'fly'"):
        _ = retrainer.components.fly


def test_the_work_can_be_imported_where_kfp_runs_a_task():
    bodies = [inspect.getsource(getattr(retrainer.components, name).python_func) for name in NAMES]
    modules = [
        re.search(rf"    from (retrainer\.components\.{name}\.\S+) import", body)[1]
        for name, body in zip(NAMES, bodies, strict=True)
    ]
    assert len(set(modules)) == len(NAMES)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", f"import {', '.join(modules)}"],
        env={**os.environ, "_KFP_RUNTIME": "true"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
