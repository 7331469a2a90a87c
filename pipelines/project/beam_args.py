"""The setting `beam_args` of earlier releases, as the section `engine`."""

from typing import Any

from ...components.lib.engine.options import RUNNER, read_arguments
from ...components.lib.engine.runners import DIRECT, SHORT_NAMES, runner_class
from .sections.engine import BEAM_COMPONENTS


def is_beam_args(value: Any) -> bool:
    """Return whether a value is one that the setting had."""
    return value is None or isinstance(value, list)


def engine_section(beam_args: Any) -> dict[str, Any]:
    """Write Beam's arguments as the section.

    Args:
        beam_args: The arguments; all components that can run on Beam did, with any argument.

    Returns:
        The section's content; empty without arguments.

    Raises:
        ArgumentError: If an item is no option.
    """
    if not beam_args:
        return {}
    options = read_arguments([str(item) for item in beam_args])
    runner = str(options.pop(RUNNER, DIRECT))
    short = {one: name for name, one in SHORT_NAMES.items()}
    section: dict[str, Any] = {"runner": short.get(runner_class(runner) or runner, runner)}
    if options:
        section["options"] = options
    return {**section, "components": list(BEAM_COMPONENTS)}
