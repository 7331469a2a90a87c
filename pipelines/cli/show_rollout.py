"""Rollouts as `retrainer rollout` shows and changes them."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from ...components.lib.errors import RetrainerError
from ...components.lib.serving.plan import follow_plan
from ...components.lib.serving.reconcile import Reconciler
from ...components.lib.serving.rollout_ends import complete_rollout, roll_back_registry
from ...components.lib.serving.rollout_records import RolloutRecords
from ...components.lib.serving.rollout_settings import RolloutSettings
from ...components.lib.serving.rollout_state import Rollout
from ..project.config import load_config
from ..project.sections.retrain import RetrainConfig
from ..project.sections.rollout import RolloutConfig
from .tables import local_time, local_times, open_console
from .users import this_user


def rollout_settings(file: Path) -> tuple[RetrainConfig, dict[str, Any]]:
    """Read the section `serving.rollout` of a file, as a task gets it.

    Args:
        file: Path to retrain.yaml.

    Returns:
        The configuration, and the section.

    Raises:
        RetrainerError: If there is no such section.
    """
    config = load_config(file).config
    section = config.serving.rollout
    if section is None:
        raise RetrainerError(
            f"'{file}' has no serving.rollout: a new champion gets all requests at once. Set it, with the pattern of "
            "the observations at least."
        )
    return config, section_values(section)


def section_values(section: RolloutConfig) -> dict[str, Any]:
    """Return the section as tasks get it."""
    return section.model_dump(mode="json", exclude_none=True, exclude={"schedule"})


def services_of(config: RetrainConfig) -> dict[str, dict[str, Any]]:
    """Return the settings of each service."""
    return config.serving.deploy.services()


def read_rollout(store: str, section: RolloutConfig | None) -> dict[str, Any]:
    """Read where the newest rollout of a store stands.

    Args:
        store: URI of the store.
        section: The section `serving.rollout`; None if there is none.

    Returns:
        JSON values: versions, state, what was observed, and the changes; `state` is null without a rollout.
    """
    rollout = RolloutRecords(store).newest().rollout
    if rollout is None:
        return {"state": None, "changes": []}
    settings = RolloutSettings.of(section_values(section)) if section else None
    stage = rollout.stage(settings) if settings and rollout.in_stage else None
    progress = rollout.progress
    in_stage = progress.get("stage") == len(rollout.changes)
    share = settings.alpha / max(1, len(settings.guards)) if settings else None
    return {
        "state": str(rollout.state),
        "version": rollout.canary,
        "before": rollout.stable,
        "percent": rollout.percent,
        "since": rollout.since,
        "words": rollout.describe(),
        "requests": progress.get("requests", 0) if in_stage else 0,
        "newest_observation": progress.get("newest", ""),
        "stage": vars(stage) if stage else None,
        "guards": [
            {"name": name, **_guard(content), "aborts_at": 1 / share if share else None}
            for name, content in progress.get("guards", {}).items()
        ],
        "changes": [{**vars(one), "state": str(one.state)} for one in rollout.changes],
    }


def print_rollout(found: Mapping[str, Any], console: Console | None = None) -> None:
    """Print where a rollout stands, on one screen.

    Args:
        found: As `read_rollout` returns it.
        console: Where to; standard output if not given.
    """
    console = console or open_console()
    if found["state"] is None:
        console.print("no rollout yet; the next champion begins one where serving.rollout is set")
        return
    before = f"; version {found['before']} served before" if found["before"] else ""
    console.print(f"{local_times(found['words'])}{before}", style="bold", markup=False)
    stage = found["stage"]
    if stage:
        console.print(
            f"in this stage since {local_time(found['since'])}: {found['requests']:,} of "
            f"{stage['min_requests']:,} requests observed; it lasts {stage['hold_seconds']:,} s at least",
            markup=False,
        )
        newest = found["newest_observation"]
        seen = f"at {local_time(newest)}" if newest else "none yet"
        console.print(f"newest observation of the new version: {seen}", markup=False)
    if found["guards"]:
        table = Table(box=None, pad_edge=False, header_style="bold")
        for heading in ("guard", "before", "new", "compared", "evidence", "aborts at"):
            table.add_column(heading, justify="left" if heading == "guard" else "right")
        for one in found["guards"]:
            table.add_row(
                one["name"],
                *("-" if one[key] is None else f"{one[key]:.4g}" for key in ("before", "new")),
                f"{one['rows']:,}",
                f"{one['evidence']:.3g}",
                f"{one['aborts_at']:.0f}" if one["aborts_at"] else "-",
            )
        console.print(table)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("when", "state", "share", "by", "why"):
        table.add_column(heading)
    for one in found["changes"]:
        share = f"{one['percent']} %"
        why = local_times(one["reason"])
        table.add_row(local_time(one["at"]), one["state"], share, one["actor"], why)
    console.print(table)


def abort_rollout(file: Path, why: str) -> dict[str, Any]:
    """Roll a rollout back by hand.

    Args:
        file: Path to retrain.yaml.
        why: The reason.

    Returns:
        JSON values: the state, and `words`.

    Raises:
        RetrainerError: If there is no rollout to abort, or a service does not follow.
    """

    def change(rollout: Rollout, _: RolloutSettings, now: datetime) -> Rollout:
        return rollout.aborted(why or "aborted by hand", this_user(), now)

    return _change(file, change)


def promote_rollout(file: Path, why: str, whole: bool) -> dict[str, Any]:
    """Take a rollout to its next stage by hand.

    Args:
        file: Path to retrain.yaml.
        why: The reason.
        whole: Whether to leave out all stages that are left.

    Returns:
        JSON values: the state, and `words`.

    Raises:
        RetrainerError: If there is no rollout in a stage, or a service does not follow.
    """

    def change(rollout: Rollout, settings: RolloutSettings, now: datetime) -> Rollout:
        reason = why or "promoted by hand"
        return rollout.advanced(settings, reason, this_user(), now, last=whole)

    return _change(file, change)


def _change(file: Path, change: Any) -> dict[str, Any]:
    config, section = rollout_settings(file)
    settings = RolloutSettings.of(section)
    services = services_of(config)
    follow_plan(config.store, section, this_user())

    def make(rollout: Rollout | None) -> Rollout:
        if rollout is None or not rollout.in_stage:
            stands = rollout.describe() if rollout else "there was no rollout yet"
            raise RetrainerError(
                f"no rollout is going on in '{config.store}': {stands}. To go back from a version that serves: "
                "retrainer models rollback."
            )
        changed: Rollout = change(rollout, settings, datetime.now(UTC))
        return changed

    rollout = RolloutRecords(config.store).change_once(make)
    roll_back_registry(config.store, rollout)
    plan = partial(follow_plan, config.store, section, this_user())
    reconciler = Reconciler(config.store, config.name, plan, this_user())
    results = [reconciler.reconcile(name, one) for name, one in services.items()]
    failed = [f"{one.service}: {one.error}" for one in results if one.error]
    if failed:
        raise RetrainerError(
            f"{rollout.describe()}. That is recorded, but not yet so in {'; '.join(failed)}. Run 'retrainer deploy' "
            "when that is fixed."
        )
    complete_rollout(config.store, results, this_user())
    rollout = RolloutRecords(config.store).newest().rollout or rollout
    return {"state": str(rollout.state), "version": rollout.canary, "words": rollout.describe()}


def _guard(content: Mapping[str, Any]) -> dict[str, Any]:
    """Summarize a guard's state without NumPy, which this command may not have."""
    comparisons = content["comparisons"]
    if not comparisons:
        return {"before": None, "new": None, "rows": 0, "evidence": 1.0}
    capital = [_mean_of_exponentials(one["log_bets"]) for one in comparisons]
    largest = comparisons[max(range(len(capital)), key=capital.__getitem__)]
    scale = float(content["settings"].get("max_loss", 1.0))
    (m, before, _), (n, new, _) = largest["of_baseline"], largest["of_canary"]
    return {
        "before": scale * before / m if m else None,
        "new": scale * new / n if n else None,
        "rows": int(n),
        "evidence": sum(capital) / len(capital),
    }


