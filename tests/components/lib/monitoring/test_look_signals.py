from retrainer.components.lib.monitoring.look_signals import read_seen
from retrainer.components.lib.monitoring.looks import LookRecord, Looks
from retrainer.components.lib.monitoring.signals import Kind, Outcome, Signal

RULE = {"breaches": 1, "looks": 1, "quiet_looks": 1}


def look(store, day, champion=1, **outcomes):
    signals = [
        Signal(Kind.REALISED, name, outcome, f"{name} is {outcome}.", 0.7, 0.8)
        for name, outcome in outcomes.items()
    ]
    looks = Looks(store)
    window = f"2026-11-{day:02d}"
    looks.add(LookRecord(f"{champion} {day}", window, champion, f"{window}T01:00", tuple(signals)))
    looks.fold(RULE)


def test_without_a_look_nothing_is_known(tmp_path):
    assert read_seen(str(tmp_path)) is None


def test_a_detection_is_named_by_the_look_that_brought_it(tmp_path):
    store = str(tmp_path)
    look(store, 1, auc=Outcome.OK)
    look(store, 2, auc=Outcome.BREACHED)
    first = read_seen(store)
    look(store, 3, auc=Outcome.BREACHED)
    (detection,) = read_seen(store).detected
    assert (detection.name, detection.since, detection.value) == ("realised_quality/auc", "2", 0.7)
    assert [one.key for one in first.detected] == [detection.key]


def test_looks_count_by_champion_and_by_what_they_could_judge(tmp_path):
    store = str(tmp_path)
    look(store, 1, champion=1, auc=Outcome.BREACHED)
    look(store, 2, champion=2, auc=Outcome.SILENT, mae=Outcome.OK)
    look(store, 3, champion=2, auc=Outcome.OK, mae=Outcome.OK)
    seen = read_seen(store)
    assert (seen.champion, seen.looks, seen.detected) == (2, 2, ())
    assert seen.judged == {"realised_quality/auc": 1, "realised_quality/mae": 2}


def test_what_was_detected_and_cleared_since_is_known(tmp_path):
    store = str(tmp_path)
    for day, outcome in enumerate((Outcome.OK, Outcome.BREACHED, Outcome.OK, Outcome.OK), 1):
        look(store, day, auc=outcome)
    seen = read_seen(store)
    assert seen.detected == ()
    assert [one.key for one in seen.passed] == [("realised_quality/auc", "2")]
    look(store, 5, champion=2, auc=Outcome.OK)
    assert read_seen(store).passed == ()
