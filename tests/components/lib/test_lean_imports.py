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


DEFER = """
from retrainer.components.lib import lean_imports
lean_imports.DEFERRED = frozenset({"slow_package", "slow_package.part"})
lean_imports.defer_unused()
"""


@pytest.mark.parametrize(
    ("use", "says"),
    [
        ("import slow_package", []),
        ("import slow_package.part", []),
        ("from slow_package import part; print('here'); print(part.VALUE)", ["here", "3"]),
        ("import slow_package as s; print('here'); print(s.VALUE)", ["here", "run", "3"]),
        ("from slow_package import VALUE; print(VALUE)", ["run", "3"]),
        ("from slow_package import *; print(VALUE)", ["run", "3"]),
        (
            "import slow_package as s; print(hasattr(s, 'none'), s.__version__, s.__spec__.name)",
            ["run", "False", "7", "slow_package"],
        ),
    ],
)
def test_a_deferred_module_is_run_when_one_of_its_names_is_used(package, use, says):
    assert run(DEFER + use) == says


def test_a_deferred_module_that_fails_raises_its_own_error_at_each_use(package, tmp_path):
    (tmp_path / "slow_package" / "__init__.py").write_text("import no_package\n")
    use = (
        "import slow_package\n"
        "for _ in range(2):\n"
        "    try:\n        slow_package.VALUE\n"
        "    except ModuleNotFoundError as error:\n        print(error.name)\n"
        "try:\n    from slow_package import VALUE\nexcept ImportError as error:\n    print(error.name)"
    )
    assert run(DEFER + use) == ["no_package"] * 3


def test_a_deferred_module_with_names_made_on_demand_has_them_at_the_first_use(package, tmp_path):
    (tmp_path / "slow_package" / "__init__.py").write_text(
        "def __getattr__(name):\n    return name.upper()\n"
    )
    use = "import slow_package as s; print(s.lazy, s.later); from slow_package import more; print(more)"
    assert run(DEFER + use) == ["LAZY", "LATER", "MORE"]


def test_a_deferred_module_that_is_not_installed_is_missing_at_its_import(package):
    assert run(
        DEFER.replace("slow_package.part", "no_package")
        + "try:\n    import no_package\nexcept ModuleNotFoundError as error:\n    print(error.name)"
    ) == ["no_package"]


USES = """
import os
os.environ["_KFP_RUNTIME"] = "true"
import sys
import retrainer.components
import tensorflow_model_analysis as tfma
print(*[name for name in ("nltk", "sacrebleu", "IPython.core", "ipywidgets", "scipy.stats._stats_py",
                          "scipy.ndimage._filters", "h5py._hl.files", "boto3.session", "rich.pager")
        if name in sys.modules])
from retrainer.components.lib.evaluation.eval_config import build_eval_config
from tensorflow_model_analysis.metrics import metric_types
metrics = [{"class_name": name} for name in ("AUC", "Bleu", "Rouge")]
metrics[2]["config"] = {"rouge_type": "rouge1"}
build_eval_config([{"metrics": metrics}], [], {}, "label")
print({"Bleu", "Rouge"} <= set(metric_types.registered_metrics()), "nltk" in sys.modules)
from tensorflow_model_analysis.utils import math_util
value = tfma.types.ValueWithTDistribution(1.0, 0.5, 10, 1.0)
print(round(math_util.calculate_confidence_interval(value)[1], 1))
from scipy import stats
import scipy.stats
from IPython import get_ipython
from IPython.display import HTML
from google.cloud import pubsub
import tqdm.notebook
print(round(stats.t.ppf(0.975, 10), 2), scipy.stats is stats, HTML.__name__, pubsub.PublisherClient.__name__)
print(tfma.view.render_slicing_metrics.__name__, tqdm.notebook.tqdm.__name__)
import io
import h5py
import scipy.ndimage
from google.cloud import bigquery
from google.cloud.bigquery.table import Row
from rich.console import Console
from rich.table import Table
from scipy import linalg
with h5py.File(io.BytesIO(), "w") as file:
    file["x"] = [1.0, 2.0]
    print(file["x"].shape, float(linalg.norm([3.0, 4.0])), scipy.ndimage.shift([1, 2, 3], 1).tolist())
print(bigquery.Client.__name__, Row.__name__, Console.__name__, Table.__name__)
import keras
model = keras.Sequential([keras.layers.Input((1,)), keras.layers.Dense(1)])
model.summary(print_fn=lambda text: print("dense" in text))
model.save(os.path.join(sys.argv[1], "model.h5"))
print(len(keras.models.load_model(os.path.join(sys.argv[1], "model.h5")).layers))
"""


def test_a_task_loads_what_a_library_needs_when_it_is_used(tmp_path):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", USES, str(tmp_path)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == ""
    assert lines[1] == "True True"
    assert lines[2:] == [
        "-0.1",
        "2.23 True HTML PublisherClient",
        "render_slicing_metrics tqdm_notebook",
        "(2,) 5.0 [0, 1, 2]",
        "Client Row Console Table",
        "True",
        "1",
    ]


def test_other_processes_import_as_ever():
    assert run(
        "import sys, retrainer.components;"
        "print([type(finder).__name__ for finder in sys.meta_path if 'Deferring' in repr(finder)])"
    ) == ["[]"]
