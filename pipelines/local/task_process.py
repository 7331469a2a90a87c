"""Inside a task's process: the component's function, run as its container would run it."""

import atexit
import errno
import json
import logging
import os
import signal
import sys
import threading
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from ...components.lib.errors import RetrainerError, StorageError

MODULE_NAME = "ephemeral_component.py"
LOG_FORMAT = "[%(asctime)s %(levelname)s %(name)s] %(message)s"


def run_task(request: dict[str, Any], log: int, result: int, alive: int) -> NoReturn:
    """Run a task, send its result, and end the process.

    Args:
        request: What to run: `source`, `function`, `executor_input`, `output_types`, `env`,
            `unset`, `cwd` and `scratch` (a folder of the task's own).
        log: Descriptor that gets what the task prints.
        result: Descriptor that gets the result, as JSON: `outputs` and `artifacts`, or `error` and
            whether its message is for users, `known`.
        alive: Read end of a pipe that breaks when the runner is gone.
    """
    _redirect(log)
    _die_with(alive)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # So that the task removes what it has half written.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    content, status = _outcome(request)
    with os.fdopen(result, "w", encoding="utf-8") as pipe:
        json.dump(content, pipe)
    _exit(status)


def _outcome(request: dict[str, Any]) -> tuple[dict[str, Any], int]:
    try:
        _prepare(request)
        _run_function(request)
        # Imported where the task has its own log: it brings fsspec, which the server need not wait
        # for.
        from .executor_io import collect_outputs

        return collect_outputs(request["executor_input"], request["output_types"]), 0
    except KeyboardInterrupt:
        return {"error": "interrupted", "known": True}, 130
    except (RetrainerError, StorageError) as error:
        _log_traceback()
        return {"error": str(error), "known": True}, 1
    except Exception as error:
        _log_traceback()
        # As the traceback's last line has it, whatever module the class comes from.
        line = "".join(traceback.format_exception_only(error)).strip()
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            reason = f"the disk is full: {line}. Free some of it, then run again."
            return {"error": reason, "known": True}, 1
        return {"error": line, "known": False}, 1


def _log_traceback() -> None:
    # The log may lie on a disk that is full, which must not hide the reason that the runner waits for.
    with suppress(OSError):
        traceback.print_exc()


def _redirect(log: int) -> None:
    with open(os.devnull) as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True, errors="backslashreplace")  # type: ignore[union-attr]


def _die_with(alive: int) -> None:
    def watch() -> None:
        os.read(alive, 1)
        os.killpg(os.getpgrp(), signal.SIGKILL)

    threading.Thread(target=watch, name="runner-monitor", daemon=True).start()


def _prepare(request: dict[str, Any]) -> None:
    os.environ.update(request["env"])
    for name in request["unset"]:
        os.environ.pop(name, None)
    os.chdir(request["cwd"])
    if numpy := sys.modules.get("numpy"):
        # Forked tasks would all draw the same numbers from the one generator that numpy seeds when
        # loaded.
        numpy.random.seed()
    # Libraries have put handlers of their own on the root by now, and kfp's set-up would be without
    # effect.
    logging.basicConfig(stream=sys.stdout, format=LOG_FORMAT, level=logging.INFO, force=True)


def _run_function(request: dict[str, Any]) -> None:
    from kfp.dsl import executor_main

    module = Path(request["scratch"]) / MODULE_NAME
    module.write_text(request["source"], encoding="utf-8")
    sys.argv = [
        "executor_main.py",
        "--component_module_path",
        str(module),
        "--executor_input",
        json.dumps(request["executor_input"]),
        "--function_to_execute",
        request["function"],
    ]
    try:
        executor_main.executor_main()
    except SystemExit as error:
        if error.code not in (None, 0):
            raise RetrainerError(f"the component exited with status {error.code}") from error


def _exit(status: int) -> NoReturn:
    # Not sys.exit: unloading TensorFlow and its threads takes time, and there is nothing left to
    # unload it for.
    atexit._run_exitfuncs()
    # To a disk that is full nothing more can be said.
    with suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(status)
