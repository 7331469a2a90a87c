"""Judging a window with TFDV: anomalies of its splits, drift of its spans, skew between splits."""

from collections.abc import Mapping, Sequence

from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2

from ..lib.progress import progress
from ..lib.statistics import (
    StatisticsIndex,
    features_by_name,
    is_number,
    row_count,
)
from ..lib.words import near
from .anomalies import anomaly_findings
from .column_validation import validate_columns
from .dataset_constraints import dataset_anomalies, dataset_findings
from .drift import (
    Distance,
    blind_comparators,
    drift_history,
    findings_of,
    read_distances,
    set_comparators,
    usual_distance,
)
from .findings import Finding, judge
from .judgement import Judgement, Window, list_places
from .label_rate import label_rate
from .schema import overlay, training_environment
from .settings import Settings


def judge_window(
    window: Window, schema: schema_pb2.Schema, settings: Settings, found: Sequence[Finding]
) -> tuple[Judgement, dict[str, anomalies_pb2.Anomalies]]:
    """Judge a window against a schema and its own past.

    Args:
        window: Its statistics.
        schema: As it was read or inferred.
        settings: What is too much.
        found: What is wrong with its spans.

    Returns:
        The judgement, and TFDV's anomalies by folder.

    Raises:
        RetrainerError: If the settings name a column that the schema lacks.
    """
    index = window.index
    used = overlay(schema, settings.domains, settings.min_domain_mass)
    train, evaluation = window.splits["train"], window.splits["eval"]
    skipped = _not_compared(window)
    chosen_drift = set_comparators(
        used, window.spans[index.newest], settings.drift, "drift_comparator", skipped
    )
    chosen_skew = set_comparators(used, train, settings.skew, "skew_comparator", skipped)
    if index.skew_is_drift:
        # The default thresholds would say everything twice; one that somebody set is its own.
        chosen_skew = _keep_chosen(used, chosen_skew)
    has_skew = row_count(evaluation) > 0 and bool(chosen_skew)

    places = list_places(window)
    newest = places[-1]
    protos = {
        place.folder: validate_columns(
            place.statistics,
            used,
            environment=training_environment(used),
            previous_statistics=window.earlier if place is newest else None,
            serving_statistics=evaluation if place is places[0] and has_skew else None,
        )
        for place in places
    }
    findings = [*found, *_unknown_columns(window, schema, settings)]
    findings += blind_comparators(
        used, window.spans[index.newest], "drift_comparator", f"span {index.newest}"
    )
    if has_skew:
        findings += blind_comparators(used, train, "skew_comparator", "training")
    compared = {
        name for chosen in (chosen_drift, chosen_skew) for name, own in chosen.items() if own
    }
    for place in places:
        of_rows = dataset_anomalies(window, place, used)
        if of_rows.reason:
            protos[place.folder].dataset_anomaly_info.CopyFrom(of_rows)
        if row_count(place.statistics):
            findings += dataset_findings(of_rows, place, used)
            findings += anomaly_findings(
                protos[place.folder], used, place.statistics, place.name, settings.bounded, compared
            )

    progress("measuring drift")
    history = drift_history(window.spans, window.before, used)
    drift = read_distances(protos[newest.folder], chosen_drift, "drift_measurements")
    usual = _usual(drift, history[:-1])
    findings += findings_of("drift", drift, f"span {index.newest}", "the earlier spans", usual)
    skew: dict[str, Distance] = {}
    if has_skew:
        skew = read_distances(protos[places[0].folder], chosen_skew, "skew_measurements")
        usual_skew = _usual(skew, history[: _training_steps(index)])
        findings += findings_of("skew", skew, "training", "evaluation", usual_skew)

    judgement = Judgement(
        findings=judge(_without_repeats(findings), settings.severities),
        drift=drift,
        skew=skew,
        usual=usual,
        history=history,
        schema_note="",
        used_schema=used,
    )
    return judgement, protos


def _keep_chosen(schema: schema_pb2.Schema, chosen: Mapping[str, bool]) -> dict[str, bool]:
    for feature in schema.feature:
        if not chosen.get(feature.name):
            feature.ClearField("skew_comparator")
    return {name: own for name, own in chosen.items() if own}


def _unknown_columns(
    window: Window, schema: schema_pb2.Schema, settings: Settings
) -> list[Finding]:
    # A column may come and go, so this stops nobody; but a misspelt name changes no severity.
    known = dict.fromkeys(feature.name for feature in schema.feature)
    for statistics in window.spans.values():
        known |= dict.fromkeys(features_by_name(statistics))
    findings = []
    for column in settings.severities.columns:
        if column not in known:
            expected = "a column of the schema or of the data"
            expected += "".join(f", such as '{one}'" for one in near(column, known))
            findings.append(
                Finding(
                    "unknown_column", "", "validation.severity.columns", f"'{column}'", expected
                )
            )
    return findings


def _not_compared(window: Window) -> list[str]:
    # A key's values are new in every span, and a label's rate is looked at by itself.
    index = window.index
    label = features_by_name(window.spans[index.newest]).get(index.label)
    rated = label is not None and (not is_number(label) or label_rate(label) is not None)
    return [*index.key, index.label] if rated else list(index.key)


def _usual(
    distances: Mapping[str, Distance], history: Sequence[Mapping[str, Distance]]
) -> dict[str, float | None]:
    return {column: usual_distance(column, history) for column in distances}


def _training_steps(index: StatisticsIndex) -> int:
    """Count the steps from span to span within training, 0 where evaluation is not newer.

    Where it is newer, a column that moves every span differs between training and evaluation too.
    """
    train, evaluation = index.split_spans["train"], index.split_spans["eval"]
    return 0 if set(train) & set(evaluation) else max(0, len(train) - 1)


def _without_repeats(findings: Sequence[Finding]) -> list[Finding]:
    gone = {finding.column for finding in findings if finding.kind == "missing_column"}
    return [
        f for f in findings if not (f.kind in ("all_missing", "became_empty") and f.column in gone)
    ]
