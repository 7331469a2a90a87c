"""What was asked of each service, and what came of it: numbered records in the store."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any
from uuid import uuid4

from ..errors import RetrainerError
from ..moments import now_text
from ..numbered_records import NumberedRecord, NumberedRecords
from ..record_format import check_format
from ..store import Store
from .interface import Plan, Served
from .services import SERVICES

FORMAT = 1


class DeploymentState(StrEnum):
    """How far a deployment came.

    `asked`: it goes on, or its process was killed. `serving`: the service does what was asked. `failed`: it does not,
    and what it served before still serves.
    """

    ASKED = "asked"
    SERVING = "serving"
    FAILED = "failed"


@dataclass(frozen=True)
class PlannedVersions:
    """A plan by the numbers of its versions; see `Plan`."""

    stable: int | None = None
    canary: int | None = None
    percent: int = 0
    shadow: bool = False

    @classmethod
    def of(cls, plan: Plan) -> "PlannedVersions":
        """Reduce a plan to its numbers."""
        return cls(
            plan.stable.version if plan.stable else None,
            plan.canary.version if plan.canary else None,
            plan.percent,
            plan.shadow,
        )

    @property
    def versions(self) -> tuple[int, ...]:
        """The versions that it needs."""
        return tuple(version for version in (self.stable, self.canary) if version is not None)

    def describe(self) -> str:
        """Name what serves, such as `version 8` or `version 8, and 10 % on version 9`."""
        if self.stable is None and self.canary is None:
            return "no model"
        words = "no model" if self.stable is None else f"version {self.stable}"
        if self.canary is None:
            return words
        share = "a copy of the requests" if self.shadow else f"{self.percent} %"
        return f"{words}, and {share} on version {self.canary}"


@dataclass(frozen=True)
class Deployment:
    """A record of what was asked of a service.

    Attributes:
        plan: What should serve.
        state: How far it came.
        at: When, in ISO 8601, UTC.
        by: Who or what asked: a user, or the run's name.
        settings: Digest of the service's settings, by which a change of them is found.
        error: Why it failed; empty if it did not.
        transient: Whether the same may succeed later.
        served: What the service said when it was done; None before.
    """

    plan: PlannedVersions
    state: DeploymentState
    at: str = ""
    by: str = ""
    settings: str = ""
    error: str = ""
    transient: bool = False
    served: Served | None = None


@dataclass(frozen=True)
class Deployments:
    """The records of one service.

    Attributes:
        store: URI of the store.
        service: The service's name in `serving.deploy`.
    """

    store: str
    service: str

    def newest(self) -> Deployment | None:
        """Read the newest record; None if nothing was ever asked of the service."""
        newest = self._records.newest()
        return _read(newest, self._records.uri) if newest else None

    def in_use(self) -> tuple[int, ...]:
        """List the versions that the service may serve: what was asked last, and what served before if that failed."""
        used: set[int] = set()
        for number in reversed(self._records.numbers()):
            one = _read(self._records.get(number), self._records.uri)
            used.update(one.plan.versions)
            if one.state == DeploymentState.SERVING:
                break
        return tuple(sorted(used))

    def ids(self) -> dict[str, int]:
        """List the registry's versions by the IDs that the service gave to their deployments, all that ever were."""
        found: dict[str, int] = {}
        for number in self._records.numbers():
            served = _read(self._records.get(number), self._records.uri).served
            found.update(served.ids if served else {})
        return found

    def add(self, deployment: Deployment) -> None:
        """Write a record, at the time of now. Only the holder of the service's lock does that.

        Raises:
            RetrainerError: If another process wrote one at the same time.
        """
        now = now_text()
        content = {"format": FORMAT, "id": uuid4().hex, **asdict(deployment), "at": now}
        if self._records.append(content, self._records.newest()) is None:
            raise RetrainerError(
                f"another process deploys to {self.service} at the same time; it wrote to '{self._records.uri}' first. "
                "Run 'retrainer deploy' again when it has ended."
            )

    @property
    def _records(self) -> NumberedRecords:
        return NumberedRecords(Store(self.store).deployments_uri(self.service))


def versions_in_use(store: str) -> dict[int, list[str]]:
    """List the versions that services may serve.

    Args:
        store: URI of the store.

    Returns:
        The services' names by version.
    """
    used: dict[int, list[str]] = {}
    for service in SERVICES:
        for version in Deployments(store, service).in_use():
            used.setdefault(version, []).append(service)
    return used


def _read(record: NumberedRecord, uri: str) -> Deployment:
    content = record.content
    check_format(content, FORMAT, f"record {record.number} in '{uri}'")
    served = content.get("served")
    return Deployment(
        PlannedVersions(**content["plan"]),
        DeploymentState(content["state"]),
        **{key: str(content.get(key) or "") for key in ("at", "by", "settings", "error")},
        transient=bool(content.get("transient")),
        served=_read_served(served) if served else None,
    )


def _read_served(content: Mapping[str, Any]) -> Served:
    return Served(
        traffic={int(version): share for version, share in content["traffic"].items()},
        loaded=tuple(content["loaded"]),
        foreign=tuple(content["foreign"]),
        address=content["address"],
        notes=tuple(content["notes"]),
        splits=content["splits"],
        # Records from before logs were read have none.
        ids=content.get("ids") or {},
    )
