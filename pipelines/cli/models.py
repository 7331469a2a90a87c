"""`retrainer models`: the registry of models, and which version is in service."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from .options import STORE

_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def _check_reason(context: click.Context, parameter: click.Parameter, why: str) -> str:
    if not why.strip():
        raise click.BadParameter("it is empty; give the reason in a few words.")
    return why


_WHY = click.option(
    "--why", required=True, callback=_check_reason, help="Reason, kept in the registry."
)
_OPTIONAL_WHY = click.option("--why", default="", help="Reason, kept in the registry.")


class VersionType(click.ParamType):
    """A version's number, or `champion`."""

    name = "version"

    def convert(self, value: Any, param: Any, context: Any) -> int | str:
        """Return the number, or `champion`."""
        text = str(value).strip().lower()
        if text == "champion":
            return text
        if text.isdigit() and int(text) > 0:
            return int(text)
        raise click.BadParameter(
            f"'{value}' is neither a version's number nor 'champion'", ctx=context, param=param
        )


_VERSION = click.argument("version", type=VersionType())


@click.group()
def models() -> None:
    """Manage the pushed models; choose which one is in service."""


@models.command("list")
@STORE
@_JSON
def list_(file: Path, as_json: bool) -> None:
    """List the models in the registry, newest first."""
    from .show_models import list_models, print_models

    found = list_models(_store(file))
    if as_json:
        click.echo(json.dumps(found, indent=2))
    else:
        print_models(found)


@models.command()
@_VERSION
@STORE
@click.option("--slices", default=10, show_default=True, help="Number of slices and moves to show.")
@click.option("--card", is_flag=True, help="Print only the place of the model card's page.")
@_JSON
def show(version: int | str, file: Path, slices: int, card: bool, as_json: bool) -> None:
    """Show what the registry keeps of VERSION.

    That is data, code, settings, metrics by slice, and when it was in service.
    """
    from .model_details import model_details
    from .show_model import print_model

    details = model_details(_store(file), version)
    if card:
        click.echo(details.card_uri)
    elif as_json:
        click.echo(json.dumps(details.to_json(), indent=2))
    else:
        print_model(details, slices)


@models.command()
@_VERSION
@click.argument("against", type=VersionType())
@STORE
@click.option(
    "--span", default="", help="Span whose evaluation rows to use; the newest if not given."
)
@click.option(
    "--report",
    default="comparison.html",
    show_default=True,
    type=click.Path(dir_okay=False),
    help="File for the HTML report.",
)
@_JSON
def compare(
    version: int | str,
    against: int | str,
    file: Path,
    span: str,
    report: str,
    as_json: bool,
) -> None:
    """Judge VERSION on today's rows against another one.

    AGAINST is taken for the champion, and both answer the same rows. Metrics, slices and thresholds are those of
    'evaluation' in retrain.yaml. Nothing in the store changes.
    """
    from ..project.config import load_config
    from ..project.installed import check_libraries
    from ..runs.model_comparison import compare_versions
    from .model_details import version_number_in
    from .show_comparison import print_comparison

    check_libraries()
    config = load_config(file).config
    numbers = [version_number_in(config.store, one) for one in (version, against)]
    compared = compare_versions(config, numbers[0], numbers[1], report, span)
    if as_json:
        click.echo(json.dumps(compared.to_json(), indent=2))
    else:
        print_comparison(compared)


@models.command()
@_VERSION
@STORE
@_WHY
@_JSON
def promote(version: int | str, file: Path, why: str, as_json: bool) -> None:
    """Put VERSION into service.

    A hold of the version, which was rolled back before, is lifted.
    """
    from .change_models import promote_version

    _print_change(promote_version(_store(file), version, why), why, as_json, file)


@models.command()
@click.argument("version", type=click.IntRange(min=1))
@STORE
@_OPTIONAL_WHY
@_JSON
def approve(version: int, file: Path, why: str, as_json: bool) -> None:
    """Put VERSION, which waits for approval, into service.

    With 'gate.approve: true' a blessed model waits until a person decides. The champion must still be the one that it
    was compared with.
    """
    from .change_models import approve_version

    _print_change(approve_version(_store(file), version, why), why, as_json, file)


