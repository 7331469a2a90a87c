"""Predictions with their labels, as the store keeps them: which sets there are, and what is known of each.

Importing it loads no Arrow, so that a light installation reads how mature labels are. `joined_table` reads the rows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from typing import Any

from ..errors import RetrainerError
from ..folders import list_folders
from ..record_format import check_format
from ..spans.stored_spans import natural_order
from ..store import Store
from ..uris import exists, join, read_json
from .prediction_sets import set_folders

FORMAT = 1
MOST_SPANS = 400
RECORD_FILE = "joined.json"
"""Written last: a folder without it is not whole."""


@dataclass(frozen=True)
class Coverage:
    """How many predictions of a period have a label.

    Attributes:
        start: Beginning of the period, ISO 8601, UTC; empty for predictions whose time is unknown.
        end: Its end.
        rows: Predictions that could have a label.
        labelled: Those that have one.
        weight: Sum of the weights of `rows`: each stands for 1/sample_rate predictions.
        labelled_weight: Sum of the weights of `labelled`.
    """

    start: str
    end: str
    rows: int
    labelled: int
    weight: float
    labelled_weight: float


@dataclass(frozen=True)
class Compared:
    """How often the values of a column are in each bin, among predictions with a label and without.

    Attributes:
        column: The column; `prediction` for what the model returned.
        bins: What each bin holds, in words.
        labelled: Rows with a label, by period (as in `coverage`) and bin.
        unlabelled: Rows without one.
    """

    column: str
    bins: tuple[str, ...]
    labelled: tuple[tuple[int, ...], ...]
    unlabelled: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class JoinedSet:
    """The predictions of one span that have a label, whole.

    Attributes:
        span: The span's name.
        version: Digest of what the set was made of.
        uri: Its folder.
        files: Names of its Parquet files, in order.
        rows: How many rows they have: each is a prediction with its label.
        predictions: Version of the span's predictions that were joined.
        label: Name of the label's column in the source of the labels.
        counts: Of the span: `predictions`, `answered` (they have a prediction), `without_key`, `shared_key` (another
            prediction of the span has the same key, and gets the label), `duplicates` (equal labels of one prediction),
            `conflicts` (different ones, of which the newest counts), `early` (labels that are older than their
            prediction and were not used), `early_used` (those that were, because they name the request), `ambiguous`
            (labels of a request with several rows that do not name the row), `unweighted` (rows whose weight is no
            finite number of 0 or more, which are left out).
        model_versions: Rows by the number of the model's version, as text; empty text if it is unknown.
        coverage: Predictions and labels by period, oldest first.
        compared: Values of predictions with and without a label.
        joined: When the set was made: ISO 8601, UTC.
    """

    span: str
    version: str
    uri: str
    files: tuple[str, ...]
    rows: int
    predictions: str
    label: str
    counts: Mapping[str, int] = field(default_factory=dict)
    model_versions: Mapping[str, int] = field(default_factory=dict)
    coverage: tuple[Coverage, ...] = ()
    compared: tuple[Compared, ...] = ()
    joined: str = ""

    @property
    def newest(self) -> datetime | None:
        """End of its newest period; None if no prediction has a time."""
        ends = [datetime.fromisoformat(coverage.end) for coverage in self.coverage if coverage.end]
        return max(ends, default=None)

    def content(self) -> dict[str, Any]:
        """Return the record as JSON values."""
        values = {name: value for name, value in asdict(self).items() if name != "uri"}
        return {"format": FORMAT, **values}


def find_joined(uri: str) -> JoinedSet | None:
    """Read the record of a set; None if it is not there, or not whole.

    Args:
        uri: Its folder.

    Raises:
        RetrainerError: If the record is damaged, or has another format.
    """
    place = join(uri, RECORD_FILE)
    if not exists(place):
        return None
    content = read_json(place)
    fix = "Install the release that wrote it, or delete its folder, and the next run joins the labels again."
    check_format(content, FORMAT, f"'{place}'", fix)
    known = {attribute.name for attribute in fields(JoinedSet)}
    try:
        values = {name: value for name, value in content.items() if name in known}
        return JoinedSet(
            **{
                **values,
                "uri": uri,
                "files": tuple(content["files"]),
                "coverage": tuple(Coverage(**one) for one in content["coverage"]),
                "compared": tuple(_compared(one) for one in content["compared"]),
            }
        )
    except (KeyError, TypeError) as error:
        raise RetrainerError(
            f"'{place}' is not what retrainer writes there ({error}). Delete its folder, and the next run joins the "
            "labels again."
        ) from error


def list_joined(store: str, span: str | None = None) -> list[JoinedSet]:
    """List the whole sets.

    Args:
        store: URI of the store.
        span: Only those of this span.

    Returns:
        The sets, by span, oldest first.
    """
    place = Store(store)
    home = None if span is None else place.joined_of_span_uri(span)
    whole = filter(None, map(find_joined, set_folders(place.joined_uri, home)))
    return sorted(whole, key=lambda kept: (kept.span, kept.joined, kept.version))


def newest_joined(store: str) -> list[JoinedSet]:
    """List the newest set of each of the newest `MOST_SPANS` spans, by their names.

    Args:
        store: URI of the store.

    Returns:
        The sets, newest span first.
    """
    place = Store(store)
    names = sorted(list_folders(place.joined_uri), key=natural_order)[-MOST_SPANS:]
    found = [sets[-1] for name in reversed(names) if (sets := list_joined(store, name))]
    times = [joined_set.newest or datetime.fromisoformat(joined_set.joined) for joined_set in found]
    # Spans at one time are ordered by their names.
    order = sorted(range(len(found)), key=lambda place: (times[place], -place), reverse=True)
    return [found[place] for place in order]


def _compared(content: Mapping[str, Any]) -> Compared:
    def counts(name: str) -> tuple[tuple[int, ...], ...]:
        rows: Sequence[Sequence[int]] = content[name]
        return tuple(tuple(row) for row in rows)

    return Compared(
        content["column"], tuple(content["bins"]), counts("labelled"), counts("unlabelled")
    )
