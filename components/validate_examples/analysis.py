"""The analysis of a window that all checks share: TFDV's anomalies, and distances."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2

from ..lib.progress import progress
from ..lib.statistics.chunked_validation import validate_columns
from ..lib.statistics.statistics_artifact import StatisticsIndex
from .comparison import Comparison, compare, drift_history
from .dataset_constraints import dataset_anomalies
from .distances import Distance
from .drift_baseline import Baseline, find_baselines
from .limits import Settings
from .schema_inference import training_environment
from .schema_overlay import overlay, set_comparators
from .window import Window


@dataclass(frozen=True)
class Analysis:
    """A window, and what TFDV reports about it.

    Attributes:
        window: The window.
        read_schema: The schema as it was read or inferred.
        schema: The schema with the settings' domains and all thresholds in it.
        anomalies: TFDV's anomalies by the subject's folder.
        drift: The newest span against the earlier ones.
        skew: Training against evaluation; where that is the same as drift, only columns for which somebody set a
            threshold.
        history: How far each column of a span is from the spans before it, for each span but the first.
        drift_baselines: What the earlier spans show about columns beyond their drift threshold.
        skew_baselines: The same for skew.
        compared: The columns for which somebody set a threshold of drift or skew.
        has_skew: Whether training is compared with evaluation.
    """

    window: Window
    read_schema: schema_pb2.Schema
    schema: schema_pb2.Schema
    anomalies: Mapping[str, anomalies_pb2.Anomalies]
    drift: Comparison
    skew: Comparison
    history: Sequence[Mapping[str, Distance]]
    drift_baselines: Mapping[str, Baseline]
    skew_baselines: Mapping[str, Baseline]
    compared: frozenset[str]
    has_skew: bool


def analyze(window: Window, schema: schema_pb2.Schema, settings: Settings) -> Analysis:
    """Validate a window with TFDV and measure distances.

    Args:
        window: Its statistics.
        schema: As it was read or inferred.
        settings: The limits.

    Raises:
        RetrainerError: If the settings name a column that the schema lacks.
    """
    index = window.index
    used = overlay(schema, settings.domains, settings.min_domain_mass)
    train, evaluation = window.splits["train"], window.splits["eval"]
    skipped = _not_compared(window)
    chosen_drift = set_comparators(used, window.newest, settings.drift, "drift_comparator", skipped)
    chosen_skew = set_comparators(used, train, settings.skew, "skew_comparator", skipped)
    if index.skew_is_drift:
        # Default thresholds would report everything twice; one that somebody set is reported as skew.
        chosen_skew = _keep_chosen(used, chosen_skew)
    has_skew = evaluation.rows > 0 and bool(chosen_skew)

    earlier = window.earlier
    first, newest = window.subjects[0], window.subjects[-1]
    anomalies = {}
    for subject in window.subjects:
        previous = earlier if subject is newest else None
        serving = evaluation if subject is first and has_skew else None
        found = validate_columns(
            subject.dataset.statistics,
            used,
            environment=training_environment(used),
            previous_statistics=previous.statistics if previous else None,
            serving_statistics=serving.statistics if serving else None,
        )
        of_rows = dataset_anomalies(window, subject, used)
        if of_rows.reason:
            found.dataset_anomaly_info.CopyFrom(of_rows)
        anomalies[subject.folder] = found

    progress("measuring drift")
    history = drift_history(window, used, chosen_drift)
    distances, skew_distances = {}, {}
    if earlier is not None:
        distances = compare(
            window.newest, earlier, anomalies[newest.folder], chosen_drift, "drift_measurements"
        )
    if has_skew:
        skew_distances = compare(
            train, evaluation, anomalies[first.folder], chosen_skew, "skew_measurements"
        )
    drift = Comparison(distances, history[:-1])
    skew = Comparison(skew_distances, history[: _training_steps(index)])
    newer = [] if index.splits_share_spans else list(index.split_spans["eval"])
    before = earlier.columns if earlier is not None else {}
    return Analysis(
        window=window,
        read_schema=schema,
        schema=used,
        anomalies=anomalies,
        drift=drift,
        skew=skew,
        history=history,
        drift_baselines=find_baselines(
            window, drift, (window.newest.columns, before), [index.newest]
        ),
        skew_baselines=find_baselines(window, skew, (train.columns, evaluation.columns), newer),
        compared=frozenset(
            name for chosen in (chosen_drift, chosen_skew) for name, own in chosen.items() if own
        ),
        has_skew=has_skew,
    )


def _keep_chosen(schema: schema_pb2.Schema, chosen: Mapping[str, bool]) -> dict[str, bool]:
    for feature in schema.feature:
        if not chosen.get(feature.name):
            feature.ClearField("skew_comparator")
    return {name: own for name, own in chosen.items() if own}


def _not_compared(window: Window) -> list[str]:
    # A key's values are new in every span, and a label's classes have a check of their own.
    index = window.index
    return [*index.bare_key, *index.labels] if window.label_counts else list(index.bare_key)


def _training_steps(index: StatisticsIndex) -> int:
    """Count the steps from span to span within training, 0 where evaluation is not newer.

    Where it is newer, a column that moves every span differs between training and evaluation too.
    """
    train, evaluation = index.split_spans["train"], index.split_spans["eval"]
    return 0 if set(train) & set(evaluation) else max(0, len(train) - 1)
