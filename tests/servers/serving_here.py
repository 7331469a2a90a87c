"""Serving checks in the process that asks for them, instead of a clean one that imports TensorFlow for each.

For tests that are about something else.
"""

import subprocess
import sys
from collections.abc import Sequence
from types import SimpleNamespace
from unittest import mock

from retrainer.components.check_serving import server_process


def _run(command: Sequence[str], **_: object) -> subprocess.CompletedProcess[str]:
    # After the interpreter and its option -I.
    with mock.patch.object(sys, "argv", list(command[2:])):
        server_process._main()
    return subprocess.CompletedProcess(command, 0, "", "")


HERE = SimpleNamespace(run=_run, TimeoutExpired=subprocess.TimeoutExpired)
"""What stands for the module `subprocess` in `check`."""
