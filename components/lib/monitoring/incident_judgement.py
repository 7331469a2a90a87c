"""What follows for an incident from what is known now. Pure: nothing is read or written here.

After a push the signals are those of the new champion, measured against its own window, so what moved before it was
trained is not found again. Whether the retrain helped is seen by the next looks: an incident is resolved when
`confirm_looks` of them found none of its group's signals, and escalated if one is detected before that, since the same
retrain would not help a second time.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from ..runs.run_traces import Outcome
from ..words import plural
from .incident import Detection, Group, Incident, IncidentState, describe
from .retraining_settings import PERSON, RetrainingSettings

NO_RUN = "no run is asked for"
"""What the reason of an open incident says where its run is held back."""
_NEVER_SECONDS = 10**9
_MOST_NAMES = 3
_ENDED_RUNS = {
    Outcome.PENDING: "made a model that waits for approval",
    Outcome.REFUSED: "was refused by the gate",
    Outcome.UNCHANGED: "made the model that serves already",
    Outcome.STOPPED: "was stopped",
    Outcome.FAILED: "failed",
}


@dataclass(frozen=True)
class RunEnd:
    """How the run of an incident ended.

    Attributes:
        outcome: Its outcome; OPEN while it goes on, or is not known.
        sentence: What there is to say of it.
        version: The version that it pushed.
    """

    outcome: Outcome
    sentence: str = ""
    version: int | None = None


@dataclass(frozen=True)
class NewRows:
    """What a retrain would have that the champion's training had not.

    Attributes:
        rows: Rows with a label.
        words: The same in a clause, such as `5,120 new labelled rows`.
    """

    rows: int
    words: str = ""

    def describe(self) -> str:
        """Return the clause."""
        return self.words or plural(self.rows, "new labelled row")


@dataclass(frozen=True)
class Facts:
    """What is known when an incident is judged.

    Attributes:
        now: The time.
        champion: The version that is champion now; None if none is.
        detected: The signals that are detected for it now, without those of other incidents.
        looks: How many looks have judged the incident's signals for this champion.
        run: How the incident's run ended; None if it has none.
        new_rows: What a retrain would have; None if that was not counted.
        broken_data: Id of an incident of broken data that goes on; empty for none.
    """

    now: datetime
    champion: int | None
    detected: Sequence[Detection] = ()
    looks: int = 0
    run: RunEnd | None = None
    new_rows: NewRows | None = None
    broken_data: str = ""


def judge(
    incident: Incident, facts: Facts, settings: RetrainingSettings | None, actor: str = ""
) -> Incident | None:
    """Decide what follows for an incident.

    Args:
        incident: The incident.
        facts: What is known.
        settings: The section `retraining`; None if nothing retrains by itself.
        actor: Who or what looks.

    Returns:
        The incident after its next change; None if nothing changes.
    """
    if incident.ended:
        return None
    # Without the section nobody has said how long a run may take.
    rules = settings or RetrainingSettings(run_timeout_seconds=_NEVER_SECONDS)
    here = [one for one in facts.detected if Group.of(one.kind) == incident.group]
    follow = _Step(incident, facts, rules, here, actor)
    if incident.group == Group.DATA:
        return follow.data()
    if incident.state == IncidentState.RETRAINING:
        return follow.retraining()
    if incident.state == IncidentState.ESCALATED:
        return follow.escalated()
    return follow.waiting(retrains=settings is not None)


def wants_rows(incident: Incident, facts: Facts, settings: RetrainingSettings | None) -> bool:
    """Return whether new labelled rows have to be counted to judge an incident."""
    return bool(
        settings
        and incident.state in (IncidentState.OPEN, IncidentState.NEEDS_A_PERSON)
        and not incident.wants_run
        and incident.champion == facts.champion
        and any(settings.retrains(one) for one in facts.detected)
    )


@dataclass(frozen=True)
class _Step:
    """One decision on an incident."""

    incident: Incident
    facts: Facts
    settings: RetrainingSettings
    here: Sequence[Detection]
    actor: str

    def data(self) -> Incident | None:
        """Resolve broken data once it is whole again, under whatever champion."""
        looks = 1 if self.facts.champion == self.incident.champion else self.settings.confirm_looks
        if self.here or self.facts.looks < looks:
            return None
        return self._resolved("the data is whole again")

    def waiting(self, retrains: bool) -> Incident | None:
        """Decide on an incident without a run."""
        if self.facts.champion != self.incident.champion:
            return self._replaced()
        if not self.here:
            return self._cleared()
        causes = [detection for detection in self.here if self.settings.retrains(detection)]
        rows = self.facts.new_rows
        if self.incident.wants_run:
            return self._withdrawn(bool(causes) or self.incident.by_hand)
        if not retrains or not causes or rows is None:
            return None
        if self.facts.broken_data:
            return self._held()
        if rows.rows < self.settings.min_new_labelled_rows:
            least = self.settings.min_new_labelled_rows
            person = self.settings.otherwise == PERSON
            if not person or self.incident.state == IncidentState.NEEDS_A_PERSON:
                return None
            return self._to(
                IncidentState.NEEDS_A_PERSON,
                f"no retrain: {rows.describe()}, fewer than retraining.min_new_labelled_rows ({least:,}). A run starts "
                "by itself once they are there; meanwhile a person has to decide",
            )
        return replace(
            self._to(
                IncidentState.OPEN,
                f"a run is asked for by {_names(causes)}, with {rows.describe()}",
            ),
            wants_run=True,
        )

    def _held(self) -> Incident | None:
        """Say once why no run is asked for: no training repairs what broken data does to the quality."""
        why = self._broken()
        if self.incident.state != IncidentState.OPEN or why in self.incident.reason:
            return None
        return self._to(IncidentState.OPEN, f"{describe(self.here)}; {NO_RUN}: {why}")

    def _broken(self) -> str:
        return f"the data is broken ({self.facts.broken_data})"

    def _withdrawn(self, has_causes: bool) -> Incident | None:
        if has_causes and not self.facts.broken_data:
            return None
        why = self._broken() if has_causes else "the signals that retrain have cleared"
        return self._to(IncidentState.OPEN, f"{NO_RUN} any more: {why}", wants_run=False)

    def retraining(self) -> Incident | None:
        """Decide on an incident whose run was started."""
        run = self.facts.run or RunEnd(Outcome.OPEN)
        name = self.incident.run
        if self.incident.pushed is not None:
            return self._pushed(self.incident.pushed)
        if run.outcome == Outcome.PUSHED:
            return self._run_pushed(run)
        if run.outcome in _ENDED_RUNS:
            what = f"run {name} {_ENDED_RUNS[run.outcome]}: {run.sentence.rstrip('.')}"
            if self.facts.champion == self.incident.champion and self.facts.looks and not self.here:
                return self._resolved(f"{what}; the signals cleared by themselves")
            fix = (
                f"Fix that and resume it, or start another run; {name} counts whenever it pushes"
                if run.outcome in (Outcome.STOPPED, Outcome.FAILED)
                else "A person has to decide"
            )
            return self._to(IncidentState.ESCALATED, f"{what}. It is not repeated by itself. {fix}")
        age = self.facts.now - datetime.fromisoformat(self.incident.since)
        if age > timedelta(seconds=self.settings.run_timeout_seconds):
            hours = self.settings.run_timeout_seconds / 3600
            return self._to(
                IncidentState.ESCALATED,
                f"run {name} has recorded no end for {hours:.3g} hours. It is not repeated, a person has to decide",
            )
        return None

    def _run_pushed(self, run: RunEnd) -> Incident:
        # That the version is noted decides which champion's signals are the incident's from now on.
        return self._to(
            IncidentState.RETRAINING,
            f"run {self.incident.run} pushed version {run.version}, which the next looks judge",
            pushed=run.version,
        )

    def _pushed(self, version: int) -> Incident | None:
        if self.facts.champion == self.incident.champion:
            return self._to(
                IncidentState.ESCALATED,
                f"version {version}, which run {self.incident.run} pushed, was taken out of service",
            )
        if self.facts.champion != version:
            return self._replaced()
        if again := self._again():
            return self._to(
                IncidentState.ESCALATED,
                f"the retrain did not help: under version {version} it is detected again: {describe(again)}. It is "
                "not repeated, a person has to decide",
            ).joined(again)
        if self.facts.looks < self.settings.confirm_looks:
            return None
        looks = plural(self.facts.looks, "look")
        return self._resolved(f"{looks} at version {version} detected nothing")

    def _again(self) -> list[Detection]:
        """Return what is detected under the new champion and says that the retrain did not help.

        A column that moved says nothing of the kind, unless such a signal is what retrains.
        """
        names = {detection.name for detection in self.incident.detections}
        by_causes = any(self.settings.retrains(detection) for detection in self.incident.detections)
        return [
            detection
            for detection in self.here
            if (self.settings.retrains(detection) if by_causes else detection.name in names)
        ]

    def escalated(self) -> Incident | None:
        """Decide on an incident whose retrain did not help: it ends with its signals, or with the champion."""
        run = self.facts.run
        if run and run.outcome == Outcome.PUSHED and self.incident.pushed is None:
            # Somebody has resumed it.
            return self._run_pushed(run)
        if self.facts.champion not in (self.incident.champion, self.incident.pushed):
            return self._replaced()
        return None if self.here else self._cleared()

    def _cleared(self) -> Incident | None:
        # The states of a champion that came back begin again, too.
        usual = self.facts.champion == self.incident.champion and self.incident.pushed is None
        if self.facts.looks < (1 if usual else self.settings.confirm_looks):
            return None
        return self._resolved("its signals cleared")

    def _replaced(self) -> Incident:
        now = self.facts.champion
        words = (
            "no model is in service now" if now is None else f"version {now} is the champion now"
        )
        return self._resolved(f"{words}, which is judged by itself")

    def _resolved(self, reason: str) -> Incident:
        return self._to(IncidentState.RESOLVED, reason, wants_run=False)

    def _to(self, state: IncidentState, reason: str, **values: bool | int | None) -> Incident:
        return self.incident.changed(state, self.facts.now, reason, self.actor, **values)


def _names(detections: Sequence[Detection]) -> str:
    shown = [detection.name for detection in detections[:_MOST_NAMES]]
    left = len(detections) - len(shown)
    return f"{', '.join(shown)}{f' and {left} more' if left else ''}"
