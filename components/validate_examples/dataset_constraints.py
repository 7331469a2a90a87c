"""A schema's constraints on row counts: of a dataset, and against the span before."""

from dataclasses import dataclass

from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2

from ..lib.statistics.dataset import Dataset
from ..lib.statistics.statistics_artifact import Statistics
from .finding_kinds import ERROR, FEW_ROWS, MANY_ROWS, OTHER, FindingKind
from .findings import Finding
from .window import Subject, Window


@dataclass(frozen=True)
class _Constraint:
    kind: FindingKind
    field: str
    expected: str


_CONSTRAINTS = {
    "DATASET_LOW_NUM_EXAMPLES": _Constraint(
        FEW_ROWS, "min_examples_count", "at least {min_examples_count:,} rows"
    ),
    "DATASET_HIGH_NUM_EXAMPLES": _Constraint(
        MANY_ROWS, "max_examples_count", "at most {max_examples_count:,} rows"
    ),
    "COMPARATOR_LOW_NUM_EXAMPLES": _Constraint(
        FEW_ROWS,
        "num_examples_drift_comparator.min_fraction_threshold",
        "at least {low:g} times as many as the span before",
    ),
    "COMPARATOR_HIGH_NUM_EXAMPLES": _Constraint(
        MANY_ROWS,
        "num_examples_drift_comparator.max_fraction_threshold",
        "at most {high:g} times as many as the span before",
    ),
}


def dataset_anomalies(
    window: Window, subject: Subject, schema: schema_pb2.Schema
) -> anomalies_pb2.AnomalyInfo:
    """Check a schema's `dataset_constraints` with TFDV.

    The newest span is compared with the span before it, as in TFX; other rows are only counted.

    Args:
        window: Has the span before.
        subject: What to check.
        schema: Only its `dataset_constraints` are used.

    Returns:
        TFDV's anomalies of the dataset; none if the schema has no such constraints.
    """
    # Where findings are only named, TFDV is not needed.
    import tensorflow_data_validation as tfdv

    if not schema.HasField("dataset_constraints"):
        return anomalies_pb2.AnomalyInfo()
    bare = schema_pb2.Schema(dataset_constraints=schema.dataset_constraints)
    index = window.index
    is_newest = subject.folder == window.subjects[-1].folder
    before = window.spans[index.spans[-2]] if is_newest and len(index.spans) > 1 else None
    found = tfdv.validate_statistics(
        _rows_only(subject.dataset),
        bare,
        previous_statistics=_rows_only(before) if before is not None else None,
    )
    info = anomalies_pb2.AnomalyInfo()
    info.CopyFrom(found.dataset_anomaly_info)
    limit = schema.dataset_constraints.max_examples_count
    high = anomalies_pb2.AnomalyInfo.DATASET_HIGH_NUM_EXAMPLES
    if 0 < limit < subject.dataset.rows and high not in {r.type for r in info.reason}:
        # TFDV 1.16 ignores this limit.
        info.reason.add(
            type=high,
            short_description="High num examples in dataset.",
            description=f"The dataset has {subject.dataset.rows} examples, more than expected.",
        )
    return info


def dataset_findings(
    info: anomalies_pb2.AnomalyInfo, subject: Subject, schema: schema_pb2.Schema
) -> list[Finding]:
    """Return TFDV's anomalies of a dataset as findings.

    Args:
        info: From `dataset_anomalies`.
        subject: What was checked.
        schema: Has the limits, for the messages.
    """
    limits = schema.dataset_constraints
    comparator = limits.num_examples_drift_comparator
    words = {
        "min_examples_count": limits.min_examples_count,
        "max_examples_count": limits.max_examples_count,
        "low": comparator.min_fraction_threshold,
        "high": comparator.max_fraction_threshold,
    }
    findings = []
    for reason in info.reason:
        anomaly = anomalies_pb2.AnomalyInfo.Type.Name(reason.type)
        known = _CONSTRAINTS.get(anomaly)
        if known is None:
            findings.append(
                Finding(
                    OTHER,
                    "",
                    subject.name,
                    reason.description,
                    "what the schema requires",
                    anomaly=anomaly,
                    in_training=subject.in_training,
                )
            )
            continue
        findings.append(
            Finding(
                known.kind,
                "",
                subject.name,
                f"{subject.dataset.rows:,} rows",
                known.expected.format(**words),
                severity=ERROR,
                remedy=f"complete the data, or change dataset_constraints.{known.field} in the schema by hand",
                anomaly=anomaly,
                in_training=subject.in_training,
            )
        )
    return findings


def _rows_only(dataset: Dataset) -> Statistics:
    rows = Statistics()
    rows.datasets.add(num_examples=dataset.rows)
    return rows
