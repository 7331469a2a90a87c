"""Where records that anybody may have written have what."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from ..lib.errors import RetrainerError
from ..lib.words import did_you_mean


@dataclass(frozen=True)
class LogMapping:
    """Where a record of JSON Lines or Parquet has what: names of keys or columns, with dots into nested ones.

    Attributes:
        request_id: The request.
        row: The row's place in its request, from 0.
        time: When it came: ISO 8601, or seconds, milliseconds or microseconds since 1970.
        status: A status of HTTP, of which 400 and more are failures, or text, of which `ok` and `success` are none.
        error: Why it failed; any text is a failure where there is no status.
        version: The model's version as the server names it.
        variant: The part that the model played.
        sample_rate: The share of requests that are logged.
        latency_ms: How long the answer took, in milliseconds.
        features: What the model was sent: an object, or a list of them; empty: the record's own keys.
        predictions: What it answered: a number, a list or an object; where `features` is a list, a list of such.
        columns: Where single columns stand, by their name: features, keys and what else is to be kept.
    """

    request_id: str = "request_id"
    row: str = "row"
    time: str = "occurred_at"
    status: str = "status"
    error: str = "error"
    version: str = "model_version"
    variant: str = "variant"
    sample_rate: str = "sample_rate"
    latency_ms: str = "latency_ms"
    features: str = ""
    predictions: str = "prediction"
    columns: Mapping[str, str] = field(default_factory=dict)


def parse_mapping(given: Mapping[str, Any]) -> LogMapping:
    """Read a mapping.

    Args:
        given: As in retrain.yaml; what is not there has its default.

    Raises:
        RetrainerError: If a key is unknown.
    """
    known = [attribute.name for attribute in fields(LogMapping)]
    for name in given:
        if name not in known:
            raise RetrainerError(
                f"monitoring.predictions.mapping has no key '{name}'.{did_you_mean(name, known, 'It has')}"
            )
    return LogMapping(**{name: value for name, value in given.items() if value is not None})
