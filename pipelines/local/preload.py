"""The libraries that every task finds loaded, because it is forked from a process that has them."""

import importlib
import importlib.util
import os
import traceback
from collections.abc import Callable, Sequence

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
    "keras",
    "tensorflow_data_validation",
    "tensorflow_transform",
    "tensorflow_transform.beam",
    "tensorflow_model_analysis",
)
LEGACY_KERAS = "TF_USE_LEGACY_KERAS"


def quiet_environment() -> dict[str, str]:
    """Return the variables that keep TensorFlow's native messages out of logs, unless set already."""
    return {
        name: value
        for name, value in {"TF_CPP_MIN_LOG_LEVEL": "2", "GRPC_VERBOSITY": "ERROR"}.items()
        if name not in os.environ
    }


def load_libraries(names: Sequence[str], before: Callable[[int, str], None]) -> None:
    """Import libraries one after the other.

    One that is not installed is passed over. One that can't be imported is printed on stderr and
    passed over too: a task that needs it fails with the same error in its own log, where its user
    looks for it.

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
