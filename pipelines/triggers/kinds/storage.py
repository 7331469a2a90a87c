"""The four kinds of triggers: what each makes of a message."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase, translate
from functools import cached_property
from typing import Any, Protocol

from ....components.lib.errors import RetrainerError
from ....components.lib.span_patterns import SpanPattern, compile_pattern
from ...project.sections.data import DataConfig
from ...project.sections.triggers import FLAGS, MessageKind, TriggerConfig
from ..messages.alerts import Incident, is_alert, read_alerts
from ..messages.contents import (
    TRIGGER_ATTRIBUTE,
    WrittenObject,
    check_span,
    find_written,
    is_storage,
    read_body,
    read_request,
    read_written,
)
from ..types import Cause, InvalidMessageError, Message

_SLOT_SECONDS = 60
"""Cloud Scheduler's finest slot, and so the least in which two messages can be one delivered twice."""


class Reading:
    """A message that several triggers read: each part of it is read once, and only if somebody asks.

    Attributes:
        message: The message.
        addressed: Name of the trigger that it names; None if it names none.
    """

    def __init__(self, message: Message) -> None:
        self.message = message
        self.addressed: str | None = message.attributes.get(TRIGGER_ATTRIBUTE)

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
        """Give what a message causes; nothing if it is none of this trigger's business.

        Raises:
            InvalidMessageError: If the message is for this trigger, and malformed.
        """


class StorageTrigger:
    """Starts a run when a span's files, or the marker that completes them, were written."""

    def __init__(self, name: str, config: TriggerConfig, data: DataConfig) -> None:
        pattern = config.pattern or data.pattern
        if not pattern.startswith("gs://"):
            raise RetrainerError(
                f"the trigger '{name}' listens to Cloud Storage, and its pattern is '{pattern}'; give it one on "
                f"'gs://' as triggers.{name}.pattern or data.pattern."
            )
        self._name, self._config = name, config
        self._marker = find_marker(config, data)
        self._pattern = _marker_pattern(name, pattern, self._marker)
        self._seconds = settle_seconds(config, data)
        # A run that is not given the span takes the newest ones, whichever marker started it.
        self._takes_newest = not any("{span}" in text for text in config.parameters.values())

    def find_causes(self, reading: Reading) -> list[Cause]:
        """Give the cause of an object that matches; see Trigger."""
        if not reading.is_storage:
            if reading.addressed is not None:
                raise InvalidMessageError(
                    f"the message names the trigger '{self._name}', which listens to Cloud Storage, and has none of "
                    "the attributes 'eventType', 'bucketId' and 'objectId'."
                )
            return []
        # Matched first, and checked then: a name that no trigger listens to may be of any characters.
        span = self._pattern.match(reading.written_uri) if reading.written_uri else None
        if span is None:
            return []
        written = reading.written
        check_span(span)
        parameters = {
            key: text.replace("{span}", span) for key, text in self._config.parameters.items()
        }
        if self._seconds:
            ready = written.at + timedelta(seconds=self._seconds)
            return [Cause(self._name, span, span, parameters, ready, written.at, self._seconds)]
        if not self._marker:
            key = f"{span}@{written.at.timestamp():.6f}"
            return [Cause(self._name, span, key, parameters, written.at, written.at)]
        if not written.generation:
            raise InvalidMessageError("the attribute 'objectGeneration' is missing.")
        key = f"{written.uri}#{written.generation}"
        # A marker's generation is in the run's id, so any run of that id came after it.
        done_since = written.at if self._takes_newest else None
        published = reading.message.published
        return [Cause(self._name, span, key, parameters, published, done_since=done_since)]


class RequestTrigger:
    """Starts a run that somebody asks for."""

    def __init__(self, name: str, config: TriggerConfig, pipeline: str) -> None:
        self._name, self._config, self._pipeline = name, config, pipeline

    def find_causes(self, reading: Reading) -> list[Cause]:
        """Give the cause of a request; see Trigger."""
        if reading.addressed is None and (reading.is_storage or is_alert(reading.body)):
            return []
        asked = read_request(reading.message, reading.body)
        if asked.pipeline not in ("", self._pipeline):
            return []
        for key, value in asked.parameters.items():
            if key not in self._config.allow:
                raise InvalidMessageError(
                    f"the request sets the parameter '{key}', and triggers.{self._name}.allow has "
                    f"{', '.join(self._config.allow) or 'none'}."
                )
            if key == "span":
                check_span(value)
            if key == "allow_older" and value not in FLAGS:
                raise InvalidMessageError(
                    f"the parameter 'allow_older' is {value!a}, and must be true or false."
                )
        parameters = {**self._config.parameters, **asked.parameters}
        return [Cause(self._name, asked.key, asked.key, parameters, reading.message.published)]


