"""`retrainer serve-log`: the logging proxy in front of a model server."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])
_MIB = 1 << 20

_LOG_OPTIONS = (
    click.option(
        "--log",
        required=True,
        metavar="URI",
        help="Folder or bucket that log files are written to.",
    ),
    click.option(
        "--roll-seconds",
        type=click.FloatRange(0, min_open=True),
        default=60.0,
        show_default=True,
        help="Write a file after this long. A crash loses what is not written yet.",
    ),
    click.option(
        "--roll-mib",
        type=click.FloatRange(0, min_open=True),
        default=16.0,
        show_default=True,
        help="Write a file at this size, compressed.",
    ),
    click.option(
        "--buffer-mib",
        type=click.FloatRange(0, min_open=True),
        default=64.0,
        show_default=True,
        help="Memory for rows that can't be written yet; more rows are dropped and counted.",
    ),
    click.option(
        "--buffer-rows",
        type=click.IntRange(1),
        default=100_000,
        show_default=True,
        help="Rows that may wait to be compressed; more are dropped and counted.",
    ),
    click.option(
        "--listen", "host", default="0.0.0.0", show_default=True, help="Address to listen on."
    ),
    click.option(
        "--port",
        type=click.IntRange(0, 65535),
        envvar="PORT",
        default=8080,
        show_default="PORT, else 8080",
        help="Port to listen on; 0 for a free one.",
    ),
)


def log_options(command: Command) -> Command:
    """Add the options of a service that writes a log."""
    for option in reversed(_LOG_OPTIONS):
        command = option(command)
    return command


def take_log_options(options: dict[str, Any]) -> dict[str, Any]:
    """Return what `log_options` collected, as a service takes it; the rest stays in `options`."""
    from ..telemetry.log_files.waiting_rows import Limits
    from ..telemetry.log_files.writer import Rolling

    return {
        "log": options.pop("log"),
        "rolling": Rolling(options.pop("roll_seconds"), round(options.pop("roll_mib") * _MIB)),
        "limits": Limits(options.pop("buffer_rows"), round(options.pop("buffer_mib") * _MIB)),
    }


@click.command("serve-log")
@click.option(
    "--target", required=True, metavar="URL", help="Model server, such as http://localhost:8501."
)
@log_options
@click.option(
    "--sample",
    type=click.FloatRange(0, 1),
    default=1.0,
    show_default=True,
    help="Share of the requests that is logged, chosen by request id.",
)
@click.option(
    "--model-version",
    help="Version where neither URL nor answer name it; TensorFlow Serving is asked by default.",
)
@click.option(
    "--version-header",
    default="X-Model-Version",
    show_default=True,
    help="Header of an answer that names the version.",
)
@click.option(
    "--variant",
    default="stable",
    show_default=True,
    help="The model's part; a label in the URL overrides it.",
)
@click.option(
    "--paths",
    metavar="REGEX",
    help="Paths of the requests that are logged; by default those that ask for predictions.",
)
@click.option(
    "--max-body-mib",
    type=click.FloatRange(0),
    default=1.0,
    show_default=True,
    help="Larger bodies are passed on, and left out of the log.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(0, min_open=True),
    default=300.0,
    show_default=True,
    help="Seconds that the server may be silent before the answer is 504.",
)
@click.option(
    "--concurrent",
    type=click.IntRange(1),
    default=1024,
    show_default=True,
    help="Requests passed on at once; more of them wait, and leave when their client does.",
)
@click.option(
    "--status-port",
    type=click.IntRange(0, 65535),
    help="Port of /healthz and /metrics; by default they are on --port.",
)
@click.pass_obj
def serve_log(verbose: bool, host: str, port: int, status_port: int | None, **options: Any) -> None:
    """Log what a model server is asked and answers.

    A proxy for any server of predictions over REST. Requests go to --target and its answers back as they are; then the
    log is written. GET /healthz and /metrics report the proxy's status. SIGTERM ends it.
    """
    import re

    from ..telemetry.proxy.handler import ProxySettings
    from ..telemetry.proxy.requests import PREDICTING
    from ..telemetry.proxy.service import ProxyService, run_proxy
    from ..triggers.service.logs import set_up_logs

    paths = options["paths"] or PREDICTING
    try:
        re.compile(paths)
    except re.error as error:
        raise click.UsageError(f"--paths is no regular expression: {error}") from error
    log = take_log_options(options)
    settings = ProxySettings(
        sample=options["sample"],
        variant=options["variant"],
        model_version=options["model_version"],
        version_header=options["version_header"],
        largest_body=round(options["max_body_mib"] * _MIB),
        paths=paths,
        concurrent=options["concurrent"],
    )
    set_up_logs(verbose)
    service = ProxyService(options["target"], settings=settings, timeout=options["timeout"], **log)
    run_proxy(service, host, port, status_port)
