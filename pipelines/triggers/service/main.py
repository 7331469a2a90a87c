"""The trigger service of a retrain.yaml: its parts, and its life from listening to the last answer."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass

from aiohttp import web

from ....components.lib.errors import RetrainerError
from ...project.sections.triggers import PushAuth, TriggerServiceConfig
from ...targets.interface import SUBMIT_SECONDS, Target
from ..claims.cleanup import Sweeper
from ..claims.store import Claims
from ..incidents import IncidentHandler
from ..notices import Notices
from .certificates import GOOGLE_CERTIFICATES, Certificates
from .dead_letters import DeadLetters
from .incident_poller import EVERY_SECONDS, IncidentPoller
from .logs import LOGGER
from .metrics import Metrics
from .processing import Handler, Processor
from .pull import Puller
from .push import PushService
from .readiness import Check, Readiness, health_routes
from .tokens import TokenVerifier

GRACE_SECONDS = SUBMIT_SECONDS
"""As long as a submission may take, so that what has begun is answered."""
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
        incidents: Starts the runs of incidents in the store; None without the section `retraining`.
        poll_seconds: How often the store is looked into for them; 0 for never.
    """

    pipeline: str
    handler: Handler
    target: Target
    settings: TriggerServiceConfig
    notices: Notices | None = None
    claims: Claims | None = None
    incidents: IncidentHandler | None = None
    poll_seconds: float = EVERY_SECONDS


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
        with _following(triggers, processor):
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
        processor = _processor(triggers, metrics)
        puller = Puller(triggers.settings.subscription or "", processor, metrics)
        checks = {
            **_target_check(triggers),
            "subscription": lambda: asyncio.to_thread(puller.check),
        }
        readiness = Readiness(checks)
        app = web.Application()
        app.add_routes(health_routes(readiness, metrics))
        puller.start(lambda: loop.call_soon_threadsafe(stop.set))
        try:
            with _following(triggers, processor):
                await serve(app, readiness, host, port, stop)
        finally:
            await asyncio.to_thread(puller.stop, GRACE_SECONDS)

    with _sweeping(triggers):
        asyncio.run(run())


async def serve(
    app: web.Application, readiness: Readiness, host: str, port: int, stop: asyncio.Event
) -> None:
    """Serve an application until SIGTERM or SIGINT, and finish the requests in progress.

    Args:
        app: The application.
        readiness: Established meanwhile, and withdrawn at the end.
        host: Address to listen on.
        port: Port to listen on; 0 for a free one, which is logged.
        stop: Set by a signal; whoever sets it ends the service, too.

    Raises:
        RetrainerError: If the port is taken.
    """
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    # The access log would have a line a message; what became of each is logged already.
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=GRACE_SECONDS)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port, backlog=1024).start()
    except OSError as error:
        await runner.cleanup()
        raise RetrainerError(
            f"can't listen on {host}:{port}: {error.strerror}. --port or PORT names another port."
        ) from error
    fields = {"port": runner.addresses[0][1]}
    LOGGER.info("listening on %s:%d.", host, fields["port"], extra={"fields": fields})
    establishing = asyncio.create_task(readiness.establish())
    await stop.wait()
    LOGGER.info("stopping: requests in progress are finished within %g seconds.", GRACE_SECONDS)
    readiness.stopping = True
    establishing.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await establishing
    await runner.cleanup()
    LOGGER.info("stopped.")


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


@contextlib.contextmanager
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


@contextlib.contextmanager
def _following(triggers: Triggers, processor: Processor) -> Iterator[None]:
    """Start the runs of incidents meanwhile; not on Cloud Run, where a message has to name each."""
    if not triggers.incidents or not triggers.poll_seconds or os.environ.get(_CLOUD_RUN_VARIABLE):
        yield
        return
    incidents, notices = triggers.incidents, triggers.notices

    def notify() -> None:
        if notices:
            notices.send_incidents(incidents.store)

    poller = IncidentPoller(incidents.messages, processor, notify, triggers.poll_seconds)
    poller.start()
    try:
        yield
    finally:
        poller.stop()


def _processor(triggers: Triggers, metrics: Metrics) -> Processor:
    topic = triggers.settings.dead_letter_topic
    dead_letters = DeadLetters(topic) if topic else None
    return Processor(triggers.handler, metrics, dead_letters, triggers.notices)


def _target_check(triggers: Triggers) -> dict[str, Check]:
    # Looking for a run that is not there needs the same network, account and role as looking for one that is.
    probe = f"{triggers.pipeline[:100]}-readiness"
    return {"target": lambda: asyncio.to_thread(triggers.target.find, probe)}
