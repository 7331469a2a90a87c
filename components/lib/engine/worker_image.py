"""The image that an engine's workers start from: whether it has retrainer, and the task's Python and Beam."""

import re

from ..errors import RetrainerError
from ..image import IMAGE, IMAGE_VERSIONS
from .arguments import BeamArguments
from .runners import image_option, image_options
from .work_items import version_problem

# By these Beam installs packages into its own image.
_INSTALLED = ("setup_file", "requirements_file", "extra_package", "extra_packages")
_BEAMS_IMAGE = re.compile(
    r"(?:^|/)beam_python(?P<python>\d+\.\d+)_sdk(?:_distroless)?:(?P<beam>\d+\.\d+)"
)
_OUR_IMAGE = re.compile(rf"(?:^|/){re.escape(IMAGE)}(?:@|$)")


def check_image(arguments: BeamArguments, engine: str) -> None:
    """Check the image of workers before anything is sent.

    Args:
        arguments: Beam's arguments.
        engine: What to call the engine.

    Raises:
        RetrainerError: If workers would start from Beam's own image, which has no retrainer, or from one whose name
            says that it has another Python or Beam.
    """
    installed = any(arguments.options.get(one) for one in _INSTALLED)
    option = image_option(*arguments)
    if option and not installed:
        raise RetrainerError(
            f"the workers of {engine} would start from Beam's own image, which has no retrainer. Set "
            f"engine.worker_image to the image of this pipeline, or --{option} in beam_args."
        )
    for name in image_options(*arguments):
        image = str(arguments.options[name])
        found = image_versions(image)
        if found and (problem := version_problem(found)):
            raise RetrainerError(f"the image '{image}' does not fit: {problem}")


def image_versions(image: str) -> dict[str, str] | None:
    """Return the Python and the Beam of an image whose name says them: retrainer's own, and Beam's.

    Args:
        image: The image's name.
    """
    if _OUR_IMAGE.search(image):
        return IMAGE_VERSIONS
    found = _BEAMS_IMAGE.search(image)
    return {"Python": found["python"], "Beam": found["beam"]} if found else None
