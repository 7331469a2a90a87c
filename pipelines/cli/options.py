"""Options that several commands share."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import click

from ..project.pipelines import CONTINUOUS_TRAINING, PIPELINES
from ..project.sections.targets import TARGETS, section_type
from ..targets.precedence import flag, parse_pairs

Command = TypeVar("Command", bound=Callable[..., Any])

FILE = click.argument("file", type=click.Path(path_type=Path), default="retrain.yaml")
STORE = click.option(
    "--file",
    "file",
    type=click.Path(path_type=Path),
    default="retrain.yaml",
    show_default=True,
    help="Path to retrain.yaml.",
)
TO = click.option(
    "--to",
    "kind",
    type=click.Choice(list(TARGETS)),
    required=True,
    help="Service to run on.",
)
IMAGE = click.option("--image", help="Container image of every task; overrides retrain.yaml.")
PARAMETERS = click.option(
    "-p",
    "--parameter",
    "parameters",
    multiple=True,
    metavar="KEY=VALUE",
    help="Pipeline parameter, such as span, pattern, store or allow_older. Repeatable.",
)
PIPELINE = click.option(
    "--pipeline",
    type=click.Choice(list(PIPELINES)),
    default=CONTINUOUS_TRAINING,
    show_default=True,
    help="Pipeline of retrain.yaml.",
)
ALLOW_OLDER = click.option(
    "--allow-older",
    is_flag=True,
    help="Allow a model of older data to replace a champion trained on newer spans.",
)


def show_warnings(lines: Iterable[str]) -> None:
    """Print warnings on the standard error."""
    for line in lines:
        click.echo(click.style("warning: ", fg="yellow", bold=True) + line, err=True)


def target_options(command: Command) -> Command:
    """Add an option to a command for each setting of the targets; None if it was not given."""
    kinds = {name.title(): section_type(name) for name in TARGETS}
    names = {key: None for kind in kinds.values() for key in kind.model_fields}
    for key in reversed(names):
        of = [kind for kind, section in kinds.items() if key in section.model_fields]
        # What a key means differs: an account of Google Cloud, or one of Kubernetes.
        text = " ".join(f"{kind}: {kinds[kind].model_fields[key].description}" for kind in of)
        text = text.replace("`", "")
        if key == "labels":
            option = click.option(flag(key), key, multiple=True, metavar="KEY=VALUE", help=text)
        else:
            option = click.option(flag(key), key, metavar="TEXT", help=text)
        command = option(command)
    return command


def take_flags(options: dict[str, Any]) -> dict[str, Any]:
    """Return what `target_options` collected, as `open_target` takes it."""
    flags = dict(options)
    labels = flags.pop("labels")
    return {**flags, "labels": parse_pairs(labels, flag("labels")) if labels else None}
