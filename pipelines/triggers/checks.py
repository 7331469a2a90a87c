"""Checks of the triggers in a retrain.yaml."""

from collections.abc import Iterator

from ...components.lib.evaluation.config_checks import Problem
from ..project.checks import name_problem
from ..project.config import LoadedConfig
from ..project.sections.triggers import STORAGE, TriggerConfig
from .kinds.storage import find_marker
from .matching import Matcher


def check_triggers(loaded: LoadedConfig) -> list[str]:
    """Check the triggers.

    Args:
        loaded: The configuration.

    Returns:
        Warnings, a line each.

    Raises:
        RetrainerError: If one can't work.
    """
    config = loaded.config
    Matcher(config.name, config.all_triggers, config.data)
    return [name_problem(problem, loaded) for problem in _unlike_markers(loaded)]


def _unlike_markers(loaded: LoadedConfig) -> Iterator[Problem]:
    """Name triggers that start a run at another object than the one that lets the run see the span."""
    data = loaded.config.data
    for name, trigger in loaded.config.triggers.items():
        if trigger.kind != STORAGE:
            continue
        without = TriggerConfig(kind=trigger.kind, pattern=trigger.pattern)
        usual, own = find_marker(without, data), find_marker(trigger, data)
        if usual and own != usual:
            starts = f"'{own}' starts a run" if own else "any file starts a run"
            yield Problem(
                f"triggers.{name}.marker is {repr(own) if own else 'null'} and data.marker '{usual}': {starts}, which "
                f"does not see a span before its '{usual}' is there, and that one starts none. Leave "
                f"triggers.{name}.marker out to have the data's.",
                False,
                f"triggers.{name}.marker",
            )
