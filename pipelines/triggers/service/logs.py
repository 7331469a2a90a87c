"""Logs as Cloud Logging reads them: one JSON object a line on standard output."""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any

from ..types import Message, Outcome, Result

LOGGER = logging.getLogger("retrainer.triggers")

_LEVELS = {
    # In marker mode these are every data file of every span.
    Result.IGNORED: logging.DEBUG,
    Result.STARTED: logging.INFO,
    Result.DUPLICATE: logging.INFO,
    Result.DEFERRED: logging.INFO,
    Result.FAILED: logging.WARNING,
    Result.INVALID: logging.ERROR,
}


class JsonFormatter(logging.Formatter):
    """Formats a record as a JSON object with the keys that Cloud Logging knows: severity, message, time."""

    def format(self, record: logging.LogRecord) -> str:
        """Format a record; what was logged as `extra={"fields": {...}}` becomes keys of their own."""
        entry: dict[str, Any] = {
            "severity": record.levelname,
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "message": record.getMessage(),
            "logger": record.name,
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            entry["stack_trace"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False)


def set_up_logs(verbose: bool) -> None:
    """Send this process's logs to standard output as JSON.

    Args:
        verbose: Whether messages that match no trigger are logged, too.
    """
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger("retrainer").setLevel(logging.DEBUG if verbose else logging.INFO)
    # The log would repeat header lines that could not be read, and the token is one.
    logging.getLogger("aiohttp.server").addFilter(_without_request)


def log_outcome(message: Message, outcome: Outcome, seconds: float) -> None:
    """Log the outcome of a message; never its body.

    Args:
        message: The message.
        outcome: Its outcome.
        seconds: How long that took.
    """
    level = _LEVELS[outcome.result]
    if not LOGGER.isEnabledFor(level):
        return
    fields = {
        "message_id": message.message_id,
        "trigger": outcome.trigger,
        "result": str(outcome.result),
        "run_id": ", ".join(outcome.run_ids),
        "url": ", ".join(outcome.urls),
        "delivery_attempt": message.delivery_attempt,
        "retry_seconds": round(outcome.retry_seconds, 3),
        "seconds": round(seconds, 4),
    }
    LOGGER.log(
        level,
        outcome.reason or f"{outcome.result}.",
        extra={"fields": {key: value for key, value in fields.items() if value}},
    )


def _without_request(record: logging.LogRecord) -> bool:
    from aiohttp.http_exceptions import HttpProcessingError

    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, HttpProcessingError)
