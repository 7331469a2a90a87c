"""Validating a window: schema, drift, skew and spans, judged together."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2

from ..lib.errors import RetrainerError
from ..lib.features import SCHEMA_FILE
from ..lib.progress import progress
from ..lib.schema_file import load_schema
from ..lib.statistics_artifact import SPLIT_WORDS
from ..lib.store import Store
from ..lib.uris import create_exclusive, exists, join, write_atomic, write_json
from ..lib.words import plural
from .analysis import gather
from .findings import Finding, FindingKind, error_message, errors_of, warning_lines
from .quarantine import read_set_aside
from .report import render
from .result import Judgement, judge
from .schema_inference import infer_schema, schema_text, widen_types
from .seasonality import keep_profiles
from .settings import Settings
from .window import Window, read_window

FINDINGS_FILE = "anomalies.json"
ANOMALIES_FILE = "SchemaDiff.pb"
USED_SCHEMA_FILE = "schema_used.pbtxt"


class Validated(NamedTuple):
    """What validation says of a window that has no errors.

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
        The verdict, and the warnings.

    Raises:
        RetrainerError: If anything found is an error, after everything was written; or if the
            statistics or the schema can't be read.
    """
    window = read_window(statistics_path, examples_path, pattern, store)
    uri = schema_uri or Store(store).schema_uri
    schema, text, is_new = _find_schema(window, uri, bool(schema_uri), settings)
    progress("comparing with the schema")
    evidence = gather(window, schema, settings)
    judgement = judge(evidence, settings)
    note = f"read from {uri}"
    if is_new and _spoils_schema(judgement.findings):
        note = "inferred from this data and not frozen, since the data has errors"
    elif is_new and create_exclusive(uri, text):
        note = f"frozen now at {uri}"
    elif is_new:
        # Another run froze its own in the meantime, and that is the one that counts.
        schema, text = load_schema(uri)
        evidence = gather(window, schema, settings)
        judgement = judge(evidence, settings)
        note = f"read from {uri}, where another run froze it just now"
    judgement = replace(judgement, schema_note=note)

    _write(judgement, evidence.anomalies, text, anomalies_path, schema_path)
    verdict = _verdict(judgement)
    set_aside = read_set_aside(window.index, window.examples)
    write_atomic(report_path, render(window, judgement, verdict, set_aside, report_path))
    if window.examples is not None and window.season is not None:
        spans = {span: dataset.statistics for span, dataset in window.spans.items()}
        keep_profiles(window.examples, spans)
    if errors_of(judgement.findings):
        raise RetrainerError(error_message(judgement.findings, uri))
    return Validated(verdict, warning_lines(judgement.findings))


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
    evaluation = window.splits["eval"]
    schema = infer_schema(
        window.splits["train"],
        [window.spans[span] for span in train_spans],
        index.label,
        index.bare_key,
        settings.min_domain_mass,
        evaluation if index.splits_share_spans else None,
    )
    widen_types(schema, evaluation, index.label)
    return schema, schema_text(schema, train_spans), True


def _spoils_schema(findings: Sequence[Finding]) -> bool:
    # The schema comes from the training rows; wrong evaluation rows do not spoil it.
    of_spans = (FindingKind.NO_ROWS, FindingKind.FEW_ROWS, FindingKind.CONSTANT_LABEL)
    training = SPLIT_WORDS["train"]
    return any(
        finding.kind in of_spans
        or finding.where == training
        or finding.where.startswith(f"{training} (")
        for finding in errors_of(findings)
    )


def _write(
    judgement: Judgement,
    protos: Mapping[str, anomalies_pb2.Anomalies],
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
    tail = f"{plural(warnings, 'warning')}; {len(drifted)} of {compared} columns drifted"
    if drifted:
        tail += f" ({', '.join(drifted[:3])}{' ...' if len(drifted) > 3 else ''})"
    if not errors:
        return f"no errors, {tail}"
    named = "; ".join(f"{finding.column or 'rows'}: {finding.title}" for finding in errors[:4])
    more = f" and {len(errors) - 4} more" if len(errors) > 4 else ""
    return f"{plural(len(errors), 'error')} ({named}{more}), {tail}"
