"""Following a running task through the files that it writes."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from .observer import Progress


@dataclass
class Watch:
    """Reads what is new in a task's progress file and log.

    Attributes:
        progress_file: Where the task writes how far it is, see `components/lib/progress.py`.
        log: Where its output goes.
        log_read: How much of the log was there before, in bytes.
    """

    progress_file: str
    log: str
    log_read: int = 0
    _written: int = 0

    def progress(self) -> Progress | None:
        """Give what the task said last, if that is news."""
        try:
            written = os.stat(self.progress_file).st_mtime_ns
            if written == self._written:
                return None
            self._written = written
            content = json.loads(Path(self.progress_file).read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            # Nothing there yet, or not the JSON that it should be: shown when it is.
            return None
        if not isinstance(content, dict):
            return None
        return Progress(str(content.get("message", "")), content.get("done"), content.get("total"))

    def output(self) -> str:
        """Give what the task has printed since the last call."""
        try:
            with open(self.log, "rb") as file:
                file.seek(self.log_read)
                content = file.read()
        except FileNotFoundError:
            return ""
        self.log_read += len(content)
        return content.decode(errors="replace")
