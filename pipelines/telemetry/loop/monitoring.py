"""Metrics of monitoring: signals with their states, incidents, and how mature labels are."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime

from prometheus_client.metrics_core import Metric

from ....components.lib.monitoring.incident import Group, IncidentState
from ....components.lib.monitoring.incident_records import IncidentRecords
from ....components.lib.monitoring.looks import Looks
from ....components.lib.monitoring.signal_states import SignalState, State
from ....components.lib.monitoring.signals import Kind, Outcome
from .families import gauge, one_of, timestamp

MOST_SIGNALS = 500
"""Signals that have series of their own; a table may have thousands of columns."""
_URGENT = (State.DETECTED, State.SUSPECTED, State.CLEARED, State.OK)


def signal_metrics(store: str) -> Iterator[Metric]:
    """Yield the newest look's metrics, and each signal's.

    Args:
        store: URI of the store.
    """
    looks = Looks(store)
    newest = looks.newest(1)
    yield gauge(
        "looks", "Looks of monitoring so far.", (), [((), newest[0].number if newest else 0)]
    )
    if not newest:
        return
    moment = timestamp(newest[0].at)
    if moment is not None:
        yield gauge("last_look_timestamp_seconds", "When the newest look was.", (), [((), moment)])
    yield gauge(
        "last_look_errors",
        "Checks that could not judge in the newest look, such as for a missing baseline.",
        (),
        [((), len(newest[0].errors))],
    )
    states = sorted(looks.states().states.values(), key=lambda one: _URGENT.index(one.state))
    counts = Counter((str(one.kind), str(one.state)) for one in states)
    yield gauge(
        "signals",
        "Signals by kind and state.",
        ("kind", "state"),
        [
            ((kind, state), counts[kind, state])
            for kind in map(str, Kind)
            for state in map(str, State)
        ],
    )
    silent = Counter(str(one.kind) for one in states if one.last.outcome == Outcome.SILENT)
    yield gauge(
        "silent_signals",
        "Signals that could not be judged, by kind.",
        ("kind",),
        [((kind,), silent[kind]) for kind in map(str, Kind)],
    )
    yield from _signals(states[:MOST_SIGNALS])
    yield gauge(
        "signals_without_series",
        f"Signals beyond {MOST_SIGNALS}, which are only counted; the most urgent have series.",
        (),
        [((), max(0, len(states) - MOST_SIGNALS))],
    )


def _signals(states: list[SignalState]) -> Iterator[Metric]:
    named = [((str(one.kind), one.last.subject), one) for one in states]
    yield gauge(
        "signal_state",
        "1 for the state of a signal.",
        ("kind", "subject", "state"),
        [
            ((*name, state), value)
            for name, one in named
            for state, value in one_of(map(str, State), str(one.state)).items()
        ],
    )
    for field, text in (
        ("value", "What a signal measured last."),
        ("bound", "What its value is judged against."),
    ):
        found = [(name, getattr(one.last, field)) for name, one in named]
        yield gauge(
            f"signal_{field}",
            text,
            ("kind", "subject"),
            [(name, value) for name, value in found if value is not None],
        )


def incident_metrics(store: str) -> Iterator[Metric]:
    """Yield the incidents by state, and when each one that is not resolved was opened.

    Args:
        store: URI of the store.
    """
    incidents = IncidentRecords(store).all()
    counts = Counter((str(one.group), str(one.state)) for one in incidents)
    yield gauge(
        "incidents",
        "Incidents by state.",
        ("group", "state"),
        [
            ((group, state), counts[group, state])
            for group in map(str, Group)
            for state in map(str, IncidentState)
        ],
    )
    yield gauge(
        "incident_opened_timestamp_seconds",
        "When an incident that is not resolved was opened.",
        ("incident", "group", "state"),
        [
            ((one.id, one.group, one.state), moment)
            for one in incidents
            if not one.ended and (moment := timestamp(one.opened)) is not None
        ],
    )


def label_metrics(store: str, delay_seconds: float | None) -> Iterator[Metric]:
    """Yield how mature labels are.

    Args:
        store: URI of the store.
        delay_seconds: How long after a prediction its label is expected; None if that is not known.
    """
    # Here and not above: a store without labels need not load it.
    from ....components.lib.monitoring.maturity import measure_maturity
    from ....components.lib.predictions.joined_sets import newest_joined

    sets = newest_joined(store)
    if not sets:
        return
    maturity = measure_maturity(sets, datetime.now(UTC), delay_seconds)
    values = {
        "label_share": ("Share of the predictions that have a label.", maturity.share),
        "label_due_share": (
            "Share of the predictions whose label is due that have one.",
            maturity.due_share,
        ),
        "labels_late": ("Predictions whose label is due and missing.", maturity.late),
    }
    for name, (text, value) in values.items():
        if value is not None:
            yield gauge(name, text, (), [((), value)])
