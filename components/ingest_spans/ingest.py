"""Ingesting spans: each into one immutable folder of the store, once."""

import difflib
import hmac
import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ..lib.errors import RetrainerError
from ..lib.examples import EVAL, TRAIN, Examples, SpanPart, concat_tables
from ..lib.files import (
    create_exclusive,
    digest_value,
    exists,
    filesystem,
    join,
    publish_folder,
    read_text,
    scratch_folder,
    write_json,
)
from ..lib.progress import progress
from ..lib.spans import LATEST, SourceSpan, find_spans, read_fingerprints
from ..lib.store import UNLABELLED_FILE, UNREADABLE_FILE, Store
from ..lib.stored_spans import (
    SPAN_FILE,
    VERSION_DIGITS,
    SpanVersion,
    list_versions,
    now,
    read_version,
)
from ..lib.windows import choose_window
from .sources.old import NULL_VALUES, read_source

# Part of every span's digest: raised when ingestion would write other rows from the same source.
INGEST_VERSION = 1
ROWS_PER_GROUP = 65_536
NEWEST_SPANS, HASH = "newest_spans", "hash"
ALL = "all"
# More new spans than this are told by the first and the last.
MOST_NAMED = 3


@dataclass(frozen=True)
class IngestSettings:
    """What makes of source rows the rows of a span; part of the span's digest.

    Attributes:
        label: The label's column; rows without one are set aside.
        key: Columns that name an example. Of rows with the same key the later wins.
        drop: Columns to leave out.
        hash: Private columns, replaced by the HMAC-SHA-256 of their text.
        hash_key_env: Environment variable that holds the HMAC key.
        split: `newest_spans` (a span is all training or all evaluation) or `hash` (each span is split).
        eval_fraction: With `hash`, the share of keys in evaluation, between 0 and 1.
        format: `csv`, `parquet`, `jsonl` or `auto`.
        null_values: Texts that mean a missing cell in CSV.
        max_bad_rows: The share of a span's rows that may be unreadable.
    """

    label: str
    key: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    hash: tuple[str, ...] = ()
    hash_key_env: str = "RETRAINER_HASH_KEY"
    split: str = NEWEST_SPANS
    eval_fraction: float = 1 / 3
    format: str = "auto"
    null_values: tuple[str, ...] = NULL_VALUES
    max_bad_rows: float = 0.01


@dataclass(frozen=True)
class StoredSpan:
    """A span that is in the store.

    Attributes:
        content: The version that its source has now.
        reused: Whether it was there before.
    """

    content: SpanVersion
    reused: bool

    @property
    def span(self) -> str:
        """The span's name."""
        return self.content.span

    @property
    def uri(self) -> str:
        """The version's folder."""
        return self.content.uri


