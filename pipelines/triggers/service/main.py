"""Putting a trigger service together from a retrain.yaml, and running it."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from aiohttp import web

from ....components.lib.errors import RetrainerError
from ...project.sections.triggers import PushAuth, TriggerServiceConfig
from ...targets.interface import Target
from ..claims.cleanup import Sweeper
from ..claims.store import Claims
from ..notices import Notices
from .certificates import GOOGLE_CERTIFICATES, Certificates
from .dead_letters import DeadLetters
from .logs import LOGGER
from .metrics import Metrics
from .processing import Handler, Processor
from .pull import Puller
from .push import PushService
from .readiness import Check, Readiness, health_routes
from .serving import GRACE_SECONDS, serve
from .tokens import TokenVerifier

_CLOUD_RUN_VARIABLE = "K_SERVICE"
"""Cloud Run sets it to the service's name (cloud.google.com/run/docs/container-contract#services-env-vars)."""


@dataclass(frozen=True)
class Triggers:
    """What a service is made of.

    Attributes:
        pipeline: The pipeline's name.
        handler: Turns messages into runs.
        target: Where runs go.
        settings: What holds for all triggers.
        notices: Who is notified of messages that start no run; None for nobody.
        claims: Where replicas agree; None where no agreement is needed.
    """

    pipeline: str
    handler: Handler
    target: Target
    settings: TriggerServiceConfig
    notices: Notices | None = None
    claims: Claims | None = None


def run_push(
    triggers: Triggers, host: str, port: int, certificates_url: str, insecure: bool
) -> None:
    """Serve pushes until SIGTERM.

    Args:
        triggers: What the service is made of.
        host: Address to listen on.
        port: Port to listen on.
        certificates_url: Where Google's certificates are; its own address if empty.
        insecure: Whether every request is let in.

    Raises:
        RetrainerError: If nothing says whose requests may come in, or the port is taken.
    """
    settings = triggers.settings
    if insecure:
        LOGGER.warning(
            "--insecure-no-auth: requests are not authenticated, and any may start a run."
        )
    else:
        check_audience(settings)

    async def run() -> None:
        metrics = Metrics()
        verifier = None
        checks = _target_check(triggers)
        if not insecure:
            verifier = TokenVerifier(
                settings.audience or "",
                settings.push_account or "",
                Certificates(certificates_url or GOOGLE_CERTIFICATES),
                settings.auth,
            )
            checks["certificates"] = verifier.warm
        readiness = Readiness(checks)
        processor = _processor(triggers, metrics)
        app = PushService(processor, metrics, readiness, verifier).app()
        await serve(app, readiness, host, port, asyncio.Event())

    with _sweeping(triggers):
        asyncio.run(run())


def run_pull(triggers: Triggers, host: str, port: int) -> None:
    """Pull messages until SIGTERM.

    Args:
        triggers: What the service is made of.
        host: Address to report the state at.
        port: Port to report the state at.

    Raises:
        RetrainerError: If the subscription is not named or can't be pulled from, or the port is taken.
    """

    async def run() -> None:
        metrics, stop = Metrics(), asyncio.Event()
        loop = asyncio.get_running_loop()
        puller = Puller(
            triggers.settings.subscription or "", _processor(triggers, metrics), metrics
        )
        checks = {
            **_target_check(triggers),
            "subscription": lambda: asyncio.to_thread(puller.check),
        }
        readiness = Readiness(checks)
        app = web.Application()
        app.add_routes(health_routes(readiness, metrics))
        puller.start(lambda: loop.call_soon_threadsafe(stop.set))
        try:
            await serve(app, readiness, host, port, stop)
        finally:
            await asyncio.to_thread(puller.stop, GRACE_SECONDS)

    with _sweeping(triggers):
        asyncio.run(run())


def check_audience(settings: TriggerServiceConfig) -> None:
    """Check that the settings name whose requests are accepted.

    Raises:
        RetrainerError: If they do not: anybody could start runs.
    """
    for key in ("audience", "push_account"):
        if not getattr(settings, key):
            raise RetrainerError(
                f"trigger_service.{key} is not set, which authenticates push requests: set it in retrain.yaml or "
                f"as RETRAINER_TRIGGER_{key.upper()}. To try it out on this machine there is --insecure-no-auth."
            )
    if settings.auth == PushAuth.IAM and not os.environ.get(_CLOUD_RUN_VARIABLE):
        raise RetrainerError(
            "trigger_service.auth is 'iam', which leaves the check of signatures to Cloud Run's IAM, and this is not a "
            f"Cloud Run service (the variable {_CLOUD_RUN_VARIABLE} is not set): set it to 'token'."
        )


@contextmanager
def _sweeping(triggers: Triggers) -> Iterator[None]:
    """Delete old claims meanwhile; not on Cloud Run, which gives no processor time between requests."""
    if triggers.claims is None or os.environ.get(_CLOUD_RUN_VARIABLE):
        yield
        return
    sweeper = Sweeper(triggers.claims)
    sweeper.start()
    try:
        yield
    finally:
        sweeper.stop()


def _processor(triggers: Triggers, metrics: Metrics) -> Processor:
    topic = triggers.settings.dead_letter_topic
    dead_letters = DeadLetters(topic) if topic else None
    return Processor(triggers.handler, metrics, dead_letters, triggers.notices)


def _target_check(triggers: Triggers) -> dict[str, Check]:
    # Looking for a run that is not there needs the same network, account and role as looking for one that is.
    probe = f"{triggers.pipeline[:100]}-readiness"
    return {"target": lambda: asyncio.to_thread(triggers.target.find, probe)}
