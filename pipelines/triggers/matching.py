"""Which triggers a message is for, and what it causes."""

import importlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import translate

from ..project.sections.data import DataConfig
from ..project.sections.retraining import INCIDENT
from ..project.sections.triggers import TRIGGER_KINDS, TriggerConfig
from .kinds.interface import Reading, Trigger, TriggerKind
from .messages.cloud_events import TYPE_ATTRIBUTE
from .types import Cause, InvalidMessageError, Message

_INCIDENTS = "retrainer.pipelines.triggers.kinds.incident"


@dataclass(frozen=True)
class Findings:
    """What a message is to the triggers; to none of them anything if both lists are empty.

    Attributes:
        causes: Why runs shall start.
        invalid: Names of triggers that it is for and that can't read it, with the reason.
        reason: Why there is neither.
    """

    causes: list[Cause] = field(default_factory=list)
    invalid: list[tuple[str, str]] = field(default_factory=list)
    reason: str = ""


def find_kind(name: str) -> TriggerKind:
    """Find what describes a kind of trigger.

    Args:
        name: A name in the list `TRIGGER_KINDS`, or that of the section `retraining`.
    """
    module = _INCIDENTS if name == INCIDENT else TRIGGER_KINDS[name]
    kind: TriggerKind = importlib.import_module(module).KIND
    return kind


class AttributeFilter:
    """What a message's attributes must be.

    Args:
        wanted: Each attribute's value, with `*` and `?` in it.

    Attributes:
        names: The attributes that are looked at.
    """

    def __init__(self, wanted: Mapping[str, str]) -> None:
        self.names = frozenset(wanted)
        self._wanted = [(key, re.compile(translate(value))) for key, value in wanted.items()]

    def accepts(self, attributes: Mapping[str, str]) -> bool:
        """Return whether a message's attributes match."""
        return all(
            key in attributes and wanted.match(attributes[key]) for key, wanted in self._wanted
        )


class Matcher:
    """All triggers of a pipeline.

    Args:
        pipeline: The pipeline's name.
        triggers: The triggers by name.
        data: The section on data, for storage triggers without a pattern or marker of their own.

    Raises:
        RetrainerError: If a trigger can't work.
    """

    def __init__(
        self, pipeline: str, triggers: Mapping[str, TriggerConfig], data: DataConfig
    ) -> None:
        self._triggers: dict[str, tuple[AttributeFilter, Trigger]] = {
            name: (
                AttributeFilter(config.attributes),
                find_kind(config.kind).make(name, config, pipeline, data),
            )
            for name, config in triggers.items()
        }

    def find(self, message: Message) -> Findings:
        """Find what a message causes.

        A message that names a trigger is for that one alone. A schedule's message has to name its own, because
        nothing else identifies it. A CloudEvent that is of no type which is known here has to be asked for: its
        data may be anything.
        """
        reading = Reading(message)
        names: Iterable[str] = self._triggers
        if reading.addressed is not None:
            names = [reading.addressed]
            if reading.addressed not in self._triggers:
                return Findings(
                    reason=f"it is for the trigger {reading.addressed!a}, which retrain.yaml does not have."
                )
        findings = Findings(reason="no trigger matches it.")
        for name in names:
            wanted, trigger = self._triggers[name]
            if not wanted.accepts(message.attributes) or _is_foreign(reading, wanted):
                continue
            try:
                findings.causes.extend(trigger.find_causes(reading))
            except InvalidMessageError as error:
                findings.invalid.append((name, str(error)))
        return findings


def _is_foreign(reading: Reading, wanted: AttributeFilter) -> bool:
    is_event = TYPE_ATTRIBUTE in reading.message.attributes
    return is_event and reading.addressed is None and TYPE_ATTRIBUTE not in wanted.names
