"""Commands that need more packages than is installed: the image of the trigger service has no TensorFlow."""

import importlib.util

from ...components.lib.errors import RetrainerError

_NEEDED_BY_TASKS = "tensorflow"


def check_libraries() -> None:
    """Check that tasks can run here.

    Raises:
        RetrainerError: If TensorFlow is not installed.
    """
    if importlib.util.find_spec(_NEEDED_BY_TASKS) is None:
        raise lacking(_NEEDED_BY_TASKS)


def lacking(package: str) -> RetrainerError:
    """Build the error of a command that needs a package which is not installed."""
    return RetrainerError(
        f"this command needs the Python package '{package}', which is not installed here. The image retrainer-trigger "
        "has only what the trigger service, submit, schedule and compile need: use the image retrainer, or an "
        "environment with all dependencies of the package retrainer."
    )
