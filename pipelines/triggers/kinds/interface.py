"""What a kind of trigger is: how it reads a message, and what the project knows of it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

from ...project.formats.names import TRIGGER_KEY
from ...project.sections.data import DataConfig
from ...project.sections.triggers import TriggerConfig
from ..messages.alerts import Incident, read_alerts
from ..messages.contents import (
    WrittenObject,
    find_written,
    is_storage,
    read_body,
    read_written,
)
from ..types import Cause, Message


class Reading:
    """A message that several triggers read: each part of it is read once, and only if somebody asks.

    Attributes:
        message: The message.
        addressed: Name of the trigger that it names; None if it names none.
    """

    def __init__(self, message: Message) -> None:
        self.message = message
        self.addressed: str | None = message.attributes.get(TRIGGER_KEY)

    @cached_property
    def is_storage(self) -> bool:
        """Whether it is a notification of Cloud Storage."""
        return is_storage(self.message)

    @cached_property
    def written_uri(self) -> str | None:
        """The object that it says was written."""
        return find_written(self.message)

    @cached_property
    def written(self) -> WrittenObject:
        """The object that it says was written, and when."""
        return read_written(self.message)

    @cached_property
    def body(self) -> dict[str, Any]:
        """Its body."""
        return read_body(self.message)

    @cached_property
    def incidents(self) -> list[Incident]:
        """The incidents that it says began."""
        return read_alerts(self.body)


class Trigger(Protocol):
    """A trigger, ready to look at messages."""

    def find_causes(self, reading: Reading) -> list[Cause]:
        """Return what a message causes; nothing if it is none of this trigger's business.

        Raises:
            InvalidMessageError: If the message is for this trigger, and malformed.
        """


def _no_wait(_: TriggerConfig, __: DataConfig) -> int:
    return 0


@dataclass(frozen=True)
class TriggerKind:
    """Describes a kind of trigger; the module that has one as KIND is named in the list TRIGGER_KINDS.

    Attributes:
        make: Makes a trigger of its name, its section of retrain.yaml, the pipeline's name, and the section on data.
            Raises RetrainerError if it can't work.
        section: Its section of retrain.yaml: TriggerConfig, or a class of its own that adds settings to that.
        coalesce_seconds: For how long no message of the same cause must have come before its run starts; 0 for none.
    """

    make: Callable[[str, Any, str, DataConfig], Trigger]
    section: type[TriggerConfig] = TriggerConfig
    coalesce_seconds: Callable[[Any, DataConfig], int] = _no_wait
