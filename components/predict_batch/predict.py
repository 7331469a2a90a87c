"""Scoring spans with a model of the registry."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..lib.errors import RetrainerError
from ..lib.predictions.prediction_sets import RECORD_FILE, PredictionSet
from ..lib.progress import progress
from ..lib.registry.registry import CHAMPION, ModelVersion, Registry
from ..lib.saved_models.saved_model import load_model
from ..lib.source_files import SourceSpan
from ..lib.source_rows.declared_types import read_schema_types
from ..lib.source_rows.settings import check_query
from ..lib.spans.span_discovery import find_spans
from ..lib.spans.span_patterns import LATEST
from ..lib.spans.span_periods import span_periods
from ..lib.spans.windows import choose_window
from ..lib.store import Store, span_folder
from ..lib.uris import join, write_json
from ..lib.words import name_spans, plural
from .setting_names import settings_named
from .settings import PredictSettings, WantedColumns
from .source_predictions import SpanWork
from .span_predictions import predict_span


@dataclass(frozen=True)
class Predicted:
    """The result of batch prediction.

    Attributes:
        sets: The predictions of each span, oldest first.
        model_version: Number of the model in the registry.
        verdict: What was scored, in one sentence.
    """

    sets: tuple[PredictionSet, ...]
    model_version: int
    verdict: str

    @property
    def newest_span(self) -> str:
        """Name of the newest span."""
        return self.sets[-1].span

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return sum(prediction_set.rows for prediction_set in self.sets)

    @property
    def errors(self) -> int:
        """How many of them have no prediction."""
        return sum(prediction_set.errors for prediction_set in self.sets)


def predict(
    pattern: str,
    store: str,
    settings: PredictSettings,
    *,
    model: str = CHAMPION,
    span: str = LATEST,
    window: int = 1,
    marker: str = "",
    schema_uri: str = "",
    output: str = "",
    artifact: str = "",
    beam_args: Sequence[str] = (),
) -> Predicted:
    """Score the newest spans that a pattern matches.

    Args:
        pattern: Where the spans are, with `{span}` in it.
        store: URI of the store.
        settings: What is read, kept and scored.
        model: `champion`, or the number of a version.
        span: Name of the newest span, or `latest`.
        window: How many spans at most.
        marker: Name of the file that completes a span; empty for none.
        schema_uri: A curated schema, which declares types; empty for the one that is frozen in the store.
        output: Folder for the predictions; empty for the store.
        artifact: Folder for `predictions.json`, which names what was written; empty for none.
        beam_args: Beam's own options; none scores in this process.

    Returns:
        What was scored.

    Raises:
        RetrainerError: If data or model are missing or unusable.
    """
    if window < 1:
        raise RetrainerError(f"window is {window}; it must be 1 or more (predict.window).")
    settings.check()
    # Once: whatever becomes champion meanwhile, all rows are scored by one model.
    version = resolve_model(store, model)
    with settings_named():
        check_query(settings.rows.source.query, pattern)
        found = find_spans(pattern, marker)
        chosen = choose_window(found, span, window, pattern, 1, marker)
        return predict_spans(
            chosen,
            store,
            settings,
            version,
            pattern=pattern,
            schema_uri=schema_uri,
            output=output,
            artifact=artifact,
            beam_args=beam_args,
        )


def predict_spans(
    spans: list[SourceSpan],
    store: str,
    settings: PredictSettings,
    version: ModelVersion,
    *,
    pattern: str = "",
    schema_uri: str = "",
    output: str = "",
    artifact: str = "",
    beam_args: Sequence[str] = (),
) -> Predicted:
    """Score spans that were found already.

    Args:
        spans: The spans, oldest first.
        store: URI of the store.
        settings: What is read, kept and scored.
        version: The model.
        pattern: The pattern that the spans were found with, which has the format of their dates.
        schema_uri: As `predict` takes it.
        output: As `predict` takes it.
        artifact: As `predict` takes it.
        beam_args: As `predict` takes it.
    """
    who = f"model (version {version.version})"
    loaded = load_model(version.uri, who)
    wanted = WantedColumns(settings, loaded.kinds, who)
    periods = span_periods([span.name for span in spans], pattern)
    work = SpanWork(
        version,
        wanted,
        wanted.types(read_schema_types(store, schema_uri)),
        {name: period.start for name, period in periods.items()},
    )
    key = settings.rows.read_key()
    sets, reused = [], 0
    for number, span in enumerate(spans):
        progress("scoring spans", number, len(spans))
        folder = span_folder(span.name)
        home = join(output, folder) if output else Store(store).predictions_of_span_uri(span.name)
        made, was_there = predict_span(span, home, work, loaded, key, beam_args)
        sets.append(made)
        reused += was_there
    predicted = Predicted(tuple(sets), version.version, _verdict(sets, reused, version))
    if artifact:
        write_json(join(artifact, RECORD_FILE), _manifest(predicted))
    return predicted


def resolve_model(store: str, model: str) -> ModelVersion:
    """Find the model to score with.

    Args:
        store: URI of the store.
        model: `champion`, or the number of a version.

    Raises:
        RetrainerError: If there is none.
    """
    registry = Registry(Store(store).models_uri)
    if model == CHAMPION:
        champion = registry.resolve(CHAMPION)
        if champion is None:
            raise RetrainerError(
                f"no model is in service in '{registry.uri}', so there is no champion to score with. Train one with "
                "'retrainer run', or name a version (predict.model)."
            )
        return champion
    if not model.isdecimal():
        raise RetrainerError(
            f"the model is '{model}'; it must be '{CHAMPION}' or the number of a version (predict.model)."
        )
    return registry.get(int(model))


def _verdict(sets: list[PredictionSet], reused: int, version: ModelVersion) -> str:
    rows, errors = (
        sum(prediction_set.rows for prediction_set in sets),
        sum(prediction_set.errors for prediction_set in sets),
    )
    spans = plural(len(sets), "span")
    names = name_spans([prediction_set.span for prediction_set in sets])
    parts = [f"{plural(rows, 'row')} of {spans} ({names}) scored by version {version.version}"]
    if reused:
        parts.append(f"{reused} of {spans} scored before")
    if errors:
        parts.append(f"{errors:,} without a prediction")
    return "; ".join(parts)


def _manifest(predicted: Predicted) -> dict[str, object]:
    return {
        "format": 1,
        "model_version": predicted.model_version,
        "rows": predicted.rows,
        "errors": predicted.errors,
        "sets": [prediction_set.entry() for prediction_set in predicted.sets],
    }
