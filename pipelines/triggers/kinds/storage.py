"""Triggers on Cloud Storage: a span's files, or the marker that completes them, start a run."""

from datetime import timedelta

from ....components.lib.errors import RetrainerError
from ....components.lib.spans.span_patterns import SpanPattern, compile_pattern
from ...project.sections.data import DataConfig
from ...project.sections.triggers import TriggerConfig
from ..messages.contents import check_span
from ..types import Cause, InvalidMessageError
from .interface import Reading, TriggerKind


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
        self._seconds = coalesce_seconds(config, data)
        # A run that is not given the span takes the newest ones, whichever marker started it.
        self._takes_newest = not any("{span}" in text for text in config.parameters.values())

    def find_causes(self, reading: Reading) -> list[Cause]:
        """Return the cause of an object that matches; see Trigger."""
        if not reading.is_storage:
            if reading.addressed is not None:
                raise InvalidMessageError(
                    f"the message names the trigger '{self._name}', which listens to Cloud Storage, and has none of "
                    "the attributes 'eventType', 'bucketId' and 'objectId'."
                )
            return []
        # Matched first, and checked then: a name that no trigger matches may be of any characters.
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


def coalesce_seconds(config: TriggerConfig, data: DataConfig) -> int:
    """Return for how long no file of a span must have come before its run starts.

    Args:
        config: The trigger. Beside a marker, only what it says itself counts: a marker completes a span, unless each of
            several folders of the span has one.
        data: For the marker, see `find_marker`.

    Returns:
        Seconds; 0 for a trigger that does not wait.
    """
    if find_marker(config, data) and "coalesce_seconds" not in config.model_fields_set:
        return 0
    return config.coalesce_seconds


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
            "'{span}' must be in these two, which names the span that it completes: keep each span in a folder of its "
            f"own, or name the span in the marker, as '{{span}}{marker}'."
        ) from error


KIND = TriggerKind(
    make=lambda name, config, _, data: StorageTrigger(name, config, data),
    coalesce_seconds=coalesce_seconds,
)
