"""`retrainer monitor sink`: takes what the logger of KServe sends."""

from typing import Any

import click

from .serve_log import log_options, take_log_options


@click.command()
@log_options
@click.option(
    "--max-event-mib",
    type=click.FloatRange(0, min_open=True),
    default=64.0,
    show_default=True,
    help="Larger requests are refused.",
)
@click.pass_obj
def sink(verbose: bool, host: str, port: int, max_event_mib: float, **options: Any) -> None:
    """Log the requests and answers that KServe sends.

    An HTTP sink for CloudEvents, in binary, structured and batched mode: set it as logger.url of an InferenceService.
    Requests are not authenticated. GET /healthz and /metrics report the sink's status. SIGTERM ends it.
    """
    from ..telemetry.sink.service import SinkService, run_sink
    from ..triggers.service.logs import set_up_logs

    set_up_logs(verbose)
    service = SinkService(
        largest_event=round(max_event_mib * (1 << 20)), **take_log_options(options)
    )
    run_sink(service, host, port)
