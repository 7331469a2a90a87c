"""The content of a notification, before a channel formats it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..lib.moments import now_text
from ..lib.words import number

FORMAT = 1
TEST = "test"
"""The outcome of a notification that only tests a channel."""
_MOST_REASON = 1500
_TITLES = {
    "pending": "a new model waits for approval",
    "pushed": "a new model is the champion",
    "unchanged": "the model was the champion already",
    "refused": "the new model was refused",
    "predicted": "spans were scored",
    "rolled_back": "a rollout was rolled back",
    "watched": "a rollout was looked at",
    "monitored": "what serves was monitored",
    "stopped": "the run was stopped",
    "failed": "the run failed",
    "waiting": "a run waits",
    "incident": "an incident was opened",
    "needs_a_person": "an incident needs a person",
    "escalated": "a retrain did not help",
    "resolved": "an incident is resolved",
    TEST: "this channel works",
}


@dataclass(frozen=True)
class Notification:
    """The outcome of a run, to be sent.

    Attributes:
        pipeline: Name of the pipeline.
        run: Name of the run; of a message that waits, what it is about; of an incident without a run, its id.
        outcome: `pushed`, `pending`, `unchanged`, `refused`, `predicted`, `rolled_back`, `watched`, `stopped`,
            `failed`, `waiting`, `incident`, `needs_a_person`, `escalated` or `resolved`.
        reason: Why, in a sentence or a few.
        task: The task that decided it; empty if that is not known.
        span: The newest span; empty if that is not known.
        model_version: The version that the run pushed, scored with, or rolled out; None if it has none.
        champion_version: The version that serves now; None if none does, or that is not known.
        metrics: Key metrics by name.
        run_link: Page or folder of the run; empty if that is not known.
        report_link: Page or file of the report that shows why; empty if there is none.
        job: What the service itself calls the run, where several may have one name.
        subject: Identifies a notification that is sent once whatever the reason; else the run and the reason do.
        incident: Id of the incident of monitoring that it is about, or that the run was started for; empty for none.
        of_store: Whether every pipeline of a store may send it, so that it is one message whichever does.
        test: Whether it only tests the channel.
        at: When it was written, in ISO 8601, UTC.
    """

    pipeline: str
    run: str
    outcome: str
    reason: str
    task: str = ""
    span: str = ""
    model_version: int | None = None
    champion_version: int | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    run_link: str = ""
    report_link: str = ""
    job: str = ""
    subject: str = ""
    incident: str = ""
    of_store: bool = False
    test: bool = False
    at: str = field(default_factory=now_text)

    @property
    def id(self) -> str:
        """A name that is the same each time this is sent about the run, so that receivers can deduplicate."""
        about = [self.subject] if self.subject else [self.run, self.job, self.reason]
        owner = [] if self.of_store else [self.pipeline]
        identity = json.dumps([*owner, self.outcome, *about])
        name = "-".join((self.incident if self.of_store else self.subject or self.run).split())
        return f"{name}-{self.outcome}-{hashlib.sha256(identity.encode()).hexdigest()[:12]}"

    @property
    def title(self) -> str:
        """The message in a line."""
        what = _TITLES.get(self.outcome, self.outcome)
        if self.outcome == "pushed" and self.model_version is not None:
            what = f"version {self.model_version} is the champion"
        return f"{'[test] ' if self.test else ''}{self.pipeline}: {what}"

    @property
    def text(self) -> str:
        """The reason, cut where it would fill a page."""
        reason = self.reason.strip()
        return reason if len(reason) <= _MOST_REASON else f"{reason[: _MOST_REASON - 4]} ..."

    def facts(self) -> list[tuple[str, str]]:
        """List what is known, in the order to show it: names and values."""
        version, champion = self.model_version, self.champion_version
        facts = [
            ("outcome", self.outcome),
            ("incident", self.incident),
            ("run", "" if self.run == self.incident else self.run),
            ("task", self.task),
            ("newest span", self.span),
            ("model", "" if version is None else f"version {version}"),
            ("champion", "" if champion is None else f"version {champion}"),
            *((name, number(value)) for name, value in self.metrics.items()),
        ]
        return [(name, value) for name, value in facts if value]

    def links(self) -> list[tuple[str, str]]:
        """List the links: a word for each, and its target."""
        links = [("run", self.run_link), ("report", self.report_link)]
        return [(word, link) for word, link in links if link]

    def content(self) -> dict[str, Any]:
        """Return the message as programs read it; the component's README describes it."""
        return {
            "format": FORMAT,
            "id": self.id,
            "at": self.at,
            "test": self.test,
            "pipeline": self.pipeline,
            "run": self.run,
            "outcome": self.outcome,
            "title": self.title,
            "reason": self.text,
            "task": self.task or None,
            "span": self.span or None,
            "model_version": self.model_version,
            "champion_version": self.champion_version,
            "incident": self.incident or None,
            "metrics": dict(self.metrics),
            "links": dict(self.links()),
        }

    def body(self) -> bytes:
        """Return the message as JSON in UTF-8."""
        return json.dumps(self.content(), ensure_ascii=False).encode()


def is_page(link: str) -> bool:
    """Check whether a link opens in a browser elsewhere, which a path or a bucket does not."""
    return link.startswith(("https://", "http://"))
