"""`retrainer spans`: look at the spans in the store, and free what nobody needs."""

import json
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from ...components.lib.errors import RetrainerError
from ...components.lib.words import near, plural
from .options import STORE
from .users import this_user

_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def spans() -> None:
    """List, show, exclude and prune the spans in the store."""


@spans.command("list")
@STORE
@_JSON
def list_(file: Path, as_json: bool) -> None:
    """List the spans, oldest first.

    That is their versions, rows, quarantined rows, size, time, files and exclusions.
    """
    from ...components.lib.spans.exclusions import read_exclusions
    from ...components.lib.spans.stored_spans import list_stored
    from ..project.config import load_config
    from .show_spans import describe_version, print_spans

    store = load_config(file).config.store
    stored, excluded = list_stored(store), read_exclusions(store)
    if not as_json:
        print_spans(stored, store, excluded)
        return
    described = [
        {
            "span": span,
            "excluded": asdict(excluded[span]) if span in excluded else None,
            "versions": [describe_version(version) for version in stored.get(span, ())],
        }
        for span in dict.fromkeys([*stored, *excluded])
    ]
    click.echo(json.dumps(described, indent=2, ensure_ascii=False))


@spans.command()
@click.argument("span")
@STORE
@_JSON
def show(span: str, file: Path, as_json: bool) -> None:
    """Show SPAN's versions: sources, counts and columns."""
    from ...components.lib.spans.stored_spans import list_stored, list_versions
    from ..project.config import load_config
    from .show_spans import describe_version, print_span

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
@click.argument("span")
@click.option("--why", required=True, metavar="TEXT", help="Reason, which everybody will see.")
@STORE
def exclude(span: str, why: str, file: Path) -> None:
    """Exclude SPAN from training and evaluation.

    From the next run on, no span is compared with it, either.
    """
    from ...components.lib.spans.exclusions import exclude as exclude_span
    from ..project.config import load_config

    config = load_config(file).config
    if not why.strip():
        raise RetrainerError("--why is empty. Add the reason, which everybody will see.")
    _check_there(span, config.store, config.data.pattern)
    exclude_span(config.store, span, why.strip(), this_user())
    click.echo(
        f"excluded {span}: the next run skips it, on every target. Models that have trained on it do not change. "
        f"Undo with 'retrainer spans include {span}'"
    )


@spans.command()
@click.argument("span")
@STORE
def include(span: str, file: Path) -> None:
    """Include an excluded SPAN again."""
    from ...components.lib.spans.exclusions import include as include_span
    from ..project.config import load_config

    before = include_span(load_config(file).config.store, span, this_user())
    click.echo(f"included {span}, excluded on {before.when[:10]} by {before.who}: {before.why}")


@spans.command()
@STORE
@click.option(
    "--older-than",
    "days",
    type=click.FloatRange(min=0, max=36_500),
    default=30,
    show_default=True,
    metavar="DAYS",
    help="Keep versions that were replaced within this many days: a run that has not recorded its spans "
    "yet may still read them.",
)
@click.option(
    "--runs-older-than",
    "run_days",
    type=click.FloatRange(min=0, max=36_500),
    metavar="DAYS",
    help="Also delete versions used only by runs that ended more than this many days ago and whose model "
    "is not in service. By default versions that any run used are kept.",
)
@click.option("--dry-run", is_flag=True, help="Show what would be deleted, without deleting it.")
def prune(file: Path, days: float, run_days: float | None, dry_run: bool) -> None:
    """Delete old versions that no run and no champion used.

    The newest version of a span is kept; runs on every target count.
    """
    from ...components.lib.spans.stored_spans import (
        find_superseded,
        list_stored,
        measure_version,
        remove_span_leftovers,
        remove_version,
    )
    from ...components.lib.store import Store
    from ..project.config import load_config
    from ..runs.span_references import find_references
    from .tables import format_size

    store = load_config(file).config.store
    before = datetime.now(UTC) - timedelta(days=days)
    superseded = find_superseded(list_stored(store), before)
    # Read after the versions: a run that took one of them in between is seen.
    since = None if run_days is None else datetime.now(UTC) - timedelta(days=run_days)
    references = find_references(store, since)
    used = {Store(store).version_uri(*one) for one in references.versions}
    whole = {Store(store).span_uri(span) for span in references.spans}
    free = [
        one
        for one in superseded
        if one.uri not in used and Store(store).span_uri(one.span) not in whole
    ]
    for line in references.unknown:
        click.echo(line)
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
        f"{'would free' if dry_run else 'freed'} {plural(len(free), 'version')}, {format_size(size)}; "
        f"kept for runs and models that used them: {kept}"
    )


def _check_there(span: str, store: str, pattern: str) -> None:
    from ...components.lib.spans.span_discovery import find_spans
    from ...components.lib.spans.stored_spans import list_stored, list_versions

    if list_versions(store, span):
        return
    try:
        known = [one.name for one in find_spans(pattern)]
    except RetrainerError:
        # The source may be gone by now, or out of this machine's reach.
        known = list(list_stored(store))
    if span not in known:
        close = near(span, known, most=3) or known[-3:]
        raise RetrainerError(
            f"there is no span '{span}', neither in '{store}' nor in the data, '{pattern}'"
            f"{'. There are ' + ', '.join(close) if close else ''} (retrainer spans list)."
        )
