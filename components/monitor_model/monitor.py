"""A run of monitoring: judge each window that was not judged yet, record it, and what follows from it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from ..lib.digests import digest_value
from ..lib.errors import RetrainerError
from ..lib.moments import with_offset
from ..lib.monitoring.incident import Incident
from ..lib.monitoring.incident_records import IncidentRecords
from ..lib.monitoring.looks import LookRecord, Looks, StateRecord
from ..lib.monitoring.maturity import Maturity, measure_maturity
from ..lib.monitoring.signal_states import Change, State
from ..lib.monitoring.signals import Outcome, Signal
from ..lib.predictions.joined_sets import JoinedSet
from ..lib.progress import progress
from ..lib.registry.aliases import AliasMove
from ..lib.registry.registry import CHAMPION, ModelVersion, Registry
from ..lib.store import Store
from ..lib.uris import join, write_atomic, write_json
from ..lib.whole_numbers import whole_numbers
from ..lib.words import plural
from .incidents import follow
from .judging import judge
from .look import Look
from .monitored_sets import monitored_joined, monitored_predictions
from .past import broken_spans, requests_of_sets, rows_when_judged
from .report import Contents, render
from .windows import Window, choose_windows, read_feed

# Raised when equal spans would be judged otherwise.
LOOK_VERSION = 1
SIGNALS_FILE = "signals.json"
_HISTORY = 60


@dataclass(frozen=True)
class Champion:
    """The model in service.

    Attributes:
        model: Its version in the registry.
        since: When it came into service.
    """

    model: ModelVersion
    since: datetime


@dataclass(frozen=True)
class Monitored:
    """The outcome of a run of monitoring.

    Attributes:
        verdict: One sentence.
        looks: The looks that were written now, oldest first.
        states: The states after them.
        changes: What they changed.
        incidents: The incidents that were opened or changed.
    """

    verdict: str
    looks: tuple[LookRecord, ...] = ()
    states: StateRecord = field(default_factory=StateRecord)
    changes: tuple[Change, ...] = ()
    incidents: tuple[Incident, ...] = ()

    @property
    def detected(self) -> list[str]:
        """Names of the signals that are detected now."""
        return sorted(state.name for state in self.states.detected())


def monitor(
    store: str,
    settings: Mapping[str, Any],
    *,
    label: str = "",
    evaluation: Mapping[str, Any] | None = None,
    lists: Sequence[str] = (),
    output: str = "",
    retraining: Mapping[str, Any] | None = None,
    labels_failure: str = "",
    report_path: str = "",
    signals_path: str = "",
    by: str = "",
    clock: Callable[[], datetime] | None = None,
) -> Monitored:
    """Judge what the champion was asked and said since the last look.

    Args:
        store: URI of the store.
        settings: The section `monitoring`, every default filled in.
        label: Name of the label's column.
        evaluation: The section `evaluation`.
        lists: Columns of lists: a row is in the slice of each value.
        output: Of a model with several outputs the one that is judged; empty for models with one.
        retraining: The section `retraining`, see `incidents.follow`; empty if incidents ask for no run.
        labels_failure: Why new labels were not joined; empty if they were.
        report_path: File for the HTML report; empty for none.
        signals_path: Folder for `signals.json`; empty for none.
        by: Who looks: a user, or a run.
        clock: Returns the time; the machine's if not given.

    Returns:
        What was found.

    Raises:
        RetrainerError: If a check can't judge, such as without a baseline, or new labels were not joined. What was
            found is recorded before.
    """
    now = (clock or (lambda: datetime.now(UTC)))()
    settings = whole_numbers(settings)
    looks = Looks(store)
    before = looks.states()
    champion = find_champion(store)
    written: tuple[LookRecord, ...] = ()
    if champion:
        usual = Look(
            store=store,
            settings=settings,
            now=now,
            current=(),
            earlier=(),
            model=champion.model,
            since=champion.since,
            joined=tuple(monitored_joined(store, output)),
            label=label,
            evaluation=whole_numbers(evaluation or {}),
            lists=tuple(lists),
            output=output,
        )
        written = _look_at_windows(usual, looks, by)
    states = looks.fold(settings.get("signals") or {})
    changes = tuple(
        change for record in looks.states_since(before.number) for change in record.changes
    )
    followed = follow(
        store, whole_numbers(retraining or {}), champion.model if champion else None, by
    )
    unjoined = (
        [f"new labels were not joined ({labels_failure.splitlines()[0]})"] if labels_failure else []
    )
    verdict = "; ".join([_verdict(champion, written, states), *unjoined, *followed.words])
    monitored = Monitored(verdict, written, states, changes, followed.changed)
    history = looks.history(_HISTORY)
    if signals_path:
        write_json(join(signals_path, SIGNALS_FILE), _manifest(monitored, history))
    if report_path:
        contents = Contents(
            verdict,
            champion.model.version if champion else None,
            champion.since if champion else None,
            states,
            history,
            IncidentRecords(store).all(),
            _maturity(monitored_joined(store, output), settings, now),
        )
        write_atomic(report_path, render(contents, report_path))
    _raise_errors(written, labels_failure)
    return monitored


def _raise_errors(written: Sequence[LookRecord], labels_failure: str) -> None:
    errors = list(dict.fromkeys(error for look in written for error in look.errors))
    if labels_failure:
        errors.insert(
            0,
            "new labels were not joined, so realised quality was judged on those that had been joined before, and what "
            f"needs no labels as always; the next run joins them: {labels_failure}",
        )
    if errors:
        raise RetrainerError("\n".join(errors))


def find_champion(store: str) -> Champion | None:
    """Find the champion, and since when it is; None if no model is in service.

    Args:
        store: URI of the store.

    Raises:
        RetrainerError: If its version is incomplete.
    """
    registry = Registry(Store(store).models_uri)
    moves = registry.alias(CHAMPION).moves()
    if not moves or moves[-1].version is None:
        return None
    first = moves[-1]
    for move in reversed(moves):
        if move.version != first.version:
            break
        first = move
    return Champion(registry.get(moves[-1].version), _time_of(first))


def _look_at_windows(usual: Look, looks: Looks, by: str) -> tuple[LookRecord, ...]:
    settings = usual.section("window")
    sets = monitored_predictions(usual.store, usual.output)
    feed = read_feed(sets, usual.now, float(settings.get("wait_seconds", 600)))
    history = looks.history(_HISTORY)
    windows = choose_windows(
        feed,
        settings,
        usual.since,
        {look_record.window for look_record in history},
        usual.model.version,
    )
    written = []
    known = history[-1].number if history else 0
    for number, window in enumerate(windows or [Window((), ())], start=1):
        progress("judging windows", number, len(windows))
        # Only the newest window is judged at its own time.
        own = feed if number >= len(windows) else replace(feed, due=())
        look = replace(
            usual,
            current=window.current,
            earlier=window.earlier,
            feed=own,
            judged_before=rows_when_judged(history),
            broken_before=broken_spans(history),
            requests_before=requests_of_sets(history),
            _shared=usual._shared,
        )
        key = _key(look)
        if any(look_record.key == key and not look_record.errors for look_record in history):
            continue
        signals, errors = judge(look)
        # A baseline that is still missing is no news: the run fails, and nothing is written.
        if again := next((o for o in history if o.key == key and o.errors == tuple(errors)), None):
            written.append(again)
            continue
        written.append(looks.add(_record(look, key, signals, errors, by), known))
        history.append(written[-1])
    return tuple(written)


def _record(
    look: Look, key: str, signals: Sequence[Signal], errors: Sequence[str], by: str
) -> LookRecord:
    spans = {
        prediction_set.span: {
            "version": prediction_set.version,
            "rows": prediction_set.rows,
            "first_rows": look.judged_before.get(prediction_set.span, prediction_set.rows),
            "requests": look.requests(prediction_set),
            "uri": prediction_set.uri,
        }
        for prediction_set in look.current
    }
    at = look.now.astimezone(UTC).isoformat(timespec="seconds")
    return LookRecord(
        key, look.window, look.model.version, at, tuple(signals), spans, tuple(errors), by
    )


def _key(look: Look) -> str:
    made_of = [
        LOOK_VERSION,
        look.model.version,
        look.since.isoformat(),
        [[prediction_set.span, prediction_set.version] for prediction_set in look.current],
        [[joined_set.span, joined_set.version] for joined_set in look.joined],
        [period.start.isoformat() for period in look.feed.due],
        # Without any span, only time shows that the feed is missing.
        None if look.feed.sets else (look.now - look.since).days,
        {name: value for name, value in look.settings.items() if name != "schedule"},
        look.label,
        look.evaluation,
        *([list(look.lists)] if look.lists else []),
        *([look.output] if look.output else []),
    ]
    return str(digest_value(made_of))


def _maturity(
    sets: Sequence[JoinedSet], settings: Mapping[str, Any], now: datetime
) -> Maturity | None:
    delay = (settings.get("labels") or {}).get("delay_seconds")
    return measure_maturity(sets, now, delay) if sets else None


def _time_of(move: AliasMove) -> datetime:
    # Records from before times were noted.
    return with_offset(datetime.fromisoformat(move.at or "1970-01-01"))


def _verdict(
    champion: Champion | None, written: tuple[LookRecord, ...], states: StateRecord
) -> str:
    if champion is None:
        return "no model is in service, so there is nothing to monitor"
    version = champion.model.version
    if not states.look:
        return f"version {version}: no look yet"
    what = (
        f"{plural(len(written), 'window')} judged" if written else "nothing new since the last look"
    )
    parts = [f"version {version}: {what}"]
    for state in (State.DETECTED, State.SUSPECTED):
        names = sorted(one.name for one in states.states.values() if one.state == state)
        if names:
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            parts.append(f"{len(names)} {state} ({', '.join(names[:3])}{more})")
    silent = sum(one.last.outcome == Outcome.SILENT for one in states.states.values())
    if len(parts) == 1:
        parts.append(f"{plural(len(states.states) - silent, 'signal')} ok")
    if silent:
        parts.append(f"{silent} not judged")
    return "; ".join(parts)


def _manifest(monitored: Monitored, history: list[LookRecord]) -> dict[str, Any]:
    newest = history[-1] if history else None
    return {
        "format": 1,
        "verdict": monitored.verdict,
        "look": newest.number if newest else None,
        "window": newest.window if newest else "",
        "champion": newest.champion if newest else None,
        "signals": [
            {"state": str(state.state), "since": state.since, **state.last.content()}
            for state in monitored.states.states.values()
        ],
    }
