"""Joining the predictions of the store with their labels."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from ..lib.digests import digest_value
from ..lib.errors import RetrainerError
from ..lib.predictions.joined_sets import RECORD_FILE, JoinedSet, find_joined
from ..lib.predictions.prediction_sets import PredictionSet, list_predictions
from ..lib.progress import progress
from ..lib.source_rows.column_types import ColumnType
from ..lib.source_rows.declared_types import read_schema_types
from ..lib.spans.span_periods import span_periods
from ..lib.store import Store
from ..lib.uris import join, read_json, write_json
from ..lib.words import percent, plural
from .label_rows import LabelBatch, LabelCounts, read_label_files, read_label_spans
from .label_sources import LabelSources, find_label_sources
from .matching import Matcher, lacks_key, read_keys
from .settings import LabelSettings
from .span_join import SpanJoin, join_span

# Predictions whose keys are in memory at once: 40 bytes each. More take further passes over the labels.
MOST_ROWS = 20_000_000


@dataclass(frozen=True)
class Joined:
    """The result of a join.

    Attributes:
        sets: The newest set of each span that was joined, oldest span first.
        made: How many of them were made by this join.
        labels: What was read of the labels: the fields of `LabelCounts`, and `unknown`: labels of no prediction.
        verdict: What was joined, in one sentence.
    """

    sets: tuple[JoinedSet, ...]
    made: int
    labels: dict[str, Any] = field(default_factory=dict)
    verdict: str = ""

    @property
    def rows(self) -> int:
        """How many predictions have a label."""
        return sum(one.rows for one in self.sets)


def join_labels(
    store: str,
    settings: LabelSettings,
    *,
    now: datetime | None = None,
    schema_uri: str = "",
    artifact: str = "",
    most_rows: int = MOST_ROWS,
) -> Joined:
    """Join the predictions whose labels may still come with the labels that are there.

    Args:
        store: URI of the store, which keeps predictions and gets the joined sets.
        settings: Where the labels are, and how they find their predictions.
        now: The time, from which the horizon counts; None for the clock's.
        schema_uri: A curated schema, which declares the label's type; empty for the one that is frozen in the store.
        artifact: Folder for `joined.json`, which names what was written; empty for none.
        most_rows: Predictions whose keys are in memory at once.

    Returns:
        What was joined.

    Raises:
        RetrainerError: If labels or predictions can't be read, or the settings are wrong.
    """
    settings.check()
    chosen, since = _within_horizon(store, settings, now or datetime.now(UTC))
    # The training data's key is a guess that nobody made: logs often have only what the model takes.
    keyless = [] if settings.pattern else [one for one in chosen if lacks_key(one, settings)]
    chosen = [one for one in chosen if one not in keyless]
    sources = find_label_sources(store, settings.pattern, since)
    hash_key = settings.read_hash_key()
    digest = settings.digest(hash_key)
    label_type = _label_type(store, schema_uri, settings)
    made_of = [
        digest,
        label_type.value,
        asdict(settings.source),
        [[one.span, one.version] for one in chosen],
        sources.fingerprints(),
    ]
    fingerprint = digest_value(made_of)
    joined = _known(store, fingerprint)
    if joined is None:
        counts = LabelCounts()
        sets, made, unknown = [], 0, _Unknown()
        for group in _groups(chosen, most_rows):
            keys = [read_keys(one, settings) for one in group]
            matcher = Matcher(keys, settings)
            # Each pass reads the same labels.
            counts = LabelCounts()
            unknown.start()
            for batch in _read(sources, settings, label_type, hash_key, counts):
                unknown.add(matcher.add(batch))
                progress(f"{counts.read:,} labels read")
            for one, labels in zip(keys, matcher.finish(), strict=True):
                found, was_there = join_span(SpanJoin(store, one, labels, settings, digest))
                sets.append(found)
                made += not was_there
        read = {**asdict(counts), "unknown": unknown.count}
        joined = Joined(tuple(sets), made, read)
        _note(store, fingerprint, joined)
    done = Joined(
        joined.sets, joined.made, joined.labels, _verdict(joined, sources, settings, keyless)
    )
    if artifact:
        write_json(join(artifact, RECORD_FILE), _manifest(done))
    return done


def _within_horizon(
    store: str, settings: LabelSettings, now: datetime
) -> tuple[list[PredictionSet], datetime | None]:
    """Return the newest predictions of each span that is not over for too long, and when the first of them began."""
    newest = {prediction_set.span: prediction_set for prediction_set in list_predictions(store)}
    periods = span_periods(list(newest)) if newest else {}
    chosen: list[tuple[datetime, PredictionSet]] = []
    starts = []
    for span, one in newest.items():
        if span in periods:
            # A period may end with the calendar, which no zone can be added to.
            start = periods[span].start.replace(tzinfo=UTC)
            end = periods[span].end.replace(tzinfo=UTC)
            starts.append(start)
        else:
            start = end = datetime.fromisoformat(one.scored)
        if now - end <= timedelta(seconds=settings.horizon_seconds):
            chosen.append((start, one))
    chosen.sort(key=lambda pair: (pair[0], pair[1].span))
    since = chosen[0][0] if chosen and len(starts) == len(newest) else None
    return [one for _, one in chosen], since


def _label_type(store: str, schema_uri: str, settings: LabelSettings) -> ColumnType:
    said = settings.types.get(settings.label)
    known = ColumnType(said) if said else read_schema_types(store, schema_uri).get(settings.label)
    if known == ColumnType.TEXT:
        raise RetrainerError(
            f"the label '{settings.label}' is text, and models are judged on numbers. Name a column of numbers "
            "(monitoring.labels.label), or make one in monitoring.labels.columns."
        )
    return known or ColumnType.NUMBER


def _groups(predictions: Sequence[PredictionSet], most_rows: int) -> Iterator[list[PredictionSet]]:
    group: list[PredictionSet] = []
    for prediction_set in predictions:
        if group and sum(other.rows for other in group) + prediction_set.rows > most_rows:
            yield group
            group = []
        group.append(prediction_set)
    if group:
        yield group


def _read(
    sources: LabelSources,
    settings: LabelSettings,
    label_type: ColumnType,
    hash_key: bytes,
    counts: LabelCounts,
) -> Iterator[LabelBatch]:
    yield from read_label_files(sources.files, settings, label_type, hash_key, counts)
    yield from read_label_spans(sources.spans, settings, counts)


class _Unknown:
    """Counts the labels that belong to no prediction, over several passes."""

    def __init__(self) -> None:
        self._batches: list[np.ndarray] = []
        self._rows: list[int] = []
        self._place = 0

    def start(self) -> None:
        """Begin a pass."""
        self._place = 0

    def add(self, matched: np.ndarray) -> None:
        """Note which labels of the next batch belong to a prediction."""
        bits = np.packbits(matched)
        if self._place == len(self._batches):
            self._batches.append(bits)
            self._rows.append(len(matched))
        else:
            self._batches[self._place] |= bits
        self._place += 1

    @property
    def count(self) -> int:
        """How many belong to none."""
        matched = sum(int(np.unpackbits(bits).sum()) for bits in self._batches)
        return sum(self._rows) - matched


def _known(store: str, fingerprint: str) -> Joined | None:
    """Return what the newest join gave, if it was of the same inputs and its sets are there."""
    try:
        content = read_json(Store(store).newest_join_uri)
    except (FileNotFoundError, RetrainerError):
        return None
    if content.get("fingerprint") != fingerprint:
        return None
    place = Store(store)
    sets = [
        find_joined(join(place.joined_of_span_uri(one["span"]), one["version"]))
        for one in content["sets"]
    ]
    whole = [one for one in sets if one is not None]
    return Joined(tuple(whole), 0, content["labels"]) if len(whole) == len(sets) else None


def _note(store: str, fingerprint: str, joined: Joined) -> None:
    sets = [{"span": joined_set.span, "version": joined_set.version} for joined_set in joined.sets]
    content = {"fingerprint": fingerprint, "sets": sets, "labels": joined.labels}
    write_json(Store(store).newest_join_uri, content)


def _manifest(joined: Joined) -> dict[str, Any]:
    sets = [
        {
            "span": joined_set.span,
            "version": joined_set.version,
            "uri": joined_set.uri,
            "files": list(joined_set.files),
        }
        for joined_set in joined.sets
    ]
    return {"format": 1, "rows": joined.rows, "labels": joined.labels, "sets": sets}


def _verdict(
    joined: Joined,
    sources: LabelSources,
    settings: LabelSettings,
    keyless: Sequence[PredictionSet],
) -> str:
    where = f"'{settings.pattern}'" if settings.pattern else "the ingested spans"
    without = (
        f"the predictions of {plural(len(keyless), 'span')} keep no {' or no '.join(settings.key)}, by which labels of "
        "the ingested spans would find them (monitoring.labels)"
    )
    if not joined.sets:
        return without if keyless else "no predictions are waiting for labels"
    expected = sum(coverage.rows for span in joined.sets for coverage in span.coverage)
    labelled = sum(coverage.labelled for span in joined.sets for coverage in span.coverage)
    share = percent(labelled / expected) if expected else percent(0)
    spans = plural(len(joined.sets), "span")
    parts = [
        f"{labelled:,} of {expected:,} predictions of {spans} have their label ({share}); "
        f"{joined.made} of {spans} changed"
    ]
    if not sources.files and not sources.spans:
        parts.append(f"there are no labels yet in {where}")
    if keyless:
        parts.append(without)
    for name, words in _WORDS.items():
        if count := joined.labels.get(name):
            parts.append(_count(count, words))
    totals: dict[str, int] = {}
    for joined_set in joined.sets:
        for name, value in joined_set.counts.items():
            totals[name] = totals.get(name, 0) + value
    for name, words in _SPAN_WORDS.items():
        if totals.get(name):
            parts.append(_count(totals[name], words))
    if joined.labels.get("unreadable"):
        parts.append(f"the first: {joined.labels['examples'][0]}")
    return "; ".join(parts)


def _count(count: int, words: str) -> str:
    things, _, rest = words.partition("s ")
    return f"{plural(count, things)} {rest}"


_WORDS = {
    "unknown": "labels of unknown predictions",
    "unreadable": "labels unreadable",
    "without_key": "labels without a key",
    "without_time": "labels without a time",
}
_SPAN_WORDS = {
    "conflicts": "labels contradicted by a newer one",
    "duplicates": "labels given twice",
    "early": "labels older than their prediction, not used",
    "early_used": "labels older than their prediction",
    "ambiguous": "labels of requests with several rows that name no row",
    "shared_key": "predictions whose key a newer one has",
    "without_key": "predictions without a key",
    "unweighted": "labelled predictions without a weight",
}
