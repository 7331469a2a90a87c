from datetime import UTC, datetime

import pytest

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.registry.registry import CHAMPION, Registry
from retrainer.components.lib.serving.rollout_records import (
    RolloutRecords,
    follow_registry,
    read_promotion,
)
from retrainer.components.lib.serving.rollout_settings import RolloutSettings
from retrainer.components.lib.serving.rollout_state import RolloutState
from retrainer.components.lib.store import Store
from retrainer.components.lib.uris import read_json, write_json

NOW = datetime(2026, 11, 26, 8, tzinfo=UTC)
SETTINGS = RolloutSettings.of(
    {
        "observations": "x",
        "steps": [{"percent": 5, "hold_seconds": 60, "min_requests": 10}],
    }
)


@pytest.fixture(params=["local", "memory"])
def store(request, tmp_path):
    return str(tmp_path) if request.param == "local" else f"memory://{tmp_path.name}"


def _promote(store, version, before):
    about = {"by": "ann", "why": "better"}
    Registry(Store(store).models_uri).move_alias(CHAMPION, version, before, about)


def test_a_champion_begins_one_rollout_however_often_it_is_looked_for(store):
    assert follow_registry(store, SETTINGS, "me") is None
    _promote(store, 1, None)
    first = follow_registry(store, SETTINGS, "me")
    assert (first.canary, first.state) == (1, RolloutState.PROMOTING)
    _promote(store, 2, 1)
    begun = follow_registry(store, SETTINGS, "me")
    assert (begun.stable, begun.canary, begun.percent) == (1, 2, 5)
    assert follow_registry(store, SETTINGS, "me") == begun
    assert RolloutRecords(store).newest().record.number == 2


def test_a_record_is_read_as_it_was_written(store):
    _promote(store, 1, None)
    follow_registry(store, SETTINGS, "me")
    _promote(store, 2, 1)
    begun = follow_registry(store, SETTINGS, "me", served=1)
    newest = RolloutRecords(store).newest()
    assert newest.rollout == begun
    content = read_json(f"{Store(store).rollouts_uri}/000002.json")
    assert (content["state"], content["stable"], content["canary"]) == ("canary", 1, 2)


def test_of_two_writers_one_is_first_and_the_other_goes_on_from_its_record(store):
    _promote(store, 1, None)
    follow_registry(store, SETTINGS, "me", served=7)
    records = RolloutRecords(store)
    seen = records.newest()
    assert records.write(seen.rollout.aborted("a", "first", NOW), seen)
    assert records.write(seen.rollout.aborted("b", "second", NOW), seen) is None
    after = records.change(lambda one: None if one.ended else one.aborted("c", "second", NOW))
    assert after.changes[-1].actor == "first"


def test_a_change_that_was_written_is_not_written_again(store):
    _promote(store, 1, None)
    follow_registry(store, SETTINGS, "me", served=7)
    records = RolloutRecords(store)
    before = records.newest().record.number
    after = records.change(lambda one: one.aborted("c", "me", NOW))
    newest = records.newest()
    assert (newest.record.number, newest.rollout) == (before + 1, after)


def test_a_writer_that_is_never_first_gives_up(store):
    _promote(store, 1, None)
    follow_registry(store, SETTINGS, "me", served=7)
    records = RolloutRecords(store)

    def come_second(rollout):
        assert records.write(rollout, records.newest())
        return rollout.aborted("a", "late", NOW)

    with pytest.raises(RetrainerError, match="all the time"):
        records.change(come_second)


def test_the_promotion_names_who_and_why(store):
    assert read_promotion(store).version is None
    _promote(store, 4, None)
    promotion = read_promotion(store)
    assert (promotion.version, promotion.number) == (4, 1)
    assert (promotion.by, promotion.why) == ("ann", "better")


def test_what_a_person_asks_for_is_written_unless_another_writer_was_first(store):
    _promote(store, 1, None)
    follow_registry(store, SETTINGS, "me", served=7)
    records = RolloutRecords(store)
    ended = records.change_once(lambda one: one.aborted("errors", "ann", NOW))
    assert records.newest().rollout == ended

    def come_second(rollout):
        assert records.write(rollout, records.newest())
        return rollout.aborted("late", "bob", NOW)

    with pytest.raises(RetrainerError, match="the rollout has changed meanwhile"):
        records.change_once(come_second)
    assert records.newest().rollout == ended


def test_a_record_of_another_format_is_named_and_one_without_progress_is_read(store):
    _promote(store, 1, None)
    follow_registry(store, SETTINGS, "me")
    uri = f"{Store(store).rollouts_uri}/000001.json"
    content = read_json(uri)
    assert content["format"] == 1
    write_json(uri, {**content, "progress": None})
    assert RolloutRecords(store).newest().rollout.progress == {}
    write_json(uri, {**content, "format": 2})
    with pytest.raises(RetrainerError, match=r"record 1 in .* has format 2, .* reads format 1"):
        RolloutRecords(store).newest()


def test_a_run_that_promotes_is_named_as_a_person_is(store):
    about = {"run": "flights-7"}
    Registry(Store(store).models_uri).move_alias(CHAMPION, 4, None, about)
    assert (read_promotion(store).by, read_promotion(store).why) == ("flights-7", "")
