"""The demo's second half: weeks of serving, monitored, until the world changes and one retrain follows."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console
from rich.text import Text

from ...components.lib.monitoring.incident import Incident, IncidentState
from ...components.lib.monitoring.incident_records import IncidentRecords
from ...components.lib.monitoring.looks import Looks
from ...components.lib.monitoring.signal_states import SignalState
from ...components.lib.monitoring.signals import Kind
from ...components.lib.registry.registry import CHAMPION, Registry
from ...components.lib.store import Store
from ...components.lib.words import plural
from ..examples.flights import data, serving
from ..local.observer import RunObserver
from ..local.runner import LocalRunner
from ..project.config import LoadedConfig
from ..project.pipelines import MONITORING, PREDICT_BATCH
from ..runs.record_store import load_run
from ..runs.records import RunRecord, RunState
from ..runs.run_words import outcome
from .retrains import follow, start_retrains
from .run import run_locally

SCENES = 3
"""So many scenes follow the four runs."""
_RUNS = 4
_QUIET_DAYS, _TERMINAL_DAYS, _DAYS_AFTER = 12, 3, 3
# Labels come so many days later.
_LABEL_DAYS = 4
_MOST_DETECTED = 3
# Two months that train, and one that evaluates.
_TERMINAL_MONTHS = {"2014-01": 8_500, "2014-02": 8_500, "2014-03": 3_000}


@dataclass
class Serving:
    """The weeks after the four runs, day by day.

    Attributes:
        local: The runner.
        loaded: The configuration.
        folder: The project.
        flights: All flights.
        console: Where to print.
        today: The first day that is served.
        served: The flights of each day so far.
        problems: What ended otherwise than expected.
    """

    local: LocalRunner
    loaded: LoadedConfig
    folder: Path
    flights: pd.DataFrame
    console: Console
    today: date
    served: list[pd.DataFrame] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    _known: dict[str, Incident] = field(default_factory=dict)

    def announce(self, number: int, title: str, detail: str) -> None:
        """Print what comes next."""
        self.console.print()
        title = f"{number} of {_RUNS + SCENES}  {title}"
        self.console.rule(Text(title, style="bold"), align="left")
        self.console.print(Text(detail), soft_wrap=True)

    def serve(self, days: Sequence[pd.DataFrame]) -> None:
        """Score some days with the champion, and let the labels come that are due."""
        requests = self.folder / "requests"
        # A new champion would score the days again that an earlier one has answered.
        shutil.rmtree(requests, ignore_errors=True)
        first = self.today + timedelta(days=len(self.served))
        serving.write_requests(days, first, requests)
        self.served += days
        labelled = self.served[: max(0, len(self.served) + 1 - _LABEL_DAYS)]
        serving.write_labels(labelled, self.today, self.folder / "labels")
        self._run(PREDICT_BATCH)

    def look(self) -> list[Incident]:
        """Judge what was served since the last look, show it, and return the incidents."""
        looks = Looks(self.loaded.config.store)
        before = looks.states()
        after = datetime.combine(self.today + timedelta(days=len(self.served)), time(1), UTC)
        self._run(MONITORING, now=after.isoformat())
        states = looks.states()
        changed = {
            change.name for one in looks.states_since(before.number) for change in one.changes
        }
        found = [one for one in states.detected() if one.name in changed]
        if judged := len(looks.since(before.look)):
            days = plural(judged, "day")
            self.print(f"{days} judged, version {states.champion}: {_count(found)}")
        # Estimates come before labels do, so they are what to see first.
        found.sort(key=lambda one: (one.kind != Kind.ESTIMATED, one.kind != Kind.DATA, one.name))
        for one in found[:_MOST_DETECTED]:
            self.print(f"  {one.name}: {one.last.meaning}")
        return self.incidents()

    def incidents(self) -> list[Incident]:
        """Return the incidents, and show what changed."""
        incidents = IncidentRecords(self.loaded.config.store).all()
        for one in incidents:
            if one.changes != getattr(self._known.get(one.id), "changes", None):
                state = str(one.state).replace("_", " ")
                self.print(f"incident {one.id} {state}: {one.reason}")
        self._known = {one.id: one for one in incidents}
        return incidents

    def expect(self, met: bool, what: str) -> None:
        """Note what ended otherwise than expected."""
        if not met:
            self.problems.append(what)

    def print(self, text: str) -> None:
        """Print a line."""
        self.console.print(Text(text), soft_wrap=True)

    def _run(self, pipeline: str, **options: Any) -> None:
        record = run_locally(self.local, self.loaded.of(pipeline), RunObserver(), **options)
        if record.state != RunState.SUCCEEDED:
            self.problems.append(f"{record.run_id} {record.state}: {outcome(record)}")


def run_serving(
    local: LocalRunner,
    loaded: LoadedConfig,
    folder: Path,
    flights: pd.DataFrame,
    console: Console,
    observe: Callable[[], RunObserver],
) -> tuple[list[RunRecord], list[str]]:
    """Serve and monitor weeks of flights, and show it.

    Args:
        local: The runner.
        loaded: The configuration of the demo's project, after its four runs.
        folder: The project.
        flights: From `read_flights`.
        console: Where to print.
        observe: Returns the display of a run.

    Returns:
        The retrain that an incident started, and what ended otherwise than expected, a sentence each.
    """
    # The champion came into service today, so the first day that it serves whole is tomorrow.
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    weeks = Serving(local, loaded, folder, flights, console, tomorrow)
    _serve_quiet_weeks(weeks)
    _open_terminal(weeks)
    return _retrain(weeks, observe), weeks.problems


def _serve_quiet_weeks(weeks: Serving) -> None:
    weeks.announce(
        5,
        "Two weeks are served; on the last day but one a feed breaks",
        "Each day is scored and judged. Broken data is reported, and nothing is trained on it.",
    )
    days = serving.quiet_days(weeks.flights, _QUIET_DAYS)
    weeks.serve([*days[:-2], serving.break_feed(days[-2])])
    weeks.look()
    weeks.serve(days[-1:])
    incidents = weeks.look()
    groups = [(str(one.group), str(one.state), one.run) for one in incidents]
    weeks.expect(
        groups == [("data", "resolved", "")],
        f"one incident of broken data, resolved without a run, was expected; there are {groups}",
    )


def _open_terminal(weeks: Serving) -> None:
    weeks.announce(
        6,
        "A new terminal opens: other flights, whose labels are not there yet",
        "Quality is estimated without labels: the model is less sure of these flights.",
    )
    pool = [serving.TERMINAL_DAY] * _TERMINAL_DAYS
    weeks.serve(serving.terminal_flights(weeks.flights, pool))
    incidents = weeks.look()
    weeks.expect(
        any(one.state == IncidentState.NEEDS_A_PERSON for one in incidents),
        "an incident that waits for labels was expected",
    )


def _retrain(weeks: Serving, observe: Callable[[], RunObserver]) -> list[RunRecord]:
    weeks.announce(
        7,
        "The labels come: the incident starts one retrain",
        "The gate compares both versions on flights of the new terminal.",
    )
    sizes = [serving.TERMINAL_DAY] * (_TERMINAL_DAYS + _DAYS_AFTER)
    parts = serving.terminal_flights(weeks.flights, [*sizes, *_TERMINAL_MONTHS.values()])
    for month, flights in zip(_TERMINAL_MONTHS, parts[len(sizes) :], strict=True):
        data.write_flights(flights, weeks.folder / "data", month)
    store = weeks.loaded.config.store
    weeks.look()
    runs = [one.run for one in start_retrains(weeks.local, weeks.loaded, observe) if one.run]
    follow(weeks.loaded)
    champion = Registry(Store(store).models_uri).resolve(CHAMPION)
    weeks.expect(
        len(runs) == 1 and champion is not None and champion.info.get("run") == runs[0],
        f"one retrain that pushes its model was expected; started were {runs or 'none'}",
    )
    weeks.serve(parts[_TERMINAL_DAYS : len(sizes)])
    weeks.expect(all(one.ended for one in weeks.look()), "every incident should be resolved")
    return [load_run(store, run) for run in runs]


def _count(found: Sequence[SignalState]) -> str:
    if not found:
        return "nothing new was detected"
    return f"{plural(len(found), 'signal')} detected"
