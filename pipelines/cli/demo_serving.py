"""The demo's second half: weeks of serving, monitored, until the world changes and one retrain follows."""

import shutil
from collections.abc import Callable
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
from ...components.lib.registry import CHAMPION, Registry
from ...components.lib.store import Store
from ..examples.flights import data, serving
from ..local.observer import RunObserver
from ..local.runner import LocalRunner
from ..project.config import LoadedConfig, load_config
from ..project.pipelines import MONITORING, PREDICT_BATCH
from ..runs.records import RunRecord, RunState
from ..runs.run_words import first_line, outcome
from .retrains import follow, start_retrains
from .run import run_locally

_QUIET_DAYS, _TERMINAL_DAYS, _DAYS_AFTER = 12, 3, 3
# Labels come so many days later.
_LABEL_DAYS = 4
# Two months that train, and one that evaluates.
_TERMINAL_MONTHS = {"2014-01": 8_500, "2014-02": 8_500, "2014-03": 3_000}


@dataclass
class Serving:
    """The weeks after the four runs, day by day.

    Attributes:
        local: The runner.
        folder: The project.
        flights: All flights.
        console: Where to print.
        today: The first day.
        served: The flights of each day so far.
        problems: What ended otherwise than expected.
    """

    local: LocalRunner
    folder: Path
    flights: pd.DataFrame
    console: Console
    today: date
    served: list[pd.DataFrame] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def loaded(self) -> LoadedConfig:
        """The configuration."""
        return load_config(self.folder / "retrain.yaml")

    @property
    def store(self) -> str:
        """URI of the store."""
        return self.loaded.config.store

    def serve(self, days: list[pd.DataFrame]) -> None:
        """Score some days with the champion, and let the labels come that are due."""
        first = self.today + timedelta(days=len(self.served))
        requests = self.folder / "requests"
        # A new champion would score the days again that an earlier one has answered.
        shutil.rmtree(requests, ignore_errors=True)
        serving.write_requests(days, first, requests)
        self.served += days
        labelled = self.served[: max(0, len(self.served) + 1 - _LABEL_DAYS)]
        serving.write_labels(labelled, self.today, self.folder / "labels")
        self._run(PREDICT_BATCH)

    def look(self) -> list[Incident]:
        """Judge what was served since the last look, and return the incidents."""
        after = datetime.combine(self.today + timedelta(days=len(self.served)), time(1), UTC)
        record = self._run(MONITORING, now=after.isoformat())
        self._print(first_line(outcome(record)))
        return IncidentRecords(self.store).all()

    def expect(self, met: bool, what: str) -> None:
        """Note what ended otherwise than expected."""
        if not met:
            self.problems.append(what)

    def _run(self, pipeline: str, **options: Any) -> RunRecord:
        record = run_locally(self.local, self.loaded.of(pipeline), RunObserver(), **options)
        if record.state != RunState.SUCCEEDED:
            self.problems.append(f"{record.run_id} {record.state}: {outcome(record)}")
        return record

    def _print(self, text: str) -> None:
        self.console.print(Text(f"  {text}"), soft_wrap=True)


def run_serving(
    local: LocalRunner,
    folder: Path,
    flights: pd.DataFrame,
    console: Console,
    observe: Callable[[], RunObserver],
) -> list[str]:
    """Serve and monitor weeks of flights, and show it.

    Args:
        local: The runner.
        folder: The demo's project, after its four runs.
        flights: From `read_flights`.
        console: Where to print.
        observe: Returns the display of a run.

    Returns:
        What ended otherwise than expected, a sentence each.
    """
    # The champion came into service today, so the first day that it serves whole is tomorrow.
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    weeks = Serving(local, folder, flights, console, tomorrow)
    _serve_quiet_weeks(weeks)
    _open_terminal(weeks)
    _retrain(weeks, observe)
    return weeks.problems


def _serve_quiet_weeks(weeks: Serving) -> None:
    _announce(weeks, "Two quiet weeks are served; on one day a feed breaks")
    days = serving.quiet_days(weeks.flights, _QUIET_DAYS)
    weeks.serve([*days[:-2], serving.break_feed(days[-2])])
    _show(weeks, weeks.look())
    weeks.serve(days[-1:])
    incidents = weeks.look()
    _show(weeks, incidents)
    weeks.expect(
        any(one.state == IncidentState.RESOLVED and one.group == "data" for one in incidents),
        "the broken feed opened no incident, or it is not resolved",
    )
    weeks.expect(not any(one.run for one in incidents), "the broken feed started a run")


def _open_terminal(weeks: Serving) -> None:
    _announce(weeks, "A new terminal opens: other flights, and no labels yet")
    pool = [serving.TERMINAL_DAY] * _TERMINAL_DAYS
    weeks.serve(serving.terminal_flights(weeks.flights, pool))
    incidents = weeks.look()
    _show(weeks, incidents)
    weeks.expect(
        any(one.state == IncidentState.NEEDS_A_PERSON for one in incidents),
        "the new terminal opened no incident that waits for labels",
    )


def _retrain(weeks: Serving, observe: Callable[[], RunObserver]) -> None:
    _announce(weeks, "The labels of its flights come: the incident starts one retrain")
    sizes = [serving.TERMINAL_DAY] * (_TERMINAL_DAYS + _DAYS_AFTER)
    parts = serving.terminal_flights(weeks.flights, [*sizes, *_TERMINAL_MONTHS.values()])
    for month, flights in zip(_TERMINAL_MONTHS, parts[len(sizes) :], strict=True):
        data.write_flights(flights, weeks.folder / "data", month)
    weeks.look()
    retrains = start_retrains(weeks.local, weeks.loaded, observe)
    follow(weeks.loaded)
    champion = Registry(Store(weeks.store).models_uri).resolve(CHAMPION)
    weeks.expect(len(retrains) == 1, f"{len(retrains)} retrains were started, not one")
    weeks.expect(champion is not None and champion.version == 3, "the retrain pushed no version 3")
    _announce(weeks, "The new champion serves")
    weeks.serve(parts[_TERMINAL_DAYS : len(sizes)])
    incidents = weeks.look()
    _show(weeks, incidents)
    weeks.expect(all(one.ended for one in incidents), "an incident is not resolved")


def _announce(weeks: Serving, title: str) -> None:
    weeks.console.print()
    weeks.console.rule(Text(title, style="bold"), align="left")


def _show(weeks: Serving, incidents: list[Incident]) -> None:
    for one in incidents:
        state = f"{one.state}: {one.reason}"
        weeks.console.print(Text(f"  incident {one.title}: {state}"), soft_wrap=True)
    detected = [one.last.meaning for one in Looks(weeks.store).states().detected()]
    for meaning in detected:
        weeks.console.print(Text(f"  detected: {meaning}"), soft_wrap=True)
