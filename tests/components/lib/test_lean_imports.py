import subprocess
import sys

import pytest


def run(code):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.fixture
def package(tmp_path, monkeypatch):
    folder = tmp_path / "slow_package"
    folder.mkdir()
    (folder / "__init__.py").write_text(
        "from .part import VALUE\nfrom . import part\n__version__ = '7'\nprint('run')\n"
    )
    (folder / "part.py").write_text("VALUE = 3\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))


ENTER = "from retrainer.components.lib.lean_imports import enter_lean; enter_lean('slow_package');"


@pytest.mark.parametrize(
    ("use", "says"),
    [
        ("from slow_package.part import VALUE; print(VALUE)", ["3"]),
        ("from slow_package import part; print(part.VALUE)", ["3"]),
        ("import slow_package.part as part; print(part.VALUE)", ["3"]),
        ("from slow_package import VALUE; print(VALUE)", ["run", "3"]),
        (
            "import slow_package as s; print(s.VALUE, s.VALUE, s.__version__)",
            ["run", "3", "3", "7"],
        ),
        ("import slow_package; print(hasattr(slow_package, 'none'))", ["run", "False"]),
        ("from slow_package import *; print(VALUE, part.VALUE)", ["run", "3", "3"]),
    ],
)
def test_a_package_is_run_when_a_name_of_its_own_is_used_and_not_before(package, use, says):
    assert run(f"{ENTER} {use}") == says


def test_one_that_is_imported_or_not_there_is_left_alone(package):
    code = (
        "import slow_package; "
        + ENTER
        + " enter_lean('no.such.package'); print(slow_package.VALUE)"
    )
    assert run(code) == ["run", "3"]


def test_opening_vertex_and_the_components_loads_one_service_and_no_models_of_kubernetes():
    loaded = run(
        "import sys, retrainer.components, retrainer.pipelines.targets.vertex.target;"
        "from google.cloud.aiplatform_v1.services.pipeline_service import PipelineServiceClient;"
        "print(*sys.modules)"
    )
    assert [name for name in loaded if name.startswith("kubernetes.client.models")] == []
    services = {
        name.split(".")[4]
        for name in loaded
        if name.startswith("google.cloud.aiplatform_v1.services.")
    }
    assert services == {"pipeline_service"}


def test_the_whole_packages_are_there_for_who_uses_them():
    assert run(
        "import retrainer.components, retrainer.pipelines.targets.vertex.target;"
        "from kubernetes import client, config;"
        "from google.cloud import aiplatform_v1, aiplatform;"
        "print(client.V1Pod.__name__, config.load_kube_config.__name__,"
        " aiplatform_v1.JobServiceClient.__name__, aiplatform.PipelineJob.__name__)"
    ) == ["V1Pod", "load_kube_config", "JobServiceClient", "PipelineJob"]
