"""Validating a window: schema, drift, skew and spans."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2

from ..lib.errors import RetrainerError
from ..lib.features import SCHEMA_FILE
from ..lib.progress import progress
from ..lib.schema_file import load_schema
from ..lib.store import Store
from ..lib.uris import create_exclusive, exists, join, write_atomic, write_json
from ..lib.words import plural
from .analysis import analyze
from .findings import Finding, error_message, errors_of, warning_lines
from .limits import Settings
from .quarantine import read_quarantined
from .report import render
from .result import ValidationResult, run_checks
from .schema_inference import infer_schema, schema_text, widen_types
from .seasonality import keep_profiles
from .window import Window, read_window

FINDINGS_FILE = "anomalies.json"
ANOMALIES_FILE = "SchemaDiff.pb"
USED_SCHEMA_FILE = "schema_used.pbtxt"
# In the verdict, which is one sentence.
_ERRORS_NAMED = 4
_DRIFTED_NAMED = 3


class Validated(NamedTuple):
    """The outcome of a validation without errors.

    Attributes:
        verdict: What was found, in one sentence.
        warnings: A line for each warning.
    """

    verdict: str
    warnings: list[str]


def validate(
    statistics_path: str,
    store: str,
    settings: Settings,
    anomalies_path: str,
    schema_path: str,
    report_path: str,
    schema_uri: str = "",
    examples_path: str = "",
    pattern: str = "",
) -> Validated:
    """Check a window's data, write the findings, and raise if any of them is an error.

    Args:
        statistics_path: Folder of the statistics.
        store: URI of the store, where the schema is frozen.
        settings: The limits and severities.
        anomalies_path: Folder for the findings.
        schema_path: Folder for the schema.
        report_path: File for the HTML report.
        schema_uri: A curated schema, used instead of the store's and never written.
        examples_path: Folder of the manifest of the examples that the statistics are of; without it, dates are not
            checked.
        pattern: The pattern that the spans were found with; its date format shows when a span ends.

    Returns:
        The verdict, and the warnings.

    Raises:
        RetrainerError: If a finding is an error, after everything was written; or if the statistics or the schema
            can't be read.
    """
    window = read_window(statistics_path, examples_path, pattern, store)
    uri = schema_uri or Store(store).schema_uri
    schema, text, is_new = _find_schema(window, uri, bool(schema_uri), settings)
    progress("comparing with the schema")
    analysis = analyze(window, schema, settings)
    result = run_checks(analysis, settings)
    origin = f"read from {uri}"
    if is_new:
        if _blocks_freezing(result.findings):
            origin = "inferred from this data, not frozen because the data has errors"
        elif create_exclusive(uri, text):
            origin = f"frozen now at {uri}"
        else:
            # Another run froze its schema in the meantime, and that one counts.
            schema, text = load_schema(uri)
            analysis = analyze(window, schema, settings)
            result = run_checks(analysis, settings)
            origin = f"read from {uri}, where another run froze it just now"

    _write(result, analysis.anomalies, text, anomalies_path, schema_path)
    verdict = _verdict(result)
    quarantined = read_quarantined(window.index, window.examples)
    page = render(window, result, verdict, origin, quarantined, report_path)
    write_atomic(report_path, page)
    if window.examples is not None and window.season is not None:
        spans = {span: dataset.statistics for span, dataset in window.spans.items()}
        keep_profiles(window.examples, spans)
    if errors_of(result.findings):
        raise RetrainerError(error_message(result.findings, uri))
    return Validated(verdict, warning_lines(result.findings))


def _find_schema(
    window: Window, uri: str, curated: bool, settings: Settings
) -> tuple[schema_pb2.Schema, str, bool]:
    if curated or exists(uri):
        try:
            return *load_schema(uri), False
        except FileNotFoundError as error:
            raise RetrainerError(
                f"there is no schema at '{uri}' (schema_uri). Set the URI of a schema.pbtxt, or "
                "leave it empty: then a schema is inferred and frozen in the store."
            ) from error
    index = window.index
    train_spans = index.split_spans["train"]
    evaluation = window.splits["eval"]
    schema = infer_schema(
        window.splits["train"],
        [window.spans[span] for span in train_spans],
        index.labels,
        index.bare_key,
        settings.min_domain_mass,
        evaluation if index.splits_share_spans else None,
    )
    widen_types(schema, evaluation, index.labels)
    return schema, schema_text(schema, train_spans), True


def _blocks_freezing(findings: Sequence[Finding]) -> bool:
    # The schema comes from the training rows; errors in evaluation rows do not affect it.
    return any(
        finding.in_training or finding.kind.blocks_freezing for finding in errors_of(findings)
    )


def _write(
    result: ValidationResult,
    protos: Mapping[str, anomalies_pb2.Anomalies],
    schema_content: str,
    anomalies_path: str,
    schema_path: str,
) -> None:
    records = [finding.as_record() for finding in result.findings]
    write_json(join(anomalies_path, FINDINGS_FILE), records)
    for folder, proto in protos.items():
        content = proto.SerializeToString(deterministic=True)
        write_atomic(join(anomalies_path, folder, ANOMALIES_FILE), content)
    used = text_format.MessageToString(result.used_schema, as_utf8=True)
    write_atomic(join(anomalies_path, USED_SCHEMA_FILE), used)
    write_atomic(join(schema_path, SCHEMA_FILE), schema_content)


def _verdict(result: ValidationResult) -> str:
    errors = errors_of(result.findings)
    warnings = len(result.findings) - len(errors)
    compared, drifted = len(result.drift), result.drifted
    tail = f"{plural(warnings, 'warning')}; {len(drifted)} of {compared} columns drifted"
    if drifted:
        more = " ..." if len(drifted) > _DRIFTED_NAMED else ""
        tail += f" ({', '.join(drifted[:_DRIFTED_NAMED])}{more})"
    if not errors:
        return f"no errors, {tail}"
    named = "; ".join(
        f"{finding.column or 'rows'}: {finding.title}" for finding in errors[:_ERRORS_NAMED]
    )
    more = f" and {len(errors) - _ERRORS_NAMED} more" if len(errors) > _ERRORS_NAMED else ""
    return f"{plural(len(errors), 'error')} ({named}{more}), {tail}"
