"""`retrainer serve-log` and `retrainer monitor sink`: what is wrong is named before anything is served."""

import socket

import pytest
from click.testing import CliRunner
from servers.service_process import ServiceProcess

from retrainer.pipelines.cli.main import cli

TARGET = ("--target", "http://127.0.0.1:9")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--paths", "("), "--paths is no regular expression"),
        (("--sample", "2"), "2.0 is not in the range"),
        (("--buffer-mib", "0"), "is not in the range"),
    ],
)
def test_a_wrong_option_is_wrong_usage(options, said, tmp_path):
    done = CliRunner().invoke(cli, ["serve-log", *TARGET, "--log", str(tmp_path), *options])
    assert done.exit_code == 2
    assert said in done.output


@pytest.mark.parametrize("command", [("serve-log", *TARGET), ("monitor", "sink")])
def test_a_port_that_is_taken_and_a_log_that_is_nowhere_are_named(command, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        own = ["--listen", "127.0.0.1", "--port", port]
        service = ServiceProcess([*command, *own, "--log", str(tmp_path)])
        assert service.wait() == 1
        assert f"can't listen on 127.0.0.1:{port}" in service.lines[-1]
    service = ServiceProcess([*command, "--log", "nowhere://logs"])
    assert service.wait() == 1
    assert "can't open 'nowhere://logs'" in service.lines[-1]
    assert not any("Traceback" in line for line in service.lines)
