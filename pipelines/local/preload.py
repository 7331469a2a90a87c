"""The libraries that every task finds loaded, because it is forked from a process that has them."""

import importlib
import importlib.util
import os
import traceback
from collections.abc import Callable, Mapping, Sequence

from ...components.lib.lean_imports import defer_unused

LIBRARIES: tuple[str, ...] = (
    # In this order because a run's first tasks are forked in the gaps: they read tables, and want
    # no TensorFlow.
    "kfp.dsl.executor_main",
    "pyarrow",
    "pyarrow_hotfix",
    "pyarrow.parquet",
    "pandas",
    "apache_beam",
    "tensorflow",
    "tensorflow_data_validation",
    "retrainer.components.compute_statistics.compute",
    "keras",
    # TFT imports it; by itself it makes one gap more in which tasks are forked.
    "tf_keras",
    "tensorflow_transform",
    "tensorflow_transform.beam",
    "tensorflow_model_analysis",
    # What the longest chain of tasks runs; it is loaded while the first of them run.
    "retrainer.components.validate_examples.validate",
    "retrainer.components.transform_features.transform",
    "retrainer.components.train_model.train",
    "retrainer.components.evaluate_model.evaluate",
    "retrainer.components.push_model.push",
)
# The last of them that a component uses: its tasks are forked as soon as that one is loaded.
LAST_LIBRARY: Mapping[str, str] = {
    "resolve_champion": "pyarrow.parquet",
    "compute_statistics": "tensorflow_data_validation",
    "validate_examples": "tensorflow_data_validation",
    "transform_features": "tensorflow_transform.beam",
    "train_model": "tensorflow_transform.beam",
    "evaluate_model": "tensorflow_model_analysis",
    "check_serving": "pyarrow.parquet",
    "push_model": "pyarrow.parquet",
}
# The first of them, which take little time: a server with these alone serves tasks that use no others, while the rest
# is loaded.
LIGHT = frozenset(
    ("kfp.dsl.executor_main", "pyarrow", "pyarrow_hotfix", "pyarrow.parquet", "pandas")
)
LEGACY_KERAS = "TF_USE_LEGACY_KERAS"


def quiet_environment() -> dict[str, str]:
    """Return the variables that keep TensorFlow's native messages out of logs, unless set already."""
    return {
        name: value
        for name, value in {"TF_CPP_MIN_LOG_LEVEL": "2", "GRPC_VERBOSITY": "ERROR"}.items()
        if name not in os.environ
    }


def libraries_needed(function: str, libraries: Sequence[str]) -> int:
    """Return how many of the libraries have to be loaded before a task of a function is forked.

    Args:
        function: Name of the component's function.
        libraries: What is loaded, in this order.
    """
    last = LAST_LIBRARY.get(function)
    return libraries.index(last) + 1 if last in libraries else len(libraries)


def count_light(libraries: Sequence[str]) -> int:
    """Return how many libraries stand before the first one that is not among `LIGHT`."""
    return next((n for n, name in enumerate(libraries) if name not in LIGHT), len(libraries))


def load_libraries(names: Sequence[str], before: Callable[[int, str], None]) -> None:
    """Import libraries one after the other.

    One that is not installed is passed over. One that can't be imported is printed on stderr and
    passed over too: a task that needs it fails with the same error in its own log, where its user
    looks for it. The caller pauses the garbage collector, which would look at what was loaded again and again.

    Args:
        names: Modules.
        before: Called before each import with the number of modules done and the name of the next.
    """
    defer_unused()
    legacy = os.environ.get(LEGACY_KERAS)
    for done, name in enumerate(names):
        before(done, name)
        if importlib.util.find_spec(name.partition(".")[0]) is None:
            continue
        try:
            importlib.import_module(name)
        except Exception:
            traceback.print_exc()
    # TensorFlow Transform sets it for its own import; what a task starts (a model server, say) must
    # not inherit it.
    if legacy is None:
        os.environ.pop(LEGACY_KERAS, None)