def _mean_of_exponentials(logarithms: list[float]) -> float:
    # What overflows is proof enough.
    return sum(math.exp(min(one, 700.0)) for one in logarithms) / len(logarithms)


def print_comparison(found: Mapping[str, Any], console: Console | None = None) -> None:
    """Print a comparison of two versions by slice.

    Args:
        found: As `compare_versions` returns it.
        console: Where to; standard output if not given.
    """
    console = console or open_console()
    console.print(
        f"version {found['version']} against {found['baseline']}: {found['what']}; intervals hold with "
        f"{100 * (1 - found['alpha']):g} % at all times",
        markup=False,
    )
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("slice", "rows", "before", "new", "difference", "interval", "verdict"):
        table.add_column(heading, justify="left" if heading in ("slice", "verdict") else "right")
    for one in found["slices"]:
        table.add_row(
            one["slice"] or "all rows",
            f"{one['rows_before']:,} / {one['rows_new']:,}",
            *("-" if one[key] is None else f"{one[key]:.4g}" for key in ("before", "new")),
            "-" if one["difference"] is None else f"{one['difference']:+.4g}",
            "{:+.4g} to {:+.4g}".format(*one["interval"])
            if one["interval"]
            else "changed over time",
            one["verdict"],
        )
    console.print(table)
