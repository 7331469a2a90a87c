"""Validating a window: schema, drift, skew and spans, judged together."""

from collections.abc import Sequence
from datetime import UTC, datetime

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2

from ..lib.errors import RetrainerError
from ..lib.examples import Examples
from ..lib.features import SCHEMA_FILE
from ..lib.files import create_exclusive, exists, join, write_atomic, write_json
from ..lib.progress import progress
from ..lib.schema_file import load_schema
from ..lib.span_dates import span_periods
from ..lib.statistics import (
    StatisticsIndex,
    before_folder,
    read_index,
    read_statistics,
    span_folder,
    split_folder,
)
from ..lib.store import Store
from .dates import check_dates
from .findings import Finding, count, error_message, errors_of
from .judgement import Judgement, Window
from .judging import judge_window
from .report import render
from .schema import infer_schema, schema_text
from .set_aside import read_set_aside
from .settings import Settings
from .span_checks import check_spans

FINDINGS_FILE = "anomalies.json"
ANOMALIES_FILE = "SchemaDiff.pb"
USED_SCHEMA_FILE = "schema_used.pbtxt"


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
) -> str:
    """Judge a window's data; write what was found; stop if any of it is an error.

    Args:
        statistics_path: Folder of the statistics.
        store: URI of the store, where the schema is frozen.
        settings: What is too much.
        anomalies_path: Folder for the findings.
        schema_path: Folder for the schema.
        report_path: File for the HTML report.
        schema_uri: A curated schema, used in place of the store's and never written.
        examples_path: Folder of the manifest of the examples that the statistics are of; without it, dates are not
            looked at.
        pattern: The pattern that the spans were found with; its date format tells when a span ends.

    Returns:
        The verdict.

    Raises:
        RetrainerError: If anything found is an error, after everything was written; or if the
            statistics or the schema can't be read.
    """
    window = read_window(statistics_path)
    uri = schema_uri or Store(store).schema_uri
    progress("looking at the spans")
    found = check_spans(window.index, window.spans, window.splits, settings)
    examples = Examples.read(examples_path) if examples_path else None
    if examples is not None:
        today = datetime.now(UTC).date()
        found += check_dates(examples, span_periods(examples.spans, pattern), today)
    schema, text, is_new = _find_schema(window, uri, bool(schema_uri), settings)
    progress("comparing with the schema")
    judgement, protos = judge_window(window, schema, settings, found)
    if is_new and not _spoils_schema(judgement.findings, window.index):
        if create_exclusive(uri, text):
            judgement.schema_note = f"frozen now at {uri}"
        else:
            # Another run froze its own in the meantime, and that is the one that counts.
            schema, text = load_schema(uri)
            judgement, protos = judge_window(window, schema, settings, found)
            judgement.schema_note = f"read from {uri}, where another run froze it just now"
    elif is_new:
        judgement.schema_note = "inferred from this data and not frozen, since the data has errors"
    else:
        judgement.schema_note = f"read from {uri}"

    _write(judgement, protos, text, anomalies_path, schema_path)
    errors = errors_of(judgement.findings)
    verdict = _verdict(judgement)
    set_aside = read_set_aside(window.index, examples)
    write_atomic(report_path, render(window, judgement, verdict, set_aside))
    if errors:
        raise RetrainerError(error_message(judgement.findings, uri))
    return verdict


def read_window(path: str) -> Window:
    """Read a statistics artifact whole.

    Raises:
        RetrainerError: If it can't be read.
    """
    index = read_index(path)
    return Window(
        index=index,
        splits={split: read_statistics(path, split_folder(split)) for split in index.split_spans},
        spans={span: read_statistics(path, span_folder(span)) for span in index.spans},
        before={span: read_statistics(path, before_folder(span)) for span in index.spans[1:]},
    )


def _find_schema(
    window: Window, uri: str, curated: bool, settings: Settings
) -> tuple[schema_pb2.Schema, str, bool]:
    if curated or exists(uri):
        try:
            return *load_schema(uri), False
        except FileNotFoundError as error:
            raise RetrainerError(
                f"there is no schema at '{uri}' (schema_uri). Give the URI of a schema.pbtxt, or "
                "leave it empty to have one inferred and frozen in the store."
            ) from error
    index = window.index
    train_spans = index.split_spans["train"]
    schema = infer_schema(
        window.splits["train"],
        [window.spans[span] for span in train_spans],
        index.label,
        index.key,
        settings.min_domain_mass,
        window.splits["eval"] if index.splits_share_spans else None,
    )
    return schema, schema_text(schema, train_spans), True


def _spoils_schema(findings: Sequence[Finding], index: StatisticsIndex) -> bool:
    # The schema comes from the training rows; wrong evaluation rows do not spoil it.
    span_kinds = ("no_rows", "few_rows", "constant_label")
    return any(
        finding.kind in span_kinds or "training" in finding.where for finding in errors_of(findings)
    )


def _write(
    judgement: Judgement,
    protos: dict[str, anomalies_pb2.Anomalies],
    schema_content: str,
    anomalies_path: str,
    schema_path: str,
) -> None:
    write_json(
        join(anomalies_path, FINDINGS_FILE), [finding.__dict__ for finding in judgement.findings]
    )
    for folder, proto in protos.items():
        content = proto.SerializeToString(deterministic=True)
        write_atomic(join(anomalies_path, folder, ANOMALIES_FILE), content)
    used = text_format.MessageToString(judgement.used_schema, as_utf8=True)
    write_atomic(join(anomalies_path, USED_SCHEMA_FILE), used)
    write_atomic(join(schema_path, SCHEMA_FILE), schema_content)


def _verdict(judgement: Judgement) -> str:
    errors = errors_of(judgement.findings)
    warnings = len(judgement.findings) - len(errors)
    compared, drifted = len(judgement.drift), judgement.drifted
    tail = f"{count(warnings, 'warning')}; {len(drifted)} of {compared} columns drifted"
    if drifted:
        tail += f" ({', '.join(drifted[:3])}{' ...' if len(drifted) > 3 else ''})"
    if not errors:
        return f"no errors, {tail}"
    named = "; ".join(f"{finding.column or 'rows'}: {finding.title}" for finding in errors[:4])
    more = f" and {len(errors) - 4} more" if len(errors) > 4 else ""
    return f"{count(len(errors), 'error')} ({named}{more}), {tail}"
