"""Which of the store's predictions are monitored."""

from ..lib.predictions.joined_sets import JoinedSet, newest_joined
from ..lib.predictions.prediction_sets import INGEST_PREDICTIONS, PredictionSet, list_predictions


def monitored_predictions(store: str, output: str) -> list[PredictionSet]:
    """List the sets of predictions, by span, oldest first.

    Args:
        store: URI of the store.
        output: Of a model with several outputs the one that is judged. Logs are ingested with its answers alone; tables
            of `predict_batch`, which have those of all outputs, are left out.
    """
    sets = list_predictions(store)
    return [one for one in sets if one.writer == INGEST_PREDICTIONS] if output else sets


def monitored_joined(store: str, output: str) -> list[JoinedSet]:
    """List the newest of these predictions that have labels, newest span first.

    Args:
        store: URI of the store.
        output: As for `monitored_predictions`.
    """
    joined = newest_joined(store)
    if not output:
        return joined
    # The predictions of a span are of one writer.
    spans = {one.span for one in monitored_predictions(store, output)}
    return [one for one in joined if one.span in spans]
