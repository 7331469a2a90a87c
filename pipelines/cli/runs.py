"""`retrainer runs`: what ran and runs, here and on services."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...components.lib.errors import RetrainerError
from ..project.sections.targets import TARGETS
from .options import STORE, show_warnings

if TYPE_CHECKING:
    from ..project.config import LoadedConfig
    from ..runs.records import RunRecord
    from ..runs.remote_lookup import Found

LOCAL = "local"
LAST = "last"
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_TO = click.option(
    "--to",
    "places",
    type=click.Choice([LOCAL, *TARGETS]),
    multiple=True,
    help="Only runs there; all places by default. Repeatable.",
)


@click.group()
def runs() -> None:
    """List, show and cancel runs, here and on services."""


@runs.command("list")
@STORE
@_TO
@click.option(
    "--most",
    type=click.IntRange(1, 1000),
    default=50,
    show_default=True,
    help="Maximum number of runs to request from each service, newest first.",
)
@click.option(
    "--offline",
    is_flag=True,
    help="Show the states last recorded in the store, without asking a service.",
)
@_JSON
def list_(file: Path, places: tuple[str, ...], most: int, offline: bool, as_json: bool) -> None:
    """List the runs, newest first.

    For runs on Vertex AI and Kubeflow Pipelines, the store has what their tasks recorded. The services that
    retrain.yaml names report the states, and runs that have recorded nothing yet.
    """
    from ..project.config import load_config
    from ..runs.record_store import list_runs
    from ..runs.remote_lookup import list_elsewhere
    from ..targets.catalog import list_services

    loaded = load_config(file)
    kinds = [kind for kind in TARGETS if not places or kind in places]
    asked = [] if offline else [kind for kind in list_services(loaded) if kind in kinds]
    records = list_runs(loaded.config.store) if not places or LOCAL in places else []
    elsewhere, problems = list_elsewhere(loaded, kinds, asked, most) if kinds else ([], ())
    show_warnings(problems)
    if not as_json:
        if not records and not elsewhere:
            click.echo("no runs yet")
            return
        from .show_runs import print_list

        print_list(records, elsewhere)
        return
    described = [
        *({**asdict(record), "target": LOCAL} for record in records),
        *(run.to_json() for run in elsewhere),
    ]
    described.sort(key=lambda one: str(one["started"]), reverse=True)
    click.echo(json.dumps(described, indent=2))


@runs.command()
@click.argument("run_id", metavar="RUN", default=LAST)
@STORE
@_TO
@_JSON
def show(run_id: str, file: Path, places: tuple[str, ...], as_json: bool) -> None:
    """Show a run and its tasks.

    That is parameters, outcome, spans, and each task's state, times and errors.

    RUN is a run's name, or 'last' for the newest. A run on this machine also has inputs, outputs and metrics.
    """
    from ...components.lib.monitoring.incidents import incident_of_run
    from ..project.config import load_config
    from .show_runs import print_elsewhere, print_run

    record, found = _find(file, run_id, places)
    store = load_config(file).config.store
    if record:
        incident = incident_of_run(store, record.run_id)
        if as_json:
            named = incident.id if incident else None
            described = {**asdict(record), "target": LOCAL, "incident": named}
            click.echo(json.dumps(described, indent=2))
        else:
            print_run(record, incident=incident)
        return
    for one in found:
        run, status, problem = one.look()
        show_warnings([problem] if problem else [])
        tasks = status.tasks if status else ()
        incident = incident_of_run(store, run.run_id)
        if as_json:
            described = {
                **run.to_json(),
                "incident": incident.id if incident else None,
                "tasks": [asdict(task) for task in tasks],
            }
            click.echo(json.dumps(described, indent=2, default=str))
        else:
            print_elsewhere(run, tasks, incident=incident)


@runs.command()
@click.argument("run_id", metavar="RUN")
@STORE
@_TO
def cancel(run_id: str, file: Path, places: tuple[str, ...]) -> None:
    """Cancel RUN, wherever it runs. A run that has ended stays as it is.

    Exit codes: 0 the run has ended or is ending, 1 it could not be cancelled.
    """
    from ..runs.cancelling import cancel_here
    from ..runs.records import RunState
    from ..targets.types import ENDED

    record, found = _find(file, run_id, places)
    if record:
        run_id = record.run_id
        if record.state != RunState.RUNNING:
            click.echo(f"run {run_id} had already ended: {record.state}")
            return
        click.echo(f"run {run_id} has ended: {cancel_here(record).state}")
        return
    if len(found) > 1:
        named = ", ".join(f"{one.kind} ({one.submission.url})" for one in found)
        raise RetrainerError(
            f"{len(found)} runs are called '{run_id}': {named}. Cancel one of them on its page."
        )
    [one] = found
    run_id = one.submission.run_id
    target = one.reach()
    before = target.status(one.submission)
    if before.state in ENDED:
        click.echo(f"run {run_id} had already ended: {before.state}")
        return
    after = target.cancel(one.submission)
    word = f"has ended: {after.state}" if after.state in ENDED else "is being cancelled"
    click.echo(f"run {run_id} {word}  {one.submission.url}")


def _find(
    file: Path, run_id: str, places: tuple[str, ...]
) -> "tuple[RunRecord | None, list[Found]]":
    """Find a run: on this machine, or else on services."""
    from ..project.config import load_config
    from ..runs.record_store import list_runs, load_run, run_exists
    from ..runs.records import RunState
    from ..runs.remote_lookup import find_elsewhere, newest_elsewhere

    loaded = load_config(file)
    store = loaded.config.store
    here, kinds = not places or LOCAL in places, [one for one in places if one != LOCAL]
    found: Any = []
    if run_id == LAST:
        records = [one for one in list_runs(store) if one.state != RunState.UNREADABLE]
        record = records[0] if records and here else None
        if kinds or not places:
            found = newest_elsewhere(loaded, kinds)
        if record and found and found[0].run.started > record.started:
            record = None
        if record or found:
            return record, [] if record else found
        raise RetrainerError(f"there are no runs in '{store}' yet.")
    if here and run_exists(store, run_id):
        return load_run(store, run_id), []
    if kinds or not places:
        found = find_elsewhere(loaded, run_id, kinds)
    if found:
        return None, found
    raise RetrainerError(_name_newest(loaded, run_id, places))


def _name_newest(loaded: "LoadedConfig", run_id: str, places: tuple[str, ...]) -> str:
    """Describe a missing run, with the newest ones."""
    from ..runs.record_store import list_runs
    from ..runs.remote_lookup import list_elsewhere

    store = loaded.config.store
    kinds = [kind for kind in TARGETS if not places or kind in places]
    here = list_runs(store) if not places or LOCAL in places else []
    names = [(one.started, f"'{one.run_id}'") for one in here]
    for one in list_elsewhere(loaded, kinds, (), 0)[0]:
        names.append((one.started, f"'{one.run_id}' on {one.target}"))
    newest = ", ".join(name for _, name in sorted(names, reverse=True)[:3]) or "none"
    where = f" on {' or '.join(places)}" if places else ""
    return f"there is no run '{run_id}'{where} in '{store}'; the newest are: {newest}."
