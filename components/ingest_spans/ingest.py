"""Ingesting a window of spans, and the manifest of its examples."""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from ..lib.errors import RetrainerError
from ..lib.examples import EVAL, TRAIN, Examples, SpanPart
from ..lib.progress import progress
from ..lib.source_files import SourceSpan
from ..lib.source_rows.column_types import ColumnType
from ..lib.source_rows.declared_types import read_schema_types
from ..lib.source_rows.settings import HASH, NEWEST_SPANS, IngestSettings, check_query
from ..lib.spans.exclusions import read_exclusions
from ..lib.spans.span_discovery import find_spans
from ..lib.spans.span_patterns import LATEST
from ..lib.spans.windows import choose_window
from ..lib.words import did_you_mean, name_spans, plural
from .column_notes import describe_notes
from .span import IngestedSpan, ingest_span
from .span_writer import ALL

# More new spans than this are named by the first and the last.
MOST_NAMED = 3


class Ingested(NamedTuple):
    """The result of ingesting a window of spans.

    Attributes:
        newest_span: Name of the newest span.
        verdict: What was ingested, in one sentence.
        versions: The version of each span.
    """

    newest_span: str
    verdict: str
    versions: dict[str, str]


def ingest(
    pattern: str,
    store: str,
    settings: IngestSettings,
    output: str,
    span: str = LATEST,
    window: int = 3,
    eval_spans: int = 1,
    min_spans: int = 0,
    marker: str = "",
    schema_uri: str = "",
) -> Ingested:
    """Ingest what is new in a window of spans, and write the manifest of its examples.

    Args:
        pattern: Where the spans are, with `{span}` in it.
        store: URI of the store.
        settings: How rows are read, cleaned and split.
        output: Folder for the manifest.
        span: The window's newest span, or `latest`.
        window: How many spans to use at most.
        eval_spans: With split `newest_spans`, how many of the newest are for evaluation.
        min_spans: How many spans of the window are enough; 0: a window may be short where the data begins, and none
            may be missing between others.
        marker: Name of the file that completes a span; spans without it are incomplete. Empty for none.
        schema_uri: A curated schema, which declares types; empty for the one that is frozen in the store.

    Returns:
        Name of the newest span, the verdict, and the spans' versions.

    Raises:
        RetrainerError: If the data is missing or unusable.
    """
    settings.check()
    _check_least("window", window, 1)
    _check_least("eval_spans", eval_spans, 1)
    _check_least("min_spans", min_spans, 0)
    check_query(settings.source.query, pattern)
    settings.read_key()
    schema_types = read_schema_types(store, schema_uri)
    found = find_spans(pattern, marker)
    excluded = read_exclusions(store)
    if span in excluded:
        one = excluded[span]
        raise RetrainerError(
            f"span '{span}' is excluded: {one.why} ({one.who}, {one.when[:10]}). Include it again with "
            f"'retrainer spans include {span}', or choose another span."
        )
    chosen = choose_window(found, span, window, pattern, min_spans, marker, excluded)
    if settings.split == NEWEST_SPANS and len(chosen) <= eval_spans:
        names = ", ".join(source_span.name for source_span in chosen)
        raise RetrainerError(
            f"only {plural(len(chosen), 'span')} in the window of '{pattern}' ({names}), and evaluation takes the "
            f"newest {eval_spans}: nothing is left to train on. Wait for more spans, or split by hash "
            "(data.split.by: hash)."
        )
    stored = _ingest_all(chosen, store, settings, schema_types)
    _check_known("data.drop", settings.drop, stored)
    _check_known("data.types", settings.types, stored)
    splits = _splits(stored, settings.split, eval_spans)
    examples = Examples(
        label=settings.label,
        splits=splits,
        spans=tuple(ingested_span.span for ingested_span in stored),
        counts={ingested_span.span: ingested_span.content.counts for ingested_span in stored},
        key=settings.key,
        key_features=settings.key_features,
        versions={ingested_span.span: ingested_span.content.version for ingested_span in stored},
        replaced={
            ingested_span.span: ingested_span.content.replaced
            for ingested_span in stored
            if ingested_span.content.replaced
        },
        excluded=tuple(excluded),
        lists=settings.lists,
        label_keys={name: tuple(columns) for name, columns in settings.label_keys.items()},
        classes=settings.changes.classes,
    )
    for split in (TRAIN, EVAL):
        if examples.rows(split) == 0:
            raise RetrainerError(
                f"the {split} split has no rows with a label '{settings.label}' "
                f"(spans {', '.join(examples.spans)}). Has the label arrived yet?"
            )
    examples.write(output)
    end = len(found) if span == LATEST else found.index(chosen[-1])
    between = [source.name for source in found[found.index(chosen[0]) : end]]
    newer = found[found.index(chosen[-1]) + 1 :] if span == LATEST else []
    parts = [_verdict(stored, examples)]
    if left_out := [excluded[name].words for name in between if name in excluded]:
        parts.append(f"excluded: {'; '.join(left_out)}")
    if incomplete := [source.name for source in newer if source.name not in excluded]:
        parts.append(f"incomplete, without {marker}: {name_spans(incomplete)}")
    return Ingested(examples.newest_span, "; ".join(parts), examples.versions)


