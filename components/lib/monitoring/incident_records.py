"""Incidents in the store: `monitoring/incidents/<id>/<n>.json`, the newest record is the incident as it is.

An id is `v<champion>-<group>-<n>`, and the n-th incident of a champion and group is opened only when the one before
has ended and has other detections. So whoever opens it competes for the same file, and exactly one succeeds: replicas,
looks and retries open an incident once.
"""

import re
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from uuid import uuid4

from ..errors import RetrainerError
from ..numbered_records import NumberedRecord, NumberedRecords
from ..record_format import check_format
from ..store import Store
from ..uris import list_names
from .incident import Detection, Group, Incident, IncidentState, opened

FORMAT = 1
ID = re.compile(r"v(?P<champion>[0-9]{1,9})-(?P<group>data|model)-(?P<number>[0-9]{1,6})")
"""What an incident's id looks like."""
# Another writer wins a race by writing, so somebody gets on each time.
_MOST_RACES = 20
_READERS = 16


@dataclass(frozen=True)
class IncidentRecords:
    """The incidents of a store.

    Attributes:
        store: URI of the store.
    """

    store: str

    def ids(self) -> list[str]:
        """List the ids, in the order in which the incidents of each champion were opened."""
        names = list_names(Store(self.store).incidents_uri)
        found = [(match, name) for name in names if (match := ID.fullmatch(name))]
        found.sort(
            key=lambda one: (int(one[0]["champion"]), one[0]["group"], int(one[0]["number"]))
        )
        return [name for _, name in found]

    def all(self) -> list[Incident]:
        """Read every incident, in the order in which they were opened."""
        # On a bucket each costs a few round trips, which can wait for each other.
        with ThreadPoolExecutor(_READERS) as pool:
            found = [one for one in pool.map(self.find, self.ids()) if one]
        return sorted(found, key=lambda one: (one.opened, one.id))

    def find(self, incident: str) -> Incident | None:
        """Read an incident; None if there is none of this id.

        Raises:
            RetrainerError: If its record is damaged, or of a later release.
        """
        if not ID.fullmatch(incident):
            return None
        newest = self._records(incident).newest()
        return self._read(incident, newest) if newest else None

    def change(self, incident: str, make: Callable[[Incident], Incident | None]) -> Incident | None:
        """Write what follows from an incident; if another writer is first, from its record.

        Args:
            incident: The id.
            make: Returns what to write; None to leave it.

        Returns:
            The incident if this call changed it, else None.

        Raises:
            RetrainerError: If there is no such incident, or others write all the time.
        """
        records = self._records(incident)
        for _ in range(_MOST_RACES):
            newest = records.newest()
            if newest is None:
                raise RetrainerError(f"there is no incident '{incident}' in '{self.store}'.")
            changed = make(self._read(incident, newest))
            if changed is None:
                return None
            if self._write(records, changed, newest):
                return changed
        raise RetrainerError(f"others write to '{records.uri}' all the time. Retry the same.")

    def open(
        self,
        group: Group,
        champion: int,
        detections: Iterable[Detection],
        at: datetime,
        actor: str = "",
    ) -> Incident | None:
        """Open an incident for detections, or add them to the one of this champion and group that goes on.

        Args:
            group: The group of the signals.
            champion: The version that they were detected for.
            detections: The signals that are detected now. What an incident has already is left out.
            at: The time.
            actor: Who or what opens it.

        Returns:
            The incident if this call opened or changed it; None if there was nothing to do.

        Raises:
            RetrainerError: If others write all the time.
        """
        wanted = tuple(detections)
        for _ in range(_MOST_RACES):
            earlier = self.of(group, champion)
            new = [
                detection
                for detection in wanted
                if not any(known.covers(detection) for known in earlier)
            ]
            if not new:
                return None
            if taking := [one for one in earlier if _takes(one, champion)]:
                return self.change(taking[-1].id, partial(_join, detections=tuple(new)))
            identity = f"v{champion}-{group}-{_next_number(earlier, champion)}"
            made = opened(identity, group, champion, new, at, actor)
            if self._write(self._records(identity), made, None):
                return made
        raise RetrainerError(
            f"others open incidents in '{Store(self.store).incidents_uri}' all the time. Retry the same."
        )

    def of(self, group: Group, champion: int) -> list[Incident]:
        """Read the incidents of a group that are a champion's: detected for it, or for the one that its run replaced.

        Broken data is no champion's: all incidents of that group count.

        Args:
            group: The group.
            champion: The version.

        Returns:
            The incidents, the one that was opened last at the end.
        """
        found = [
            incident
            for incident in self.all()
            if incident.group == group
            and (group == Group.DATA or champion in (incident.champion, incident.pushed))
        ]
        return sorted(found, key=lambda incident: (incident.opened, incident.id))

    def _records(self, incident: str) -> NumberedRecords:
        return NumberedRecords(Store(self.store).incident_uri(incident))

    def _read(self, incident: str, record: NumberedRecord) -> Incident:
        content = record.content
        check_format(content, FORMAT, f"record {record.number} of the incident '{incident}'")
        return Incident.of(content)

    def _write(
        self, records: NumberedRecords, incident: Incident, after: NumberedRecord | None
    ) -> bool:
        content = {"format": FORMAT, **incident.content(), "nonce": uuid4().hex}
        return records.append(content, after) is not None


def _takes(incident: Incident, champion: int) -> bool:
    """Return whether what is detected for a champion belongs to an incident that goes on.

    One whose run made the champion takes it once it is escalated, so that no second run is started for it. Before,
    what says that the retrain did not help escalates it, and anything else is an incident of the new champion.
    """
    if incident.ended:
        return False
    if incident.group == Group.DATA or incident.champion == champion:
        return True
    return incident.state == IncidentState.ESCALATED


def _next_number(earlier: Iterable[Incident], champion: int) -> int:
    matches = [match for incident in earlier if (match := ID.fullmatch(incident.id))]
    taken = [int(one["number"]) for one in matches if int(one["champion"]) == champion]
    return max(taken, default=0) + 1


def _join(incident: Incident, detections: Iterable[Detection]) -> Incident | None:
    joined = incident.joined(detections)
    # It ended meanwhile: whoever asks looks again.
    return None if incident.ended or joined == incident else joined
