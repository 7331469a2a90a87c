"""Commands that need more packages than are installed: `pip install retrainer` brings no TensorFlow."""

import importlib.util

from ...components.lib.errors import RetrainerError

_NEEDED_BY_TASKS = "tensorflow"
# Packages of other extras, by the name that is imported.
_EXTRAS = {
    "gcsfs": "gcs",
    "s3fs": "s3",
    "aiobotocore": "s3",
    "boto3": "sagemaker",
    "docker": "docker",
}
_COMPONENTS = "components"


def has_libraries() -> bool:
    """Return whether tasks can run here."""
    return importlib.util.find_spec(_NEEDED_BY_TASKS) is not None


def check_libraries() -> None:
    """Check that tasks can run here.

    Raises:
        RetrainerError: If TensorFlow is not installed.
    """
    if not has_libraries():
        raise missing_package(_NEEDED_BY_TASKS)


def missing_package(package: str) -> RetrainerError:
    """Build the error of a command that needs a package which is not installed.

    Args:
        package: The name under which it is imported.
    """
    extra = _EXTRAS.get(package, _COMPONENTS)
    image = " or use the image retrainer, which has it" if extra == _COMPONENTS else ""
    return RetrainerError(
        f"this command needs the extra '{extra}' of retrainer, which is not installed here (there is no package "
        f"'{package}'): run 'pip install \"retrainer[{extra}]\"'{image}."
    )