class Ingested(NamedTuple):
    """What a window of spans became.

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
) -> Ingested:
    """Ingest what is new in a window of spans, and write the manifest of its examples.

    Args:
        pattern: Where the spans are, with `{span}` in it.
        store: URI of the store.
        settings: How rows are read, cleaned and split.
        output: Folder for the manifest.
        span: The window's newest span, or `latest`.
        window: How many spans to use at the most.
        eval_spans: With split `newest_spans`, how many of the newest are for evaluation.
        min_spans: How many spans of the window are enough; 0: a window may be short where the data begins, and none
            may be missing between others.
        marker: Name of the file that completes a span; spans without it are not there yet. Empty for none.

    Returns:
        Name of the newest span, the verdict, and the spans' versions.

    Raises:
        RetrainerError: If the data is missing or can't be used.
    """
    _check(settings)
    found = find_spans(pattern, marker)
    chosen = choose_window(found, span, window, pattern, min_spans, marker)
    if settings.split == NEWEST_SPANS and len(chosen) <= eval_spans:
        raise RetrainerError(
            f"only {len(chosen)} span{'s' if len(chosen) > 1 else ''} in the window behind '{pattern}' "
            f"({', '.join(one.name for one in chosen)}), and evaluation takes the newest {eval_spans}: nothing is left "
            "to train on. Wait for more spans, or split by hash (data.split: hash)."
        )
    stored = []
    # Two at a time: reading waits for the disk, Arrow releases the interpreter while it parses.
    with ThreadPoolExecutor(max_workers=2) as pool:
        for one in pool.map(lambda source: ingest_span(source, store, settings), chosen):
            stored.append(one)
            progress(f"span {one.span}", len(stored), len(chosen))

    _check_dropped(settings.drop, stored)
    splits = _splits(stored, settings.split, eval_spans)
    examples = Examples(
        label=settings.label,
        splits=splits,
        spans=tuple(one.span for one in stored),
        counts={one.span: one.content.counts for one in stored},
        key=settings.key,
        versions={one.span: one.content.version for one in stored},
        replaced={one.span: one.content.replaced for one in stored if one.content.replaced},
    )
    for split in (TRAIN, EVAL):
        if examples.rows(split) == 0:
            raise RetrainerError(
                f"the {split} split has no rows with a label '{settings.label}' "
                f"(spans {', '.join(examples.spans)}). Has the label arrived yet?"
            )
    examples.write(output)
    verdict = _verdict(stored, examples)
    newer = found[found.index(chosen[-1]) + 1 :] if span == LATEST else []
    if newer:
        verdict += f"; not there yet, without {marker}: {_name_some([one.name for one in newer])}"
    return Ingested(examples.newest_span, verdict, examples.versions)


def ingest_span(source: SourceSpan, store: str, settings: IngestSettings) -> StoredSpan:
    """Put one span into the store, unless this version of it is there.

    Args:
        source: The span's files.
        store: URI of the store.
        settings: How rows are read, cleaned and split.

    Returns:
        The stored span.

    Raises:
        RetrainerError: If the span can't be used; nothing is stored then.
    """
    settings_digest = _settings_digest(settings)
    place = Store(store)
    # The files' fingerprints lead to the version without reading the files again.
    fingerprint = digest_value(
        [settings_digest, [[file.uri, file.fingerprint] for file in source.files]]
    )
    seen = place.seen_uri(source.name, fingerprint[:32])
    if exists(seen):
        uri = place.version_uri(source.name, read_text(seen).strip())
        if exists(join(uri, SPAN_FILE)):
            return StoredSpan(read_version(uri), reused=True)

    before = read_fingerprints(source.files)
    content = [_content_digest(file.uri) for file in source.files]
    version = digest_value([settings_digest, content])[:VERSION_DIGITS]
    uri = place.version_uri(source.name, version)
    reused = exists(join(uri, SPAN_FILE))
    if not reused:
        earlier = [
            one.version
            for one in list_versions(store, source.name)
            if one.settings == settings_digest
        ]
        notes = {
            "ingested": now(),
            "settings": settings_digest,
            "replaced": earlier[-1] if earlier else "",
        }
        with scratch_folder(uri) as folder:
            _write_span(source, settings, folder, version, notes)
            if read_fingerprints(source.files) != before:
                # The rows are not of the content that the version is named by.
                raise RetrainerError(
                    f"span {source.name}: '{source.files[0].uri}' or another of its {len(source.files)} files changed "
                    "while it was read. Run again when it is complete, or have its writer say so (data.marker)."
                )
            publish_folder(folder, uri, SPAN_FILE)
    create_exclusive(seen, version + "\n")
    return StoredSpan(read_version(uri), reused)


def _settings_digest(settings: IngestSettings) -> str:
    content = {"version": INGEST_VERSION, **asdict(settings)}
    if settings.hash:
        # Another key makes other rows. What stands here tells nothing of it.
        key = os.environ[settings.hash_key_env].encode()
        content["hash_key"] = hmac.new(key, b"retrainer span version", sha256).hexdigest()
    return digest_value(content)


def _check(settings: IngestSettings) -> None:
    if settings.split not in (NEWEST_SPANS, HASH):
        raise RetrainerError(f"split '{settings.split}' is unknown; use {NEWEST_SPANS} or {HASH}.")
    if not 0 < settings.eval_fraction < 1:
        raise RetrainerError(
            f"eval_fraction is {settings.eval_fraction}; it must lie between 0 and 1."
        )
    for name in (settings.label, *settings.key):
        if name in settings.drop:
            raise RetrainerError(
                f"column '{name}' is the label or part of the key and can't be dropped as well."
            )
    if settings.label in settings.hash:
        raise RetrainerError(f"the label '{settings.label}' can't be hashed.")
    if settings.hash and not os.environ.get(settings.hash_key_env):
        raise RetrainerError(
            f"columns {', '.join(settings.hash)} are to be hashed, but the environment variable "
            f"{settings.hash_key_env} holds no key. Set it to a long random secret (openssl rand -hex 32)."
        )


def _check_dropped(drop: Sequence[str], stored: Sequence[StoredSpan]) -> None:
    # One span may lack a column; a name that no span knows is a slip, and would let a private column through.
    known = sorted({column for one in stored for column in one.content.source_columns})
    for name in drop:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"they have: {', '.join(known[:30])}."
            raise RetrainerError(
                f"data.drop names '{name}', which no span of the window has; {hint}"
            )


def _splits(
    stored: Sequence[StoredSpan], split: str, eval_spans: int
) -> dict[str, tuple[SpanPart, ...]]:
    def part(one: StoredSpan, name: str) -> SpanPart:
        content = one.content.parts[name]
        return SpanPart(one.span, one.uri, name, content["rows"], tuple(content["files"]))

    if split == HASH:
        return {name: tuple(part(one, name) for one in stored) for name in (TRAIN, EVAL)}
    return {
        TRAIN: tuple(part(one, ALL) for one in stored[:-eval_spans]),
        EVAL: tuple(part(one, ALL) for one in stored[-eval_spans:]),
    }


def _write_span(
    source: SourceSpan, settings: IngestSettings, folder: Path, version: str, notes: dict[str, str]
) -> None:
    tables, unreadable = [], []
    for file in source.files:
        result = read_source(file, settings.format, settings.null_values)
        tables.append(result.table)
        unreadable.extend(result.unreadable)
    table = concat_tables(tables)
    source_columns = table.column_names
    read = len(table) + len(unreadable)
    if len(unreadable) > settings.max_bad_rows * read:
        first = unreadable[0]
        raise RetrainerError(
            f"span {source.name}: {len(unreadable):,} of {read:,} rows can't be read, more than max_bad_rows "
            f"{settings.max_bad_rows:.2%} allows. The first: {first['file']} line {first['line']}, {first['reason']}."
        )
    for name, wanted in (
        ("label", (settings.label,)),
        ("key", settings.key),
        ("hash", settings.hash),
    ):
        for column in wanted:
            if column not in table.column_names:
                raise RetrainerError(
                    f"span {source.name} has no column '{column}' (data.{name}). It has: "
                    f"{', '.join(table.column_names[:30])}."
                )
    table = table.drop([name for name in settings.drop if name in table.column_names])
    _check_label(table.column(settings.label), settings.label, source.name)
    for name in settings.hash:
        position = table.column_names.index(name)
        table = table.set_column(
            position, name, _hmac(table.column(name), os.environ[settings.hash_key_env])
        )

    label = table.column(settings.label)
    labelled = (
        label.is_valid()
        if not pa.types.is_floating(label.type)
        else pc.fill_null(pc.is_finite(label), False)
    )
    unlabelled = table.filter(pc.invert(labelled))
    kept = table.filter(labelled)
    deduplicated = _keep_last(kept, settings.key)

    if settings.split == HASH:
        in_eval = pa.array(_hash_fractions(deduplicated, settings.key) < settings.eval_fraction)
        split = {TRAIN: deduplicated.filter(pc.invert(in_eval)), EVAL: deduplicated.filter(in_eval)}
    else:
        split = {ALL: deduplicated}
    parts = {}
    for name, rows in split.items():
        parquet = f"{name}-00000.parquet"
        pq.write_table(rows, folder / parquet, row_group_size=ROWS_PER_GROUP)
        parts[name] = {"rows": len(rows), "files": [parquet]}
    if len(unlabelled):
        pq.write_table(unlabelled, folder / UNLABELLED_FILE)
    if unreadable:
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in unreadable)
        (folder / UNREADABLE_FILE).write_text(lines, encoding="utf-8")
    write_json(
        str(folder / SPAN_FILE),
        {
            "span": source.name,
            "version": version,
            "parts": parts,
            "counts": {
                "read": read,
                "kept": len(deduplicated),
                "unlabelled": len(unlabelled),
                "unreadable": len(unreadable),
                "duplicate": len(kept) - len(deduplicated),
            },
            "source_columns": source_columns,
            "columns": {column.name: str(column.type) for column in deduplicated.schema},
            "sources": [{"uri": file.uri, "bytes": file.size} for file in source.files],
            **notes,
        },
    )


def _check_label(label: pa.ChunkedArray, name: str, span: str) -> None:
    if pa.types.is_string(label.type):
        example = next((value for value in label.to_pylist() if value is not None), "")
        raise RetrainerError(
            f"the label '{name}' of span {span} is text (such as '{example}'). Make it a number in the source: "
            "0 or 1, a class from 0 up, or a quantity."
        )


def _keep_last(table: pa.Table, key: Sequence[str]) -> pa.Table:
    if not key:
        return table
    duplicate = table.select(list(key)).to_pandas().duplicated(keep="last").to_numpy()
    return table.filter(pa.array(~duplicate)) if duplicate.any() else table


def _hmac(column: pa.ChunkedArray, secret: str) -> pa.ChunkedArray:
    encoded = column.cast(pa.string()).combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.unify_dictionaries().combine_chunks()
    digests = [
        hmac.new(secret.encode(), value.encode(), sha256).hexdigest()
        for value in encoded.dictionary.to_pylist()
    ]
    return pa.chunked_array([pa.array(digests, pa.string()).take(encoded.indices)])


def _hash_fractions(table: pa.Table, key: Sequence[str]) -> np.ndarray:
    """Map each row's key (the whole row if there is none) evenly and repeatably onto 0..1."""
    columns = [table.column(name).cast(pa.string()) for name in (key or table.column_names)]
    # Text has one hash on every version of pandas and numpy; numbers would differ by their width.
    frame = pd.DataFrame({str(i): column.to_pandas() for i, column in enumerate(columns)})
    return pd.util.hash_pandas_object(frame, index=False).to_numpy() / 2.0**64


