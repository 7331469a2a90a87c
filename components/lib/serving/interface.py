"""What every service that serves models can do, so that deployment and rollouts know no service.

A service is given a plan, and makes it so: whatever state an earlier call left, killed or not, the same plan ends in
the same state, and on the way traffic is split as the old plan says or as the new one, never in a third way.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from ..errors import RetrainerError
from ..registry.evaluation_summary import SliceMetrics


class ServiceError(RetrainerError):
    """A service refused, or can't be reached.

    Attributes:
        transient: Whether the same call may succeed later: a quota, a timeout, a service that is down.
    """

    def __init__(self, message: str, transient: bool = False) -> None:
        super().__init__(message)
        self.transient = transient


@dataclass(frozen=True)
class ServedModel:
    """A version of the registry, as a service gets it.

    Attributes:
        version: Its number in the registry.
        uri: Folder of its SavedModel.
        digest: SHA-256 of the SavedModel's content.
        info: Metadata of its push, such as the run and the spans.
        evaluation: Its metrics as the gate measured them, all rows first.
    """

    version: int
    uri: str
    digest: str
    info: Mapping[str, Any] = field(default_factory=dict)
    evaluation: tuple[SliceMetrics, ...] = ()


@dataclass(frozen=True)
class Plan:
    """Which versions serve, and which share of the requests each answers.

    Attributes:
        stable: The version that answers what the canary does not; None: nothing serves.
        canary: The version that is rolled out; None outside a rollout.
        percent: Share of the requests that the canary answers, 0 to 100.
        shadow: Whether the canary gets a copy of the requests that `stable` answers; `percent` is 0 then.
    """

    stable: ServedModel | None
    canary: ServedModel | None = None
    percent: int = 0
    shadow: bool = False

    @property
    def traffic(self) -> dict[int, int]:
        """Percent of the requests by version; versions without requests are left out."""
        shares = {}
        percent = self.percent if self.canary else 0
        if self.canary and percent:
            shares[self.canary.version] = percent
        if self.stable and percent < 100:
            shares[self.stable.version] = 100 - percent
        return shares


@dataclass(frozen=True)
class Served:
    """What a service says about itself.

    Attributes:
        traffic: Percent of the requests by the registry's version; for a service that only labels versions, 100 for the
            one that clients get without asking for another.
        loaded: Versions that can answer, with and without traffic.
        foreign: What serves there and was not deployed by retrainer, in the service's own names.
        address: Where clients send requests; empty if the service has no address of its own.
        notes: Sentences for people, such as what a private endpoint can't do.
        splits: Whether the service splits requests; False if it only labels versions.
        ids: The registry's version by the ID that the service gave to its deployment, as its logs have it.
    """

    traffic: Mapping[int, int] = field(default_factory=dict)
    loaded: tuple[int, ...] = ()
    foreign: tuple[str, ...] = ()
    address: str = ""
    notes: tuple[str, ...] = ()
    splits: bool = True
    ids: Mapping[str, int] = field(default_factory=dict)


class ServingService(Protocol):
    """A service that is open."""

    def apply(self, plan: Plan) -> Served:
        """Make a plan so, and wait until it is: new versions first, then traffic in one step, then remove the unused.

        Raises:
            ServiceError: If the service refuses or does not answer. The plan before still serves then.
        """
        ...

    def status(self) -> Served:
        """Look at what serves; changes nothing.

        Raises:
            ServiceError: If the service does not answer.
        """
        ...
