"""Sets of predictions: the tables of a span, and the record that says that they are whole."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..errors import RetrainerError
from ..folders import list_folders
from ..store import Store
from ..uris import exists, join, read_json

RECORD_FILE = "predictions.json"
"""Written last: a folder without it is not whole."""
PREDICT_BATCH, INGEST_PREDICTIONS = "predict_batch", "ingest_predictions"
"""Values of a record's `writer`: one span has the tables of one of them."""


@dataclass(frozen=True)
class PredictionSet:
    """The predictions of one span, whole.

    Attributes:
        span: The span's name.
        version: Digest of what the predictions were made of.
        uri: Its folder.
        files: Names of its Parquet files, in order.
        rows: How many rows they have.
        errors: How many of them have no prediction.
        model_version: Number of the model in the registry.
        model_digest: SHA-256 of the model's content.
        scored: When the rows were scored, or the log was read: ISO 8601, UTC.
        writer: What wrote them: `predict_batch` or `ingest_predictions`.
    """

    span: str
    version: str
    uri: str
    files: tuple[str, ...]
    rows: int
    errors: int
    model_version: int | None
    model_digest: str
    scored: str
    writer: str = PREDICT_BATCH

    def entry(self) -> dict[str, Any]:
        """Return what an artifact that lists sets says of this one: where its tables are."""
        return {
            "span": self.span,
            "version": self.version,
            "uri": self.uri,
            "files": list(self.files),
        }


def list_predictions(store: str, span: str | None = None) -> list[PredictionSet]:
    """List the whole sets of predictions.

    Args:
        store: URI of the store.
        span: Only those of this span.

    Returns:
        The sets, by span, oldest first.
    """
    place = Store(store)
    home = None if span is None else place.predictions_of_span_uri(span)
    whole = filter(None, map(find_predictions, set_folders(place.predictions_uri, home)))
    return sorted(whole, key=lambda kept: (kept.span, kept.scored, kept.version))


def set_folders(root: str, home: str | None) -> Iterator[str]:
    """List the folders of sets, which are in a folder for each span.

    Args:
        root: The folder with the spans' folders.
        home: Only the sets in this span's folder; None for those of all spans.
    """
    homes = [join(root, name) for name in list_folders(root)] if home is None else [home]
    return (join(folder, name) for folder in homes for name in list_folders(folder))


def check_writer(home: str, writer: str) -> None:
    """Check that a span has no predictions of another component: rows of both would count as one.

    Args:
        home: Folder of the span's sets.
        writer: The component that is to write there.

    Raises:
        RetrainerError: If it has.
    """
    for name in list_folders(home):
        found = find_predictions(join(home, name))
        if found and found.writer != writer:
            raise RetrainerError(
                f"span {found.span} has predictions of {found.writer} in '{home}', and {writer} would write there too. "
                "Keep those of batch prediction elsewhere (predict.output), or cut logs into other spans "
                "(monitoring.predictions.period)."
            )


def find_predictions(uri: str) -> PredictionSet | None:
    """Read the record of a set of predictions; None if it is not there, or not whole.

    Args:
        uri: Its folder.

    Raises:
        RetrainerError: If the record is damaged.
    """
    place = join(uri, RECORD_FILE)
    if not exists(place):
        return None
    content = read_json(place)
    try:
        # Records from before there were others have no writer.
        content = {"writer": PREDICT_BATCH, **content}
        known = {
            name: content[name] for name in PredictionSet.__dataclass_fields__ if name != "uri"
        }
        return PredictionSet(**{**known, "uri": uri, "files": tuple(content["files"])})
    except (KeyError, TypeError) as error:
        raise RetrainerError(
            f"'{place}' is not what retrainer writes there ({error}). Delete its folder, and predict again."
        ) from error
