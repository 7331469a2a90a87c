"""From signals that a look detects to incidents in the store, and what they ask for."""

from datetime import UTC, datetime

import pytest
from servers.served_predictions import make_columns, push_version, write_predictions

from retrainer.components.lib.monitoring.incident import IncidentState
from retrainer.components.lib.monitoring.incident_records import IncidentRecords
from retrainer.components.lib.monitoring.signals import Kind, Outcome, Signal
from retrainer.components.monitor_model import monitor as module
from retrainer.components.monitor_model.monitor import monitor

BEGAN = datetime(2026, 11, 1, tzinfo=UTC)


class World:
    """A champion that serves, spans of data, and a quality that the test sets."""

    def __init__(self, folder, monkeypatch):
        self.folder, self.store = folder, str(folder / "store")
        self.bad = False
        self.day = 0
        (folder / "data").mkdir()
        self.add_month("2026-10")
        self.push("2026-10")
        monkeypatch.setattr(module.judge, "__defaults__", ((self._quality,),))

    def _quality(self, look):
        if look.current:
            outcome = Outcome.BREACHED if self.bad else Outcome.OK
            yield Signal(Kind.REALISED, "auc", outcome, "AUC is what it is.", 0.7, 0.8)

    def add_month(self, span, rows=50):
        (self.folder / "data" / f"{span}.csv").write_text("a,b\n" + "1,2\n" * rows)

    def push(self, span):
        self.version = push_version(self.store, self.folder, since=BEGAN, info={"span": span})

    def look(self, bad=None, **section):
        self.bad = self.bad if bad is None else bad
        self.day += 1
        write_predictions(
            self.store,
            f"2026-11-{self.day:02d}",
            make_columns(200, self.day),
            version=self.version,
        )
        retraining = {
            "pattern": f"{self.folder}/data/{{span:%Y-%m}}.csv",
            "confirm_looks": 2.0,
            "min_new_labelled_rows": 20.0,
            **section,
        }
        return monitor(
            self.store,
            {},
            retraining=retraining,
            by="a look",
            clock=lambda: datetime(2026, 11, self.day + 1, 1, tzinfo=UTC),
        )

    @property
    def incident(self):
        (incident,) = IncidentRecords(self.store).all()
        return incident


@pytest.fixture
def world(tmp_path, monkeypatch):
    return World(tmp_path, monkeypatch)


def test_a_detected_signal_opens_an_incident_and_new_data_asks_for_a_run(world):
    assert world.look(bad=False).incidents == ()
    world.look(bad=True)
    assert world.incident.state == IncidentState.NEEDS_A_PERSON
    assert "no new span" in world.incident.reason
    world.add_month("2026-11", rows=19)
    assert world.look().incidents == ()
    world.add_month("2026-11", rows=20)
    found = world.look()
    assert world.incident.wants_run
    assert "incident v1-model-1 open" in found.verdict


def test_the_same_is_not_found_again_under_the_champion_that_was_trained_on_it(world):
    world.add_month("2026-11")
    world.look(bad=True)
    assert world.incident.wants_run
    world.push("2026-11")
    world.look(bad=False)
    # Somebody else pushed it: the incident was of version 1 alone.
    assert world.incident.state == IncidentState.RESOLVED
    assert "version 2 is the champion now" in world.incident.reason


def test_a_source_that_cannot_be_read_is_said_and_tried_again(world):
    lost = world.look(bad=True, pattern=f"{world.folder}/none/{{span}}.csv")
    assert "new rows for a retrain can't be counted" in lost.verdict
    assert (world.incident.state, world.incident.wants_run) == (IncidentState.OPEN, False)
    world.add_month("2026-11")
    world.look()
    assert world.incident.wants_run


def test_without_the_section_an_incident_is_only_opened(world):
    world.add_month("2026-11")
    world.bad = True
    write_predictions(world.store, "2026-11-01", make_columns(200, 1), version=1)
    found = monitor(world.store, {}, clock=lambda: datetime(2026, 11, 2, 1, tzinfo=UTC))
    assert [one.state for one in found.incidents] == [IncidentState.OPEN]
    assert not world.incident.wants_run


def test_a_missing_feed_is_an_incident_that_asks_for_nothing_and_ends_by_itself(world):
    world.look(bad=False)
    world.day += 2
    world.add_month("2026-11")
    late = datetime(2026, 11, 4, 1, tzinfo=UTC)
    retraining = {"pattern": f"{world.folder}/data/{{span:%Y-%m}}.csv"}
    found = monitor(world.store, {}, retraining=retraining, clock=lambda: late)
    assert [one.state for one in found.incidents] == [IncidentState.DATA_BROKEN]
    assert not world.incident.wants_run
    for day in (2, 3):
        write_predictions(world.store, f"2026-11-{day:02d}", make_columns(200, day), version=1)
    monitor(world.store, {}, retraining=retraining, clock=lambda: late)
    assert world.incident.state == IncidentState.RESOLVED
