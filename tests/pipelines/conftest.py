"""The command line in this process, over one runner that has the libraries loaded."""

import contextlib
import functools
import io
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from retrainer.pipelines.cli import demo, warm
from retrainer.pipelines.cli import run as run_command
from retrainer.pipelines.cli.main import main
from retrainer.pipelines.local import early_processes
from retrainer.pipelines.local.preload import LIBRARIES
from retrainer.pipelines.local.runner import LocalRunner
from retrainer.pipelines.project import starting

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session", autouse=True)
def one_schema_of_projects() -> Iterator[None]:
    """Let all projects that tests start have the same JSON schema: making it takes longer than all the rest."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(starting, "config_schema", functools.cache(starting.config_schema))
        yield


@pytest.fixture(scope="session")
def warm_retrainer() -> Iterator[Command]:
    """Run `retrainer` as the console script does, but load the libraries once for all tests.

    What is about the process itself (signals, what it imports, what libraries print) starts one, and has models checked
    in a clean process as the product does; here the tasks do it themselves.
    """
    with (
        LocalRunner((*LIBRARIES, "servers.serving_here_in_tasks")) as local,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(early_processes, "MODULES", {})

        @contextmanager
        def shared() -> Iterator[LocalRunner]:
            local.warm_up()
            yield local

        for module in (run_command, demo):
            patch.setattr(module, "warm_runner", shared)
        patch.setattr(warm, "warming_up", contextlib.nullcontext)

        def run(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
            words = [str(argument) for argument in arguments]
            out, err = io.StringIO(), io.StringIO()
            code: object = None
            with (
                pytest.MonkeyPatch.context() as here,
                contextlib.redirect_stdout(out),
                contextlib.redirect_stderr(err),
            ):
                if cwd is not None:
                    here.chdir(cwd)
                here.setattr(sys, "argv", ["retrainer", *words])
                try:
                    main()
                except SystemExit as ended:
                    code = ended.code
            assert isinstance(code, int)
            return subprocess.CompletedProcess(words, code, out.getvalue(), err.getvalue())

        yield run
