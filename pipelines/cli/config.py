"""`retrainer config`: what can be done with a retrain.yaml itself."""

from pathlib import Path

import click

from ...components.lib.words import plural
from ..project.sections.targets import TARGETS
from .options import FILE, show_warnings


@click.group()
def config() -> None:
    """Check, migrate and describe retrain.yaml."""


@config.command("json-schema")
def json_schema() -> None:
    """Print the JSON schema of retrain.yaml, for editors."""
    from ..project.json_schema import config_schema

    click.echo(config_schema(), nl=False)


@config.command("check")
@FILE
@click.option(
    "--to",
    "kind",
    type=click.Choice(list(TARGETS)),
    help="Check by the rules of this target; by default of each target that is configured.",
)
def config_check(file: Path, kind: str | None) -> None:
    """Check FILE (retrain.yaml) without running anything."""
    from ..project.checks import check_settings
    from ..project.config import load_config
    from ..project.reach import local_only, missing_secrets
    from ..targets.checks import check_schedule, check_target, check_together
    from ..triggers.checks import check_triggers

    loaded = load_config(file)
    warnings_ = [
        *check_settings(loaded),
        *check_target(loaded, kind),
        *check_together(loaded, kind),
        *check_schedule(loaded, kind),
    ]
    if kind:
        warnings_ += [*local_only(loaded, kind), *missing_secrets(loaded, kind)]
    warnings_ += check_triggers(loaded)
    show_warnings(warnings_)
    found = f"valid, with {plural(len(warnings_), 'warning')}" if warnings_ else "valid"
    click.echo(
        f"{loaded.path} is {found}: pipeline '{loaded.config.name}', store {loaded.config.store}"
    )


@config.command()
@FILE
@click.option("--check", is_flag=True, help="Write nothing; exit with 1 if the file would change.")
@click.option("--stdout", is_flag=True, help="Print the new text instead of writing it.")
def migrate(file: Path, check: bool, stdout: bool) -> None:
    """Rewrite FILE (retrain.yaml) in the current spelling.

    Comments and order are kept.
    """
    from ...components.lib.errors import RetrainerError
    from ...components.lib.uris import write_atomic
    from ..project.migration import migrate as rewrite

    if check and stdout:
        raise click.UsageError("--check prints no text: leave out one of --check and --stdout.")
    file = file / "retrain.yaml" if file.is_dir() else file
    try:
        # Line ends are kept as they are.
        text = file.read_bytes().decode()
    except UnicodeDecodeError as error:
        raise RetrainerError(f"'{file}' is not UTF-8: {error}.") from error
    windows = "\r\n" in text
    new, changes = rewrite(text.replace("\r\n", "\n"), str(file))
    new = new.replace("\n", "\r\n") if windows else new
    for line in changes:
        click.echo(line, err=stdout)
    if stdout:
        click.echo(new, nl=False)
    elif not changes:
        click.echo(f"{file} is in the current spelling")
    elif check:
        raise click.exceptions.Exit(1)
    else:
        # A link stays a link, and the file as readable as it was.
        target, mode = file.resolve(), file.stat().st_mode
        write_atomic(str(target), new)
        target.chmod(mode)
        click.echo(f"wrote {file}")
