"""The container image that every component runs in."""

from importlib.metadata import PackageNotFoundError, version

try:
    VERSION = version("retrainer")
except PackageNotFoundError:
    # A checkout on the path that was never installed: the image of no release can match it.
    VERSION = "dev"

IMAGE = f"retrainer:{VERSION}"
"""Image name and tag, bound to the installed version so that code and image cannot drift apart."""

IMAGE_VERSIONS = {"Python": "3.13", "Beam": "2.77"}
"""What the image is made with, as far as workers of an engine and the task must agree on it."""
