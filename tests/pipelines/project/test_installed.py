import subprocess
import sys

import pytest

from retrainer.pipelines.project.starting import init_project

CODE = """
import importlib.util, sys
from retrainer.pipelines.cli.main import main

find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "tensorflow" else find(name, *rest)
sys.modules["pandas"] = None
sys.argv = ["retrainer", *sys.argv[1:]]
main()
"""


@pytest.mark.parametrize(("command", "package"), [("run", "tensorflow"), ("demo", "pandas")])
def test_a_command_that_needs_more_than_is_installed_names_it_and_the_image(
    tmp_path, command, package
):
    init_project(tmp_path / "project")
    said = subprocess.run(
        [sys.executable, "-c", CODE, command],
        cwd=tmp_path / "project",
        capture_output=True,
        text=True,
    )
    assert said.returncode == 1
    assert "needs the extra 'components' of retrainer" in said.stderr
    assert f"there is no package '{package}'" in said.stderr
    assert "use the image retrainer" in said.stderr
    assert "Traceback" not in said.stderr
