"""A run of monitoring: what it judges, what it records, and what it leaves alone."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from servers.served_predictions import make_columns, push_version, table_of, write_predictions

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.monitoring.looks import Looks
from retrainer.components.lib.monitoring.signals import Kind, Outcome, Signal
from retrainer.components.lib.statistics.prediction_statistics import input_statistics
from retrainer.components.monitor_model import monitor as module
from retrainer.components.monitor_model.monitor import monitor

BEGAN = datetime(2026, 11, 1, tzinfo=UTC)


def day(number: int) -> str:
    return f"2026-11-{number:02d}"


def noon(number: int) -> datetime:
    return datetime(2026, 11, number, 12, tzinfo=UTC)


@pytest.fixture
def store(tmp_path):
    return str(tmp_path / "store")


@pytest.fixture(scope="module")
def five_days(tmp_path_factory):
    """Version 1 serves since the first of November: 5 days of 200 requests, and their statistics."""
    folder = tmp_path_factory.mktemp("served")
    store = str(folder / "store")
    push_version(store, folder, since=BEGAN)
    for number in range(1, 6):
        input_statistics(write_predictions(store, day(number), make_columns(200, number)))
    return store


@pytest.fixture
def served(five_days, store):
    shutil.copytree(five_days, store)
    return store


def look_at(store, number, **settings):
    found = monitor(store, settings, clock=lambda: noon(number))
    return found, {one.name: one for look in found.looks[-1:] for one in look.signals}


def test_each_window_is_judged_once(served):
    first, signals = look_at(served, 6)
    assert [look.window for look in first.looks] == [day(n) for n in range(1, 6)]
    assert not first.detected
    assert signals["data/number of requests"].outcome == Outcome.SILENT
    again, _ = look_at(served, 6)
    assert again.looks == ()
    assert "nothing new" in again.verdict
    assert Looks(served).states().look == 5


def test_two_that_look_at_once_write_each_look_and_each_change_once(served):
    write_predictions(served, day(6), make_columns(0))
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: look_at(served, 7)[0], range(4)))
    assert {tuple(one.detected) for one in found} == {("data/number of requests",)}
    looks = Looks(served)
    assert [one.window for one in looks.newest(99)] == [day(n) for n in range(1, 7)]
    changes = [change for one in looks.states_since(0) for change in one.changes]
    assert [(one.look, str(one.after)) for one in changes] == [(6, "detected")]


@pytest.mark.parametrize("step", ["add", "fold"])
def test_a_run_that_was_killed_is_finished_by_the_next(served, monkeypatch, step):
    write_predictions(served, day(6), make_columns(0))
    done = getattr(Looks, step)
    calls = iter(range(99))

    def killed(self, *given):
        # The third look; the states after all of them.
        if next(calls) == (2 if step == "add" else 0):
            raise KeyboardInterrupt
        return done(self, *given)

    with monkeypatch.context() as patch:
        patch.setattr(Looks, step, killed)
        with pytest.raises(KeyboardInterrupt):
            look_at(served, 7)
    found, _ = look_at(served, 7)
    assert found.detected == ["data/number of requests"]
    assert [one.window for one in Looks(served).newest(99)] == [day(n) for n in range(1, 7)]
    assert Looks(served).states().look == 6


def test_a_span_that_is_not_over_is_not_judged(served):
    write_predictions(served, day(6), make_columns(3, 6))
    found, signals = look_at(served, 6)
    assert found.looks[-1].window == day(5)
    assert signals["data/number of requests"].value == 200


def test_a_missing_feed_is_detected_and_clears(served):
    look_at(served, 6)
    found, signals = look_at(served, 8)
    assert found.detected == ["data/feed of requests"]
    assert "2026-11-06 00:00 to 2026-11-07 00:00" in signals["data/feed of requests"].meaning
    again, _ = look_at(served, 8)
    assert again.looks == ()
    assert again.detected == found.detected
    for number in (6, 7):
        write_predictions(served, day(number), make_columns(200, number))
    assert not look_at(served, 8)[0].detected


def test_an_empty_window_is_broken_data_and_no_pass(served):
    write_predictions(served, day(6), make_columns(0))
    found, signals = look_at(served, 7)
    assert signals["data/number of requests"].outcome == Outcome.BREACHED
    assert signals["data/failed requests"].outcome == Outcome.SILENT
    assert signals["data/distance"].outcome == Outcome.SILENT
    assert "data/number of requests" in found.detected


@pytest.mark.parametrize(
    ("rows", "breached"), [(90, True), (110, False), (390, False), (410, True)]
)
def test_volume_is_compared_with_earlier_spans(served, rows, breached):
    for number in (6, 7):
        write_predictions(served, day(number), make_columns(200, number))
    write_predictions(served, day(8), make_columns(rows))
    _, signals = look_at(served, 9, window={"catch_up": 1})
    assert (signals["data/number of requests"].outcome == Outcome.BREACHED) is breached


def test_a_weekend_is_no_missing_volume(served):
    """The first of November 2026 is a Sunday."""
    write_predictions(served, day(6), make_columns(200, 6))
    write_predictions(served, day(7), make_columns(20, 7))
    _, signals = look_at(served, 8, window={"catch_up": 1})
    one = signals["data/number of requests"]
    assert (one.outcome, one.value) == (Outcome.SILENT, 20)
    for number in range(8, 14):
        write_predictions(served, day(number), make_columns(200, number))
    write_predictions(served, day(14), make_columns(18, 14))
    found, signals = look_at(served, 15, window={"catch_up": 30})
    assert signals["data/number of requests"].outcome == Outcome.OK
    assert not found.changes


def test_a_flag_that_is_rare_may_be_constant(served):
    for number in (6, 7, 8):
        flag = [1 if place < (3 if number < 8 else 0) else 0 for place in range(200)]
        write_predictions(served, day(number), make_columns(200, number) | {"flag": flag})
    for number in (9, 10, 11, 12):
        flag = [1 if place < 3 else 0 for place in range(200)]
        write_predictions(served, day(number), make_columns(200, number) | {"flag": flag})
    write_predictions(served, day(13), make_columns(200, 13) | {"flag": [0] * 200})
    found, signals = look_at(served, 14)
    assert signals["data/flag"].outcome == Outcome.OK
    assert "data/flag" not in found.detected


def test_sampled_rows_count_as_what_they_stand_for(served):
    write_predictions(served, day(6), make_columns(20), sample_rate=0.1)
    _, signals = look_at(served, 7)
    assert signals["data/number of requests"].value == pytest.approx(200)


def test_failed_requests_above_their_share_are_broken_data(served):
    write_predictions(served, day(6), make_columns(200), failed=11)
    _, signals = look_at(served, 7)
    assert signals["data/failed requests"].value == pytest.approx(0.055)
    assert signals["data/failed requests"].outcome == Outcome.BREACHED


def test_a_column_that_breaks_is_broken_data_and_no_drift(served, monkeypatch):
    columns = make_columns(200, 6) | {"distance": [None] * 200, "hour": [7] * 200}
    write_predictions(served, day(6), columns)

    def drift(look):
        assert set(look.broken) == {"distance", "hour"}
        for name in ("distance", "carrier"):
            yield Signal(Kind.DRIFT, name, Outcome.BREACHED, "far", 1.0, 0.1)

    monkeypatch.setattr(module.judge, "__defaults__", ((drift,),))
    found, signals = look_at(served, 7, window={"catch_up": 1})
    assert signals["data/distance"].outcome == Outcome.BREACHED
    assert signals["data/hour"].outcome == Outcome.BREACHED
    assert signals["drift/distance"].outcome == Outcome.SILENT
    assert "broken data" in signals["drift/distance"].meaning
    assert signals["drift/carrier"].outcome == Outcome.BREACHED
    assert found.detected == ["data/distance", "data/hour"]


def test_a_column_that_stays_broken_is_not_taken_for_usual(served):
    """Else it would be drift from the second day on, and train a model on the breakage."""
    for number in (6, 7, 8):
        columns = make_columns(200, number) | {"distance": [None] * 200, "hour": [7] * 200}
        write_predictions(served, day(number), columns)
    found, signals = look_at(served, 9)
    assert signals["data/hour"].outcome == Outcome.BREACHED
    assert signals["data/distance"].outcome == Outcome.BREACHED
    assert {change.look for change in found.changes} == {6}
    write_predictions(served, day(9), make_columns(200, 9))
    assert look_at(served, 10)[0].detected == []


def test_a_column_that_is_gone_is_broken_data(served):
    columns = make_columns(200, 6)
    del columns["carrier"]
    write_predictions(served, day(6), columns)
    assert look_at(served, 7)[1]["data/carrier"].outcome == Outcome.BREACHED


def test_rows_of_another_version_are_left_out_and_counted(served, tmp_path):
    push_version(served, tmp_path, since=noon(6))
    old = table_of(write_predictions(served, day(9), make_columns(80), version=1))
    write_predictions(served, day(6), make_columns(120), version=2, more=old)
    _, signals = look_at(served, 7)
    one = signals["data/rows of the champion"]
    assert (one.outcome, one.value) == (Outcome.OK, 120)
    assert one.evidence["other_versions"] == {"1 (stable)": 80}


def test_a_champion_that_does_not_serve_is_named(served, tmp_path):
    push_version(served, tmp_path, since=noon(5))
    write_predictions(served, day(6), make_columns(200), version=1)
    _, signals = look_at(served, 7)
    assert signals["data/rows of the champion"].outcome == Outcome.BREACHED


def test_a_champion_that_changed_in_the_window_is_not_judged_by_the_one_before(served, tmp_path):
    push_version(served, tmp_path, since=noon(5))
    found, signals = look_at(served, 6)
    assert [look.window for look in found.looks] == [day(5)]
    assert signals["data/rows of the champion"].outcome == Outcome.SILENT


def test_late_rows_are_counted_and_judged_anew(served):
    look_at(served, 6)
    later = make_columns(260, 5)
    write_predictions(served, day(5), later, name="v2", scored=noon(7))
    _, signals = look_at(served, 6)
    assert signals["data/late rows"].value == pytest.approx(60 / 260)
    assert signals["data/late rows"].outcome == Outcome.BREACHED


def test_no_champion_is_nothing_to_monitor(store):
    assert "no model is in service" in monitor(store, {}).verdict


def test_a_champion_without_any_prediction_is_a_missing_feed(store, tmp_path):
    push_version(store, tmp_path, since=BEGAN)
    assert look_at(store, 2)[0].detected == []
    assert look_at(store, 6)[0].detected == ["data/feed of requests"]


def test_a_check_without_a_baseline_fails_the_run_after_the_rest_is_recorded(served, monkeypatch):
    def check(look):
        yield Signal(Kind.DRIFT, "hour", Outcome.OK, "near", 0.0, 0.1)
        raise RetrainerError("there is no baseline; train a model.")

    monkeypatch.setattr(module.judge, "__defaults__", ((check,),))
    for _ in range(2):
        with pytest.raises(RetrainerError, match="no baseline"):
            look_at(served, 6)
    assert "drift/hour" in Looks(served).states().states
    assert len(Looks(served).newest(99)) == 5
    monkeypatch.setattr(module.judge, "__defaults__", ((),))
    assert look_at(served, 6)[0].looks


def test_labels_that_were_not_joined_fail_the_run_after_the_rest_is_recorded(served, tmp_path):
    page = tmp_path / "report.html"
    failure = "the bucket 'gs://labels' denies access.\nGrant it."
    with pytest.raises(RetrainerError, match=r"(?s)new labels were not joined.*Grant it") as raised:
        monitor(
            served,
            {},
            labels_failure=failure,
            report_path=str(page),
            clock=lambda: noon(6),
        )
    assert "the next run joins them: the bucket" in str(raised.value)
    assert len(Looks(served).newest(99)) == 5
    assert "data/feed of requests" in Looks(served).states().states
    assert "new labels were not joined (the bucket" in page.read_text()
    assert look_at(served, 6)[0].looks == ()


def test_the_report_and_the_list_are_written(served, tmp_path):
    monitor(
        served,
        {},
        report_path=str(tmp_path / "report.html"),
        signals_path=str(tmp_path / "signals"),
        clock=lambda: noon(6) + timedelta(days=2),
    )
    page = (tmp_path / "report.html").read_text()
    assert "feed of requests" in page
    assert "http" not in page.replace("http://www.w3.org", "")
    assert (tmp_path / "signals" / "signals.json").exists()


def test_rows_are_late_against_the_first_look_however_many_follow(served):
    look_at(served, 6)
    for number, rows in enumerate((220, 240, 260), start=2):
        write_predictions(
            served, day(5), make_columns(rows, 5), name=f"v{number}", scored=noon(6 + number)
        )
        _, signals = look_at(served, 6)
        assert signals["data/late rows"].value == pytest.approx((rows - 200) / rows)
