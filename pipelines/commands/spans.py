"""`retrainer spans`: look at the spans in the store, and free what nobody needs."""

import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from ...components.lib.errors import RetrainerError
from ...components.lib.words import near, plural
from .options import STORE

_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def spans() -> None:
    """Look at the spans in the store, and free what nobody needs."""


@spans.command("list")
@STORE
@_JSON
def list_(file: Path, as_json: bool) -> None:
    """List the spans, oldest first: versions, rows, what was set aside, size, when, from how many files."""
    from ...components.lib.stored_spans import list_stored
    from ..config import load_config
    from ..spans_view import describe_version, print_spans

    store = load_config(file).config.store
    stored = list_stored(store)
    if not as_json:
        print_spans(stored, store)
        return
    described = [
        {"span": span, "versions": [describe_version(version) for version in versions]}
        for span, versions in stored.items()
    ]
    click.echo(json.dumps(described, indent=2, ensure_ascii=False))


@spans.command()
@click.argument("span")
@STORE
@_JSON
def show(span: str, file: Path, as_json: bool) -> None:
    """Show the versions of SPAN, newest first: sources, counts and columns."""
    from ...components.lib.stored_spans import list_stored, list_versions
    from ..config import load_config
    from ..spans_view import describe_version, print_span

    store = load_config(file).config.store
    versions = list_versions(store, span)
    if not versions:
        known = list(list_stored(store))
        close = near(span, known, most=3) or known[-3:]
        raise RetrainerError(
            f"there is no span '{span}' in '{store}'; there are {len(known)}"
            f"{', such as ' + ', '.join(close) if close else ''} (retrainer spans list)."
        )
    if as_json:
        described = {
            "span": versions[-1].span,
            "versions": [describe_version(version) for version in versions],
        }
        click.echo(json.dumps(described, indent=2, ensure_ascii=False))
    else:
        print_span(versions)


@spans.command()
@STORE
@click.option(
    "--older-than",
    "days",
    type=click.FloatRange(min=0, max=36_500),
    default=30,
    show_default=True,
    metavar="DAYS",
    help="Keep versions that a newer one followed within so many days: runs on Vertex AI and Kubeflow, which leave no "
    "record in the store, may still read them.",
)
@click.option("--dry-run", is_flag=True, help="Print what would be freed, and delete nothing.")
def prune(file: Path, days: float, dry_run: bool) -> None:
    """Delete versions that are not the newest of their span and that no recorded run used."""
    from ...components.lib.store import Store
    from ...components.lib.stored_spans import (
        find_superseded,
        list_stored,
        measure_version,
        remove_span_leftovers,
        remove_version,
    )
    from ..config import load_config
    from ..span_references import find_references
    from ..spans_view import tell_size

    store = load_config(file).config.store
    before = datetime.now(UTC) - timedelta(days=days)
    superseded = find_superseded(list_stored(store), before)
    # Read after the versions: a run that took one of them in between is seen.
    references = find_references(store)
    used = {Store(store).version_uri(*one) for one in references.versions}
    free = [one for one in superseded if one.uri not in used]
    for told in references.unknown:
        click.echo(f"{told} does not tell which versions it used; --older-than alone keeps them")
    size = 0
    for version in free:
        size += measure_version(version)
        click.echo(f"{'would free' if dry_run else 'freeing'} {version.span} {version.version}")
        if not dry_run:
            # Another prune may have been faster.
            with suppress(FileNotFoundError):
                remove_version(version)
    if not dry_run and (left := remove_span_leftovers(store)):
        click.echo(f"removed {left} leftovers of processes that were killed")
    kept = plural(len(superseded) - len(free), "version")
    click.echo(
        f"{'would free' if dry_run else 'freed'} {plural(len(free), 'version')}, {tell_size(size)}; "
        f"kept for runs that used them: {kept}"
    )
