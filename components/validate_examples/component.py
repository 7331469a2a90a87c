"""The KFP face of `validate_examples`."""

from typing import Dict, List, NamedTuple

from kfp import dsl

from ..lib.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def validate_examples(
    statistics: dsl.Input[dsl.Artifact],
    anomalies: dsl.Output[dsl.Artifact],
    schema: dsl.Output[dsl.Artifact],
    report: dsl.Output[dsl.HTML],
    store: str,
    schema_uri: str = "",
    domains: Dict = {},
    drift: Dict = {},
    skew: Dict = {},
    severity: Dict = {},
    min_domain_mass: float = 0.99,
    min_rows_fraction: float = 0.2,
    max_label_change: float = 0.15,
    max_rows_factor: float = 3.0,
    max_label_factor: float = 3.0,
    examples: dsl.Input[dsl.Dataset] = None,
    pattern: str = "",
    run: str = "",
    run_resource: str = "",
    run_uuid: str = "",
) -> NamedTuple("Outputs", [("verdict", str), ("warnings", List[str])]):
    """Checks a window's data against its schema and its earlier spans; an error fails the run.

    The first run infers a schema from the training statistics and freezes it in the store. Later
    runs read it; it changes by hand, or by `retrainer schema accept`.

    Args:
        statistics: Statistics from `compute_statistics`.
        anomalies: `anomalies.json`, the list of findings, and TFDV's own `SchemaDiff.pb` for each
            split. Written before the run fails.
        schema: `schema.pbtxt`, a copy of the schema in the store or at `schema_uri`.
        report: Findings, each column's distribution and drift, and quarantined rows, as one HTML file. Written
            before the run fails.
        store: URI of the store, where the schema is frozen.
        schema_uri: URI of a curated `schema.pbtxt`, which is used instead of the store's and never
            written by a run.
        domains: The values that columns may have, which override the schema: `{column: {min: 1, max: 9}}` for
            numbers, `{column: {values: [a, b], min_domain_mass: 1}}` for text.
        drift: Thresholds for the newest span against the earlier ones, by TFDV's names:
            `{infinity_norm: 0.1, jensen_shannon_divergence: 0.3, columns: {column: {...}}}`. The
            first is for text, the second for numbers; a column with `{}` is not compared. A distance
            above a threshold set here or in the schema is an error. By default, more than 0.1 is a warning (for
            numbers over quantile bins) and 0.5 or more an error, unless the column usually moves as far.
        skew: The same for training against evaluation.
        severity: `error`, `warning` or `ignore` by kind of finding, and under `columns` by column
            (`{columns: {tailnum: ignore, carrier: {drift: error}}}`).
        min_domain_mass: The share of a text column's rows that must have values of its domain.
        min_rows_fraction: How few rows the newest span may have, as a fraction of the earlier
            spans' median.
        max_label_change: How far a class of the label may move beyond the rates of the earlier spans, from 0 to 1.
        max_rows_factor: How many times the earlier spans' median the newest span's rows may be.
        max_label_factor: How many times more or less frequent than in any earlier span a class of the label may
            be. It detects changes of a rare label.
        examples: Examples from `ingest_spans` that the statistics are of. Without them, dates are not checked, and the
            report shows no quarantined rows, only their number.
        pattern: The pattern of `ingest_spans`. Its date format shows when a span ends; without one, names such as
            `2013-04` do.
        run: Name of the run, under which the store records what this task used and decided; empty records nothing.
        run_resource: The run's resource name, from kfp's placeholder; it distinguishes runs of one name.
        run_uuid: The run's id, from kfp's placeholder; it distinguishes runs of one name.

    Returns:
        verdict: What was found, in one sentence.
        warnings: A line for each warning; empty for none.
    """
    from retrainer.components.lib.runs.run_records import recording
    from retrainer.components.validate_examples.settings import parse_settings
    from retrainer.components.validate_examples.validate import validate

    with recording(store, "validate_examples", run, run_resource, run_uuid) as record:
        settings = parse_settings(
            domains=domains,
            drift=drift,
            skew=skew,
            severity=severity,
            min_domain_mass=min_domain_mass,
            min_rows_fraction=min_rows_fraction,
            max_label_change=max_label_change,
            max_rows_factor=max_rows_factor,
            max_label_factor=max_label_factor,
        )
        record.note(statistics=statistics.uri)
        validated = validate(
            statistics_path=statistics.path,
            store=store,
            settings=settings,
            anomalies_path=anomalies.path,
            schema_path=schema.path,
            report_path=report.path,
            schema_uri=schema_uri,
            examples_path=examples.path if examples else "",
            pattern=pattern,
        )
        record.verdict = validated.verdict
        record.note(warnings=validated.warnings)
    return validated
