"""The page of a rollout: where it stands, what was observed, and every change with its reason."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from markupsafe import Markup

from ...components.lib.report.page import Cell, Column, render_page, render_table
from ...components.lib.serving.rollout_state import RolloutState
from ...components.lib.uris import write_atomic


def write_rollout_page(found: Mapping[str, Any], uri: str) -> None:
    """Write the page of the newest rollout.

    Args:
        found: As `read_rollout` returns it.
        uri: The file, at any URI.
    """
    write_atomic(uri, render_rollout(found, uri))


def render_rollout(found: Mapping[str, Any], place: str = "") -> str:
    """Lay out the page of a rollout.

    Args:
        found: As `read_rollout` returns it.
        place: Where the page is written to.

    Returns:
        A self-contained HTML document.
    """
    if found["state"] is None:
        words = "the next champion begins one where serving.rollout is set"
        return render_page("Rollout", words, True, {}, "", ("no rollout", ""), place=place)
    stage = found["stage"] or {}
    facts: dict[str, object] = {
        "new version": found["version"],
        "version before": found["before"] or "none",
        "share of the new version": f"{found['percent']} %",
    }
    if stage:
        facts |= {
            "in this stage since": _time(found["since"]),
            "stage lasts at least": f"{stage['hold_seconds']:,} s",
            "requests observed": f"{found['requests']:,} of {stage['min_requests']:,}",
            "newest observation": _time(found["newest_observation"]) or "none yet",
        }
    return render_page(
        f"Rollout of version {found['version']}",
        found["words"],
        found["state"] != RolloutState.ROLLED_BACK,
        facts,
        _guards(found) + _changes(found),
        (found["state"], found["state"].replace("_", " ")),
        place=place,
    )


def _guards(found: Mapping[str, Any]) -> Markup:
    if not found["guards"]:
        return Markup("")
    columns = [
        Column("Guard", css="name"),
        *(
            Column(one, number=True)
            for one in ("Before", "New", "Compared", "Evidence", "Aborts at")
        ),
    ]
    rows = [
        [
            one["name"],
            _cell(one["before"]),
            _cell(one["new"]),
            Cell(f"{one['rows']:,}", one["rows"]),
            Cell(f"{one['evidence']:.3g}", one["evidence"]),
            _cell(one["aborts_at"]),
        ]
        for one in found["guards"]
    ]
    note = Markup(
        '<p class="soft">The evidence against the new version may be looked at as often as one likes; where it '
        "reaches the bound, the rollout is aborted.</p>"
    )
    return Markup("<h2>Guards</h2>{}{}").format(note, render_table(columns, rows))


def _changes(found: Mapping[str, Any]) -> Markup:
    columns: list[str | Column] = ["When", "State", Column("Share", number=True), "By", "Why"]
    rows = [
        [
            _time(one["at"]),
            one["state"],
            Cell(f"{one['percent']} %", one["percent"]),
            one["actor"],
            one["reason"],
        ]
        for one in found["changes"]
    ]
    return Markup("<h2>Changes</h2>{}").format(render_table(columns, rows))


def _cell(value: float | None) -> Cell:
    return Cell("-" if value is None else f"{value:.4g}", value)


def _time(moment: str) -> str:
    return (
        f"{datetime.fromisoformat(moment).astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if moment else ""
    )
