"""Telling whoever watches how far a task has come."""

import json
import logging
import os
import time

PROGRESS_FILE_VARIABLE = "RETRAINER_PROGRESS_FILE"
LOG_INTERVAL_SECONDS = 5.0

_log = logging.getLogger("retrainer.progress")
_last_logged = 0.0


def progress(message: str, done: int | None = None, total: int | None = None) -> None:
    """Report what the task is doing now.

    Under the local runner (which names a file in `RETRAINER_PROGRESS_FILE`) the newest call is shown live;
    elsewhere calls are logged, at most one in five seconds.

    Args:
        message: A few words.
        done: How many of `total` units are done.
        total: How many units there are in all.
    """
    global _last_logged
    path = os.environ.get(PROGRESS_FILE_VARIABLE)
    if path:
        aside = f"{path}.tmp"
        with open(aside, "w", encoding="utf-8") as file:
            json.dump({"message": message, "done": done, "total": total}, file)
        os.replace(aside, path)
        return
    now = time.monotonic()
    if now - _last_logged >= LOG_INTERVAL_SECONDS or (total is not None and done == total):
        _last_logged = now
        _log.info("%s%s", message, f" ({done} of {total})" if total else "")
