"""The KFP face of `monitor_model`."""

from typing import Any, Dict, List, NamedTuple

from kfp import dsl

from ..lib.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def monitor_model(
    signals: dsl.Output[dsl.Artifact],
    report: dsl.Output[dsl.HTML],
    store: str,
    monitoring: Dict[str, Any] = {},
    label: str = "",
    evaluation: Dict[str, Any] = {},
    lists: List[str] = [],
    output: str = "",
    retraining: Dict[str, Any] = {},
    labels_failure: str = "",
    now: str = "",
    run: str = "",
    run_resource: str = "",
    run_uuid: str = "",
) -> NamedTuple("Outputs", [("verdict", str), ("detected", List[str])]):
    """Judges what the champion was asked and said in production. Do not cache this task: it reads the world.

    It reads the tables of predictions in the store, judges each span that was not judged yet, and records a look and
    the state of each signal. A look at spans that were judged before changes nothing, so it may run as often as one
    likes; killed at any moment, the next look goes on. It never trains anything: a signal that is detected opens an
    incident, which may ask for a run.

    Args:
        signals: `signals.json`, every signal with its state.
        report: Signals by kind, with their values over time, as one HTML file.
        store: URI of the store, which keeps predictions, looks and states.
        monitoring: The section `monitoring`.
        label: Name of the label's column.
        evaluation: The section `evaluation`: metrics, slices and thresholds of the realised quality.
        lists: Columns of lists: a row is in the slice of each of its values.
        output: Of a model with several outputs the one that is judged: by its logs, and not by tables of
            `predict_batch`, which have all outputs. Empty for models with one output.
        retraining: The section `retraining`, with `pipeline` (its name), and `pattern`, `marker` and `label` of the
            data that a run trains on. Empty: incidents ask for no run.
        labels_failure: Why new labels were not joined; empty if they were. What needs no labels is judged and recorded,
            the rest on the labels that were joined before, and then the task fails with this reason.
        now: When it is, in ISO 8601; empty for the clock's time. For logs of the past that are judged again.
        run: Name of the run, by which the store keeps what this task did; empty to keep nothing.
        run_resource: The run's resource name, from kfp's placeholder; it distinguishes runs of one name.
        run_uuid: The run's id, from kfp's placeholder; it distinguishes runs of one name.

    Returns:
        verdict: What was found, in one sentence.
        detected: Names of the signals that are detected now.
    """
    from retrainer.components.lib.moments import parse_now
    from retrainer.components.lib.runs.run_records import filled_in, recording
    from retrainer.components.monitor_model.monitor import monitor

    moment = parse_now(now)
    with recording(store, "monitor_model", run, run_resource, run_uuid) as record:
        monitored = monitor(
            store,
            monitoring,
            label=label,
            evaluation=evaluation,
            lists=lists,
            output=output,
            retraining=retraining,
            labels_failure=labels_failure,
            report_path=report.path,
            signals_path=signals.path,
            by=filled_in(run),
            clock=(lambda: moment) if moment else None,
        )
        record.verdict = monitored.verdict
        record.note(
            detected=monitored.detected,
            changes=[
                f"{change.name}: {change.before} -> {change.after}" for change in monitored.changes
            ],
            incidents=[f"{incident.id}: {incident.state}" for incident in monitored.incidents],
        )
    return (monitored.verdict, monitored.detected)
