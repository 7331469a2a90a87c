"""`retrainer metrics`: the loop's metrics for Prometheus."""

from collections.abc import Callable
from pathlib import Path

import click

from .options import STORE


@click.group()
def metrics() -> None:
    """Show what the store knows of the loop to Prometheus."""


@metrics.command()
@STORE
@click.option(
    "--listen", "host", default="0.0.0.0", show_default=True, help="Address to listen on."
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    envvar="PORT",
    default=9464,
    show_default="PORT, else 9464",
    help="Port to listen on; 0 for a free one.",
)
@click.option(
    "--refresh-seconds",
    type=click.FloatRange(0, min_open=True),
    default=60.0,
    show_default=True,
    help="Pause between two readings of the store.",
)
@click.pass_obj
def serve(verbose: bool, file: Path, host: str, port: int, refresh_seconds: float) -> None:
    """Serve the metrics over HTTP, at /metrics.

    GET /healthz reports that the process is alive. SIGTERM ends it.
    """
    from ..telemetry.loop.service import run_metrics_server
    from ..triggers.service.logs import set_up_logs

    set_up_logs(verbose)
    run_metrics_server(_renderer(file), host, port, refresh_seconds)


@metrics.command()
@STORE
@click.option(
    "--textfile",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="PATH",
    help="File for node_exporter's textfile collector, replaced at once; its name ends in .prom.",
)
def write(file: Path, textfile: Path | None) -> None:
    """Write the metrics once, to standard output or to a file."""
    from ...components.lib.uris import write_atomic

    if textfile and textfile.suffix != ".prom":
        raise click.UsageError(
            f"--textfile is '{textfile}': node_exporter reads files whose name ends in .prom."
        )
    text = _renderer(file)()
    if textfile:
        write_atomic(str(textfile), text)
    else:
        click.echo(text.decode(), nl=False)


def _renderer(file: Path) -> Callable[[], bytes]:
    from ..project.config import load_config
    from ..telemetry.loop.collecting import LoopMetrics, parts_of

    config = load_config(file).config
    delay = config.monitoring.labels.delay_seconds if config.monitoring else None
    parts = parts_of(config.store, delay)
    return LoopMetrics(config.name, parts).render
