"""Incidents in each state, made by the rules themselves."""

from datetime import UTC, datetime

from retrainer.components.lib.monitoring.incident import Detection, Group, opened
from retrainer.components.lib.monitoring.incident_changes import started
from retrainer.components.lib.monitoring.incident_judgement import Facts, NewRows, RunEnd, judge
from retrainer.components.lib.monitoring.retraining_settings import RetrainingSettings
from retrainer.components.lib.runs.run_traces import Outcome

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
AUC = Detection("estimated_quality/auc", "7", "Estimated AUC is 0.71, below 0.78.")
DRIFT = Detection("drift/dep_delay", "7", "dep_delay has moved by 0.4.")
FEED = Detection("data/weather", "7", "weather is empty.")
SETTINGS = RetrainingSettings(min_new_labelled_rows=1000)
ENOUGH, FEW = NewRows(5000), NewRows(10)


def make_incident(*detections):
    group = Group.of(detections[0].kind)
    return opened(f"v3-{group}-1", group, 3, detections, NOON)


def make_retraining(pushed=None):
    asked = judge(make_incident(AUC), make_facts([AUC], new_rows=ENOUGH), SETTINGS)
    running = started(asked, "run-1", NOON, "me")
    if pushed is None:
        return running
    return judge(
        running, make_facts(champion=4, looks=0, run=RunEnd(Outcome.PUSHED, "", pushed)), None
    )


def make_facts(detected=(), champion=3, looks=5, **more):
    return Facts(NOON, champion, detected, looks, **more)
