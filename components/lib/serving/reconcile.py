"""Bringing a service to what should serve, whatever state an earlier attempt left."""

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from ..digests import digest_value
from ..errors import RetrainerError
from ..store import Store
from ..whole_numbers import whole_numbers
from .deployments import Deployment, Deployments, DeploymentState, PlannedVersions
from .differences import find_differences
from .interface import Plan, Served, ServiceError, ServingService
from .lock import LockTiming, hold_lock
from .services import open_service

# A plan changes when a model is pushed or a rollout goes on, which is rare beside the time that a deployment takes.
_MOST_PLANS = 10
_log = logging.getLogger("retrainer.serving")


@dataclass(frozen=True)
class Reconciled:
    """The result of bringing a service to what should serve.

    Attributes:
        service: Its name in `serving.deploy`.
        plan: What should serve; None if that could not be read.
        served: What it says serves; None if it failed.
        changed: Whether anything was asked of it.
        error: Why it failed; empty if it did not.
        transient: Whether the same may succeed later.
    """

    service: str
    plan: PlannedVersions | None = None
    served: Served | None = None
    changed: bool = False
    error: str = ""
    transient: bool = False


@dataclass(frozen=True)
class Reconciler:
    """Brings services to what should serve.

    Attributes:
        store: URI of the store.
        name: Name of the pipeline.
        read_plan: Returns what should serve now; it is asked again after each change of a service.
        by: Who asks, for the records.
        timing: How long the lock's parts take.
        on_wait: Called with a sentence if another process deploys to the service.
    """

    store: str
    name: str
    read_plan: Callable[[], Plan]
    by: str = ""
    timing: LockTiming | None = None
    on_wait: Callable[[str], None] | None = None

    def reconcile(self, service: str, settings: Mapping[str, Any]) -> Reconciled:
        """Bring one service to what should serve. Failures are returned, so that other services get their turn.

        Args:
            service: Its name in `serving.deploy`.
            settings: Its section there.

        Returns:
            The result.
        """
        # A task gets floats where the command line has whole numbers; both are the same settings.
        settings = whole_numbers(settings)
        try:
            opened = open_service(service, settings, self.name)
            return self._quick(service, settings, opened) or self._change(service, settings, opened)
        except (RetrainerError, OSError) as error:
            return Reconciled(service, error=str(error), transient=_is_transient(error))
        except Exception as error:
            _log.exception("deploying to %s failed.", service)
            return Reconciled(service, error=f"{type(error).__name__}: {error}")

    def _quick(
        self, service: str, settings: Mapping[str, Any], opened: ServingService
    ) -> Reconciled | None:
        """Return what serves if it is what should: nothing is locked or written then."""
        plan = PlannedVersions.of(self.read_plan())
        last = Deployments(self.store, service).newest()
        if last is None and not plan.versions:
            return Reconciled(service, plan, Served())
        if (
            last is None
            or (last.state, last.plan) != (DeploymentState.SERVING, plan)
            or last.settings != digest_value(settings)
        ):
            return None
        try:
            served = opened.status()
        except ServiceError:
            # `apply` says what is the matter, and its record is kept.
            return None
        return None if find_differences(plan, served) else Reconciled(service, plan, served)

    def _change(
        self, service: str, settings: Mapping[str, Any], opened: ServingService
    ) -> Reconciled:
        lock_uri = Store(self.store).deployment_lock_uri(service)
        records = Deployments(self.store, service)
        with hold_lock(lock_uri, service, self.timing, self.on_wait) as lock:
            plan = self.read_plan()
            for _ in range(_MOST_PLANS):
                numbers = PlannedVersions.of(plan)
                asked = Deployment(
                    numbers, DeploymentState.ASKED, by=self.by, settings=digest_value(settings)
                )
                records.add(asked)
                try:
                    served = opened.apply(plan)
                except Exception as error:
                    # The error is what matters; and whoever took the lock over writes records now.
                    with suppress(RetrainerError, OSError):
                        lock.check()
                        records.add(_failed(asked, error))
                    raise
                lock.check()
                records.add(replace(asked, state=DeploymentState.SERVING, served=served))
                newer = self.read_plan()
                if PlannedVersions.of(newer) == numbers:
                    return Reconciled(service, numbers, served, changed=True)
                plan = newer
        raise ServiceError(
            f"what should serve changed {_MOST_PLANS} times while it was deployed to {service}. Run 'retrainer "
            "deploy' when the registry is at rest.",
            transient=True,
        )


def _failed(asked: Deployment, error: Exception) -> Deployment:
    known = isinstance(error, RetrainerError | OSError)
    reason = str(error) if known else f"{type(error).__name__}: {error}"
    return replace(
        asked, state=DeploymentState.FAILED, error=reason, transient=_is_transient(error)
    )


def _is_transient(error: Exception) -> bool:
    return isinstance(error, ServiceError) and error.transient
