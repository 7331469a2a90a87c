"""The page of a store: one HTML file at its root, with links to everything below it."""

from markupsafe import Markup

from ...components.lib.report.page import render_page
from ...components.lib.uris import join, write_atomic
from ...components.lib.words import plural
from .cells import moment
from .champion_section import render_champions
from .contents import Contents, read_contents
from .monitoring_sections import render_incidents, render_signals
from .run_sections import render_runs, render_spans

INDEX = "index.html"


def write_site(store: str, name: str) -> str:
    """Write the page of a store to its root, whole or not at all.

    Args:
        store: URI of the store.
        name: The project's name.

    Returns:
        URI of the page.

    Raises:
        RetrainerError: If a record in the store is damaged.
        OSError: If the disk is full or refuses; the former page still stands then.
    """
    place = join(store, INDEX)
    write_atomic(place, render_site(name, read_contents(store)))
    return place


def render_site(name: str, contents: Contents) -> str:
    """Lay out the page of a store.

    Args:
        name: The project's name.
        contents: What it shows.

    Returns:
        A whole HTML document.
    """
    verdict, ok = _verdict(contents)
    champion = contents.champions[0] if contents.served else None
    facts: dict[str, object] = {
        "champion": f"version {champion.move.version}" if champion else "none",
        "in service since": moment(champion.move.at) if champion else "",
        "open incidents": sum(not one.ended for one in contents.incidents) or "",
        "runs": f"{len(contents.runs):,}",
        "spans": f"{len(contents.spans):,}",
    }
    body = Markup("").join(
        [
            render_champions(contents.champions, contents.served),
            render_incidents(contents.incidents, contents.runs),
            render_signals(contents.signals),
            render_runs(contents.runs),
            render_spans(contents.spans),
        ]
    )
    return render_page(
        name,
        verdict,
        ok,
        {title: fact for title, fact in facts.items() if fact},
        body,
        words=("healthy", "look here"),
    )


def _verdict(contents: Contents) -> tuple[str, bool]:
    newest = contents.runs[0] if contents.runs else None
    if newest and newest.went_wrong:
        return f"The newest run, {newest.run_id}, {newest.state}: {newest.outcome}", False
    if not contents.runs and not contents.champions:
        return "No run yet.", True
    if not contents.served:
        return "No model is in service.", False
    going_on = [one for one in contents.incidents if not one.ended]
    if going_on:
        others = f", and {plural(len(going_on) - 1, 'more incident')}" if len(going_on) > 1 else ""
        return f"Incident {going_on[0].title}: {going_on[0].reason.rstrip('.')}{others}.", False
    if detected := contents.signals.detected():
        others = f", and {plural(len(detected) - 1, 'more signal')}" if len(detected) > 1 else ""
        return f"Monitoring found {detected[0].last.meaning.rstrip('.')}{others}.", False
    return f"Version {contents.champions[0].move.version} is in service.", True
