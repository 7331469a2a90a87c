"""Imports that load less: packages entered without their `__init__`, and modules that wait until they are used.

`import kfp` loads `kubernetes.client`, all of its models, for two lines of it; `google.cloud.aiplatform_v1` loads the
clients of all its services, of which one is used here. Without them `retrainer trigger serve` starts in 1.6 seconds of
CPU time in place of 5.7. TFMA, TFDV and Beam import packages for views in notebooks, text metrics and services; without
them `evaluate_model` starts in 5.1 seconds in place of 6.1 where `import tensorflow` takes 3.5 (`make bench` shows it).
Whatever is left out is loaded at the first use of one of its names.
"""

import importlib
import importlib.util
import sys
import threading
from collections.abc import Callable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

# What the TFX libraries import and tasks seldom use: each is loaded when one of its names is used.
DEFERRED = frozenset(
    (
        # Confidence intervals take the t distribution of it, and TFMA imports it always.
        "scipy.stats",
        # The metrics Bleu and Rouge, for which TFMA imports sacrebleu, rouge_score and nltk; `eval_config` loads them
        # where they are named.
        "tensorflow_model_analysis.metrics.bleu",
        "tensorflow_model_analysis.metrics.rouge",
        # Notebooks: TFMA's and TFDV's views, and the progress bars of BigQuery's client, which Beam imports.
        "tensorflow_model_analysis.view",
        "IPython",
        "IPython.display",
        "tqdm.notebook",
        # TensorFlow's finder of virtual machines in a cluster.
        "googleapiclient.discovery",
        # Beam's Pub/Sub source and sink, its BigQuery and S3.
        "google.cloud.pubsub",
        "google.cloud.bigquery",
        "boto3",
        # Keras: preprocessing of pictures, weights in HDF5, tables of a model's layers.
        "scipy.linalg",
        "scipy.ndimage",
        "h5py",
        "rich.console",
        "rich.table",
    )
)

# Names that a package's own code sets; other special names that it lacks are asked for by the machinery of Python.
_OWN_NAMES = ("__all__", "__version__")


def enter_lean(*packages: str) -> None:
    """Let submodules of packages be imported without running the packages' own `__init__` first.

    The first use of a name that is no submodule runs it, so that nothing is missing for whoever uses the package too.

    Args:
        packages: Full names, outer packages before inner ones. One that is imported already, or is not installed, is
            left alone.
    """
    for name in packages:
        if name in sys.modules:
            continue
        try:
            spec = importlib.util.find_spec(name)
        except ModuleNotFoundError:
            spec = None
        if spec is None or spec.loader is None:
            continue
        module = importlib.util.module_from_spec(spec)
        module.__getattr__ = _looker_up(module, spec)  # type: ignore[method-assign]
        sys.modules[name] = module
        outer, _, inner = name.rpartition(".")
        if outer:
            setattr(sys.modules[outer], inner, module)


def defer_unused() -> None:
    """Have what `DEFERRED` lists loaded at the first use of one of its names, and not when a library imports it.

    For processes that run tasks alone: it holds for the whole process. A second call changes nothing.
    """
    if not any(isinstance(finder, _Deferring) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Deferring())


class _Deferring(MetaPathFinder):
    """Finds the modules of `DEFERRED` as the other finders do, with a loader that waits."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in DEFERRED:
            return None
        for finder in sys.meta_path:
            spec = None if finder is self else finder.find_spec(fullname, path, target)
            if spec is not None:
                if spec.loader is not None:
                    spec.loader = _DeferredLoader(spec.loader)
                return spec
        return None


class _DeferredLoader(Loader):
    """Leaves a module empty until one of its names is used."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        spec = module.__spec__
        if spec is not None:
            spec.loader = module.__loader__ = self._loader
            module.__getattr__ = _looker_up(module, spec)  # type: ignore[method-assign]


def _looker_up(module: ModuleType, spec: ModuleSpec) -> Callable[[str], Any]:
    lock = threading.RLock()
    begun = done = False

    def look_up(name: str) -> Any:
        nonlocal begun, done
        missing = AttributeError(f"module '{spec.name}' has no attribute '{name}'")
        if name.startswith("__") and name not in _OWN_NAMES:
            raise missing
        if (
            not name.startswith("__")
            and spec.submodule_search_locations is not None
            and importlib.util.find_spec(f"{spec.name}.{name}")
        ):
            return importlib.import_module(f"{spec.name}.{name}")
        with lock:
            if not begun and spec.loader is not None:
                begun = True
                try:
                    spec.loader.exec_module(module)
                except BaseException:
                    # The next use raises the same, as the next import would, and not that a name is missing.
                    begun = False
                    module.__getattr__ = look_up  # type: ignore[method-assign]
                    raise
                done = True
        # While it runs, its own thread comes here for what it does not have yet.
        if done and name in vars(module):
            return vars(module)[name]
        own = vars(module).get("__getattr__", look_up)
        if done and own is not look_up:
            return own(name)
        raise missing

    return look_up