class ScheduleTrigger:
    """Starts a run whenever Cloud Scheduler says so, once for each of its slots."""

    def __init__(self, name: str, config: TriggerConfig) -> None:
        self._name, self._config = name, config
        self._seconds = max(_SLOT_SECONDS, config.coalesce_seconds)

    def find_causes(self, reading: Reading) -> list[Cause]:
        """Give the cause of a slot; see Trigger."""
        if reading.addressed is None:
            return []
        published = reading.message.published
        slot = int(published.timestamp() // self._seconds * self._seconds)
        readable = f"{self._name}-{datetime.fromtimestamp(slot, UTC):%Y%m%d-%H%M}"
        # Slots ask for the same: after an outage one run makes up for all that were missed.
        return [
            Cause(
                self._name,
                readable,
                str(slot),
                self._config.parameters,
                published,
                done_since=published,
            )
        ]


class AlertTrigger:
    """Starts a run for each incident that monitoring opens."""

    def __init__(self, name: str, config: TriggerConfig) -> None:
        self._name, self._config = name, config

    def find_causes(self, reading: Reading) -> list[Cause]:
        """Give the causes of the incidents that match; see Trigger."""
        if reading.addressed is None and reading.is_storage:
            return []
        if not is_alert(reading.body):
            if reading.addressed is not None:
                raise InvalidMessageError(
                    f"the message names the trigger '{self._name}', which listens to alerts, and its body has "
                    "neither 'incident' (Cloud Monitoring) nor 'alerts' (Alertmanager)."
                )
            return []
        return [
            Cause(
                self._name,
                incident.name,
                incident.key,
                self._config.parameters,
                reading.message.published,
            )
            for incident in reading.incidents
            if fnmatchcase(incident.name, self._config.policy)
        ]


def find_marker(config: TriggerConfig, data: DataConfig) -> str:
    """Find the marker that a trigger on storage waits for.

    Args:
        config: The trigger. Its own marker counts, also an empty one.
        data: Its marker holds for a trigger that has none of its own and watches the same folders: what starts a run
            must be what completes a span, or the run can't see the span.

    Returns:
        The marker's name; empty if any file of a span starts a run.
    """
    if "marker" in config.model_fields_set:
        return config.marker or ""
    folder = (config.pattern or data.pattern).rpartition("/")[0]
    return (data.marker or "") if folder == data.pattern.rpartition("/")[0] else ""


def settle_seconds(config: TriggerConfig, data: DataConfig) -> int:
    """Say for how long no file of a span must have come before its run starts.

    Args:
        config: The trigger. Beside a marker, only what it says itself counts: a marker completes a span, unless each of
            several folders of the span has one.
        data: For the marker, see `find_marker`.

    Returns:
        Seconds; 0 for a trigger that does not wait.
    """
    if config.kind != MessageKind.STORAGE:
        return 0
    if find_marker(config, data) and "coalesce_seconds" not in config.model_fields_set:
        return 0
    return config.coalesce_seconds


def make_trigger(name: str, config: TriggerConfig, pipeline: str, data: DataConfig) -> Trigger:
    """Make a trigger of its configuration.

    Args:
        name: Its name.
        config: Its section of retrain.yaml.
        pipeline: The pipeline's name.
        data: The section on data, for its pattern and marker.

    Raises:
        RetrainerError: If it can't work.
    """
    match config.kind:
        case MessageKind.STORAGE:
            return StorageTrigger(name, config, data)
        case MessageKind.REQUEST:
            return RequestTrigger(name, config, pipeline)
        case MessageKind.SCHEDULE:
            return ScheduleTrigger(name, config)
        case MessageKind.ALERT:
            return AlertTrigger(name, config)


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


def _marker_pattern(name: str, pattern: str, marker: str) -> SpanPattern:
    if not marker:
        return compile_pattern(pattern)
    folder = pattern.rpartition("/")[0]
    try:
        return compile_pattern(f"{folder}/{marker}")
    except RetrainerError as error:
        if "{span" in folder and "{span" in marker:
            raise RetrainerError(
                f"triggers.{name}.marker is '{marker}', and the folder '{folder}' that it is looked for in names the "
                "span already: leave {span} out of the marker."
            ) from error
        raise RetrainerError(
            f"triggers.{name}.marker is '{marker}', in the folder '{folder}' of the span's files, and exactly one "
            "'{span}' must be in these two to tell which span it completes: keep each span in a folder of its own, or "
            f"name the span in the marker, as '{{span}}{marker}'."
        ) from error