@models.command()
@click.argument("version", type=click.IntRange(min=1))
@STORE
@_WHY
@_JSON
def refuse(version: int, file: Path, why: str, as_json: bool) -> None:
    """Refuse VERSION, which waits for approval.

    No run can put this model into service; 'retrainer models promote' still can.
    """
    from .change_models import refuse_version

    refuse_version(_store(file), version, why)
    if as_json:
        click.echo(json.dumps({"refused": version, "why": why}, indent=2))
    else:
        click.echo(f"version {version} is refused; no run puts this model into service.")


@models.command()
@click.option("--to", type=click.IntRange(min=1), help="Version to go back to.")
@STORE
@_WHY
@_JSON
def rollback(to: int | None, file: Path, why: str, as_json: bool) -> None:
    """Put the previous champion back into service, without a retrain.

    The version that was in service is held: its run, and any run with equal data, code and settings, can't put it into
    service again until 'retrainer models promote' does.
    """
    from .change_models import roll_back_champion

    _print_change(roll_back_champion(_store(file), to, why), why, as_json, file)


@models.command()
@STORE
@_OPTIONAL_WHY
@_JSON
def retire(file: Path, why: str, as_json: bool) -> None:
    """Take the champion out of service.

    The next run has no champion to compare with: its model is judged by the value thresholds alone. The retired model
    and the history stay in the registry.
    """
    from .change_models import retire_champion

    version = retire_champion(_store(file), why)
    if as_json:
        click.echo(json.dumps({"retired": version, "why": why}, indent=2))
        return
    click.echo(
        f"version {version} is no longer the champion. The next run has no champion to compare with; only the value "
        "thresholds decide."
    )
    _print_next(file)


@models.command()
@click.argument("version", type=click.IntRange(min=1), required=False)
@STORE
@click.option("--unused", is_flag=True, help="Delete every version that nothing uses.")
@click.option(
    "--keep",
    type=click.IntRange(min=0),
    default=10,
    show_default=True,
    help="With --unused: how many of the newest versions to keep.",
)
@_OPTIONAL_WHY
@click.option("--yes", is_flag=True, help="Delete; without it, only check whether it is possible.")
@_JSON
def delete(
    version: int | None,
    file: Path,
    unused: bool,
    keep: int,
    why: str,
    yes: bool,
    as_json: bool,
) -> None:
    """Delete a VERSION that nothing uses.

    What an alias points at, what the next rollback goes back to, and what a rollout or a deployment uses stays.
    """
    from ...components.lib.deletions import check_deletion
    from .change_models import delete_from_registry, unused_versions

    if unused == (version is not None):
        raise click.UsageError("name either a version or --unused")
    store = _store(file)
    if version is not None:
        check_deletion(store, version)
    chosen = unused_versions(store, keep) if version is None else [version]
    named = ", ".join(map(str, chosen))
    if chosen and not yes:
        raise click.UsageError(f"version {named} can be deleted; add --yes to delete it")
    for one in chosen:
        delete_from_registry(store, one, why)
    if as_json:
        click.echo(json.dumps({"deleted": chosen, "why": why}, indent=2))
    elif chosen:
        click.echo(f"deleted version {named}; its number is not given again")
    else:
        click.echo("no version to delete")


def _store(file: Path) -> str:
    from ..project.config import load_config

    return load_config(file).config.store


def _print_change(change: Any, why: str, as_json: bool, file: Path) -> None:
    from ...components.lib.registry.promotions import describe_change

    if as_json:
        click.echo(json.dumps({**asdict(change), "why": why}, indent=2))
    else:
        click.echo(describe_change(change))
        _print_next(file)


def _print_next(file: Path) -> None:
    """Print the command that brings services to the champion, if there are services."""
    from ..project.config import load_config

    deploy = load_config(file).config.serving.deploy
    services = [name for name in type(deploy).model_fields if getattr(deploy, name) is not None]
    if services:
        click.echo(f"To bring {', '.join(services)} there: retrainer deploy --file {file}")
