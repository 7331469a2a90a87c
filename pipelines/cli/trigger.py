"""`retrainer trigger`: runs by messages, pushed or pulled."""

import dataclasses
from pathlib import Path
from typing import Any

import click

from .options import FILE, IMAGE, TO, show_warnings, take_flags, target_options


@click.group()
def trigger() -> None:
    """Start runs by messages: new data, requests, alerts."""


_LISTEN = click.option(
    "--listen", "host", default="0.0.0.0", show_default=True, help="Address to listen on."
)
_PORT = click.option(
    "--port",
    type=click.IntRange(0, 65535),
    envvar="PORT",
    default=8080,
    show_default="PORT, else 8080",
    help="Port to listen on; 0 for a free one.",
)
_CERTIFICATES = click.option(
    "--certs-url", envvar="RETRAINER_TRIGGER_CERTS_URL", default="", hidden=True
)


_TEMPLATE = click.option(
    "--template",
    default="",
    help="Vertex: run a pushed template instead of the compiled pipeline; submissions are smaller.",
)


_POLL = click.option(
    "--incident-seconds",
    type=click.FloatRange(min=0),
    default=60.0,
    show_default=True,
    help="Seconds between two looks into the store for incidents that ask for a run; 0 for none.",
)


@trigger.command()
@FILE
@TO
@_PORT
@_LISTEN
@_CERTIFICATES
@click.option(
    "--insecure-no-auth",
    is_flag=True,
    help="Accept every request without authentication, for trying the service on this machine.",
)
@_POLL
@IMAGE
@_TEMPLATE
@target_options
@click.pass_obj
def serve(
    verbose: bool,
    file: Path,
    kind: str,
    port: int,
    host: str,
    certs_url: str,
    insecure_no_auth: bool,
    incident_seconds: float,
    image: str | None,
    template: str,
    **options: Any,
) -> None:
    """Receive messages over HTTP.

    POST /push takes messages of Pub/Sub, Eventarc and Cloud Scheduler. GET /healthz, /readyz and /metrics report the
    service's status. SIGTERM ends it.
    """
    from ..triggers.service.main import run_push

    opened = _open(file, kind, image, template, options, verbose, incident_seconds)
    run_push(opened, host, port, certs_url, insecure_no_auth)


@trigger.command()
@FILE
@TO
@click.option(
    "--subscription",
    help="Subscription to pull from, projects/<project>/subscriptions/<name>; overrides retrain.yaml.",
)
@_PORT
@_LISTEN
@_POLL
@IMAGE
@_TEMPLATE
@target_options
@click.pass_obj
def pull(
    verbose: bool,
    file: Path,
    kind: str,
    subscription: str | None,
    port: int,
    host: str,
    incident_seconds: float,
    image: str | None,
    template: str,
    **options: Any,
) -> None:
    """Pull messages, where Pub/Sub can't push.

    GET /healthz, /readyz and /metrics report the service's status. SIGTERM ends it. Give the subscription a retry
    policy and no dead-letter policy: messages that can't be processed yet are nacked and redelivered.
    """
    from ..triggers.service.main import run_pull

    opened = _open(file, kind, image, template, options, verbose, incident_seconds, subscription)
    run_pull(opened, host, port)


def _open(
    file: Path,
    kind: str,
    image: str | None,
    template: str,
    options: dict[str, Any],
    verbose: bool,
    incident_seconds: float,
    subscription: str | None = None,
) -> Any:
    from ..runs.submissions import SubmissionRecorder
    from ..targets.catalog import open_target
    from ..targets.precedence import resolve_settings
    from ..triggers.background_recorder import BackgroundRecorder
    from ..triggers.checks import check_triggers
    from ..triggers.dispatch import make_dispatcher
    from ..triggers.incidents import IncidentHandler
    from ..triggers.notices import make_notices
    from ..triggers.service.logs import set_up_logs
    from ..triggers.service.main import Triggers
    from .prepare import prepare

    loaded, pipeline = prepare(file, image, kind, {}, template)
    show_warnings(check_triggers(loaded))
    settings = resolve_settings(
        "trigger", loaded.config.trigger_service, {"subscription": subscription}
    )
    config = loaded.config.model_copy(update={"trigger_service": settings})
    loaded = dataclasses.replace(loaded, config=config)
    target = open_target(kind, loaded, pipeline, take_flags(options))
    set_up_logs(verbose)
    recorder = BackgroundRecorder(SubmissionRecorder(loaded, target))
    dispatcher = make_dispatcher(loaded, target, on_submit=recorder)
    incidents = IncidentHandler(dispatcher, config.store) if config.retraining else None
    return Triggers(
        config.name,
        incidents or dispatcher,
        target,
        settings,
        make_notices(loaded),
        dispatcher.claims,
        incidents,
        incident_seconds,
    )
