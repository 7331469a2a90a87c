"""Statistics of what a model was trained on, span by span, from the sketches that are kept beside the spans."""

from contextlib import suppress

import tensorflow_data_validation as tfdv

from ..digests import digest_value
from ..errors import RetrainerError
from ..examples import TRAIN, SpanPart
from ..registry.model_versions import ModelVersion
from ..spans.stored_spans import find_version
from ..store import Store
from ..uris import join, read_bytes, write_atomic
from .prediction_statistics import FINE
from .sketch_store import SketchStore
from .sketches import SketchSettings, column_blocks
from .statistics_artifact import Statistics, parse_statistics
from .tfdv_extract import extract, join_columns

# A span that is not split has one part.
_WHOLE = "all"


def training_parts(store: str, model: ModelVersion) -> list[SpanPart]:
    """List the rows that a model was trained on, as the store has them.

    Args:
        store: URI of the store.
        model: The model.

    Returns:
        A part for each span, oldest first.

    Raises:
        RetrainerError: If its record does not say which they are, or the store does not have one of them any more.
    """
    who = f"version {model.version}"
    spans = list(model.info.get("train_spans") or [])
    versions = model.info.get("span_versions") or {}
    if not spans or not versions:
        raise RetrainerError(
            f"the record of {who} does not say which spans it was trained on, so what serves can't be compared with "
            "its training data. Train it with retrainer's pipeline and push it again, or leave skew out "
            "(monitoring.drift.skew: false)."
        )
    parts = []
    for span in spans:
        version = versions.get(span, "")
        uri = Store(store).version_uri(span, version)
        found = find_version(uri) if version else None
        if found is None:
            raise RetrainerError(
                f"{who} was trained on span {span}, whose version '{version}' is not in the store ('{uri}'): the "
                "baseline of skew is missing. Restore that folder, run the pipeline so that a model of spans that the "
                "store has becomes champion, or leave skew out (monitoring.drift.skew: false)."
            )
        part = TRAIN if TRAIN in found.parts else _WHOLE
        content = found.parts[part]
        parts.append(SpanPart(span, uri, part, content["rows"], tuple(content["files"])))
    return parts


def training_statistics(store: str, model: ModelVersion) -> dict[str, Statistics]:
    """Return the statistics of what a model was trained on.

    Args:
        store: URI of the store.
        model: The model.

    Returns:
        TFDV's statistics with the quantiles of `FINE`, by span, oldest first; do not modify them.

    Raises:
        RetrainerError: As `training_parts`.
    """
    sketches = SketchStore(SketchSettings())
    return {
        part.span: _statistics(part, sketches) for part in training_parts(store, model) if part.rows
    }


def _statistics(part: SpanPart, sketches: SketchStore) -> Statistics:
    key = digest_value([FINE.key(()), SketchSettings().key(())])[:12]
    uri = join(part.uri, f"fine-{part.part}-{key}-tfdv{tfdv.__version__}.pb")
    with suppress(FileNotFoundError, ValueError):
        return parse_statistics(read_bytes(uri))
    blocks = column_blocks(sketches.columns(part), FINE)
    made = join_columns(
        [extract(sketches.accumulators(part, (), columns), FINE.generators) for columns in blocks]
    )
    # In a read-only store they are made each time.
    with suppress(PermissionError):
        write_atomic(uri, made.SerializeToString(deterministic=True), durable=False)
    return made
