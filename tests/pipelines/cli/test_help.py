"""`--help`: every command has a line that fits into 80 columns."""

import click
import pytest
from click.testing import CliRunner

from retrainer.pipelines.cli.main import cli


def groups(group: click.Group, *path: str) -> list[tuple[str, ...]]:
    found = [path]
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        if isinstance(command, click.Group):
            found += groups(command, *path, name)
    return found


@pytest.mark.parametrize("path", groups(cli), ids=lambda path: " ".join(path) or "retrainer")
def test_no_line_of_a_command_is_cut(path: tuple[str, ...]) -> None:
    shown = CliRunner().invoke(cli, [*path, "--help"], prog_name="retrainer")
    assert shown.exit_code == 0
    lines = shown.output.partition("Commands:")[2].splitlines()
    assert [line for line in lines if line.endswith("...")] == []
