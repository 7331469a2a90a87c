"""Exit codes of the command line, as a shell or a script sees them."""

import io
import signal
import sys

import pytest

from retrainer.pipelines.cli import run as run_command
from retrainer.pipelines.cli.main import main
from retrainer.pipelines.local.runner import RunInterrupted
from retrainer.pipelines.runs.records import RunRecord


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_run_that_a_signal_ends_exits_with_128_and_its_number(monkeypatch, capsys, number):
    def interrupted(*_, **__):
        raise RunInterrupted(RunRecord("june", "orders", "/store"), number)

    monkeypatch.setattr(run_command, "run_here", interrupted)
    monkeypatch.setattr(sys, "argv", ["retrainer", "run", "retrain.yaml"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 128 + number
    assert "run 'june' was interrupted" in capsys.readouterr().err


def test_what_the_terminals_encoding_lacks_is_written_as_an_escape(monkeypatch):
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="ascii"))
    monkeypatch.setattr(sys, "argv", ["retrainer", "runs", "list"])
    monkeypatch.setattr("retrainer.pipelines.cli.main.cli", lambda **_: print("\u00fc \udcff"))
    with pytest.raises(SystemExit) as ended:
        main()
    sys.stdout.flush()
    assert (ended.value.code, written.getvalue()) == (0, b"\\xfc \\udcff\n")