def _content_digest(uri: str) -> str:
    fs, path = filesystem(uri)
    digest = sha256()
    with fs.open(path, "rb") as file:
        while block := file.read(4 << 20):
            digest.update(block)
    return digest.hexdigest()


def _verdict(stored: Sequence[StoredSpan], examples: Examples) -> str:
    new = [one.span for one in stored if not one.reused]
    parts = [f"{len(new)} ingested ({_name_some(new)})" if new else "nothing new"]
    if len(new) < len(stored):
        parts[0] += f", {len(stored) - len(new)} reused"
    changed = {one.span: one.content for one in stored if not one.reused and one.content.replaced}
    if len(changed) > MOST_NAMED:
        parts.append(f"{len(changed)} changed ({_name_some(list(changed))}), now in new versions")
    else:
        parts += [
            f"{span} changed, now version {content.version} (was {content.replaced})"
            for span, content in changed.items()
        ]
    parts.append(f"{examples.rows(TRAIN):,} rows to train, {examples.rows(EVAL):,} to evaluate")
    aside = {
        reason: sum(one.content.counts[reason] for one in stored)
        for reason in ("unlabelled", "unreadable", "duplicate")
    }
    if any(aside.values()):
        told = ", ".join(f"{count:,} {reason}" for reason, count in aside.items() if count)
        parts.append(f"set aside: {told}")
    return "; ".join(parts)


def _name_some(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= MOST_NAMED else f"{names[0]} to {names[-1]}"