def _check_least(name: str, value: int, least: int) -> None:
    if value < least:
        raise RetrainerError(f"{name} is {value}; it must be {least} or more (data.{name}).")


def _ingest_all(
    spans: Sequence[SourceSpan],
    store: str,
    settings: IngestSettings,
    schema_types: Mapping[str, ColumnType],
) -> list[IngestedSpan]:
    stored: list[IngestedSpan] = []
    # Two at a time: reading waits for the disk, and Arrow releases the interpreter's lock while it parses.
    with ThreadPoolExecutor(max_workers=2) as pool:
        for one in pool.map(lambda span: ingest_span(span, store, settings, schema_types), spans):
            stored.append(one)
            progress(f"span {one.span}", len(stored), len(spans))
    return stored


def _check_known(setting: str, names: Iterable[str], stored: Sequence[IngestedSpan]) -> None:
    # One span may lack a column; a name that no span has is a typing error, and would let a private column through.
    known = sorted({column for span in stored for column in span.content.source_columns})
    for name in names:
        if name not in known:
            raise RetrainerError(
                f"{setting} names '{name}', which no span of the window has."
                + did_you_mean(name, known, "They have")
            )


def _splits(
    stored: Sequence[IngestedSpan], split: str, eval_spans: int
) -> dict[str, tuple[SpanPart, ...]]:
    def part(one: IngestedSpan, name: str) -> SpanPart:
        content = one.content.parts[name]
        return SpanPart(one.span, one.uri, name, content["rows"], tuple(content["files"]))

    if split == HASH:
        return {name: tuple(part(span, name) for span in stored) for name in (TRAIN, EVAL)}
    return {
        TRAIN: tuple(part(span, ALL) for span in stored[:-eval_spans]),
        EVAL: tuple(part(span, ALL) for span in stored[-eval_spans:]),
    }


def _verdict(stored: Sequence[IngestedSpan], examples: Examples) -> str:
    new = [span.span for span in stored if not span.reused]
    parts = [f"{len(new)} ingested ({name_spans(new)})" if new else "nothing new"]
    if len(new) < len(stored):
        parts[0] += f", {len(stored) - len(new)} reused"
    changed = {
        span.span: span.content for span in stored if not span.reused and span.content.replaced
    }
    if len(changed) > MOST_NAMED:
        parts.append(f"{len(changed)} changed ({name_spans(list(changed))}), now in new versions")
    else:
        parts += [
            f"{span} changed, now version {content.version} (was {content.replaced})"
            for span, content in changed.items()
        ]
    parts.append(f"{examples.rows(TRAIN):,} rows to train, {examples.rows(EVAL):,} to evaluate")
    aside = {
        reason: sum(span.content.counts.get(reason, 0) for span in stored)
        for reason in ("unlabelled", "unweighted", "unreadable", "duplicate")
    }
    if any(aside.values()):
        counts = ", ".join(f"{count:,} {reason}" for reason, count in aside.items() if count)
        parts.append(f"quarantined: {counts}")
    return "; ".join([*parts, *describe_notes(span.content for span in stored if not span.reused)])
