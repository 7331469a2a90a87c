"""Notifying of a run's outcome."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..lib.errors import RetrainerError
from ..lib.monitoring.incidents import follow_incidents
from ..lib.runs.run_records import RunKey
from ..lib.store import Store
from ..lib.uris import join
from .channels import Channel, parse_channel
from .incident_notices import notify_incidents
from .run_outcome import read_notification
from .run_page import RunPage
from .send import Sent, send_all

NOTIFIED_FOLDER = "notified"
"""Within a run's folder in the store: a file for each message that was sent."""

_log = logging.getLogger("retrainer.notify_outcome")


@dataclass(frozen=True)
class Notified:
    """The result of notifying.

    Attributes:
        verdict: One sentence.
        warnings: A line for each channel that failed.
    """

    verdict: str
    warnings: list[str]


def notify(
    store: str,
    pipeline: str,
    channels: Sequence[Mapping[str, Any]],
    run: str,
    page: RunPage,
) -> Notified:
    """Send a run's outcome, once on each channel that is for it.

    No error is raised here: a run never fails because a notification failed.

    Args:
        store: URI of the store.
        pipeline: Name of the pipeline.
        channels: The channels' settings, see `parse_channel`.
        run: Name of the run.
        page: Where people look at the run.

    Returns:
        The result.
    """
    try:
        return _notify(store, pipeline, channels, run, page)
    except RetrainerError as error:
        problem = str(error)
    except Exception as error:
        # Nor does a defect here fail a run.
        _log.exception("the outcome of run '%s' was not sent.", run)
        problem = f"unexpected {type(error).__name__}; the log has more."
    return Notified(f"nobody was notified: {problem}", [problem])


def _notify(
    store: str,
    pipeline: str,
    channels: Sequence[Mapping[str, Any]],
    run: str,
    page: RunPage,
) -> Notified:
    parsed = [parse_channel(channel) for channel in channels]
    key = RunKey.of(run, page.resource_name, page.run_uuid)
    if key is None:
        raise RetrainerError(
            f"the run's name was not filled in ('{run}'), so its outcome is unknown; Kubeflow Pipelines fills it in "
            "from 2.5 on."
        )
    notification = read_notification(store, pipeline, key, page)
    incidents, problems = _incidents(store, pipeline, parsed)
    words = [f"incidents: {describe(incidents)}"] if incidents else []
    warnings = [*dict.fromkeys(warnings_of(incidents)), *problems]
    wanted = [channel for channel in parsed if notification.outcome in channel.on]
    if not wanted:
        said = f"{notification.outcome}: no channel is for this outcome"
        return Notified("; ".join([said, *words]), warnings)
    # What is sent once a day is sent once over all runs.
    claims = (
        join(Store(store).claims_uri, NOTIFIED_FOLDER, pipeline)
        if notification.subject
        else join(Store(store).runs_uri, key.folder, NOTIFIED_FOLDER)
    )
    sent = send_all(wanted, notification, claims)
    verdict = "; ".join([f"{notification.outcome}: {describe(sent)}", *words])
    return Notified(verdict, [*warnings_of(sent), *warnings])


def _incidents(
    store: str, pipeline: str, channels: Sequence[Channel]
) -> tuple[list[Sent], list[str]]:
    """Bring incidents to what follows from how their runs ended, and send what they have come to.

    Returns:
        How sending went, and a line if incidents can't be followed.
    """
    try:
        # Without a look nothing is known of signals: only a run that ended changes an incident here.
        follow_incidents(store, None, None, "notify_outcome")
        return notify_incidents(store, pipeline, channels), []
    # The run's own outcome is sent whatever is wrong with incidents.
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        return [], [f"incidents can't be followed: {reason}"]


def describe(sent: Sequence[Sent]) -> str:
    """Describe in a sentence how sending went on each channel."""
    by_words: dict[str, list[str]] = {}
    for one in sent:
        failed = "not sent" if one.words.startswith("not sent") else "perhaps sent"
        by_words.setdefault(one.words if one.ok else failed, []).append(one.channel)
    return "; ".join(
        f"{words} by {', '.join(dict.fromkeys(names))}" for words, names in by_words.items()
    )


def warnings_of(sent: Sequence[Sent]) -> list[str]:
    """Return a line for each channel on which something went wrong."""
    lines = [f"{one.channel}: {one.words}" for one in sent if not one.ok]
    return lines + [f"{one.channel}: {one.warning}" for one in sent if one.warning]
