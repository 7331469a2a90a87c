"""Records of any shape: a mapping says where they have what."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..logged import NO_JSON, NO_NAMES, OTHER_COUNT, Logged, LoggedRequest, Unreadable
from ..moments import read_moment
from ..payloads import PayloadError, parse, read_instances
from .reader import ReadContext

_OK_BELOW = 400
_OK = frozenset(("", "ok", "success", "succeeded", "200"))
_TEXT_KEPT = 300

Getter = Callable[[Mapping[str, Any]], Any]


class MappedRecords:
    """Makes requests of records."""

    def __init__(self, context: ReadContext) -> None:
        """Take the mapping."""
        mapping = context.mapping
        self._only = context.only
        self._time = getter(mapping.time)
        self._id, self._row = getter(mapping.request_id), getter(mapping.row)
        self._status, self._error = getter(mapping.status), getter(mapping.error)
        self._version, self._variant = getter(mapping.version), getter(mapping.variant)
        self._rate, self._latency = getter(mapping.sample_rate), getter(mapping.latency_ms)
        self._features = getter(mapping.features) if mapping.features else None
        self._predictions = getter(mapping.predictions)
        self._columns = {name: getter(path) for name, path in mapping.columns.items()}

    def moment(self, record: Mapping[str, Any]) -> int | None:
        """Return when a record is from."""
        return read_moment(self._time(record))

    def request(self, record: Mapping[str, Any], number: int, content: bytes) -> Logged:
        """Make a request of a record.

        Args:
            record: The record.
            number: Its place in the file, from 1.
            content: Its bytes.
        """
        time = read_moment(self._time(record))
        error = self._failure(record)
        try:
            instances = self._instances(record)
            predictions = None if error is not None else self._answers(record, instances)
        except PayloadError as fault:
            if error is None:
                text = content[:_TEXT_KEPT].decode(errors="replace")
                return Unreadable(fault.reason, number, time, text, fault.detail)
            instances, predictions = (), None
        row = self._row(record)
        rate = self._rate(record)
        latency = self._latency(record)
        return LoggedRequest(
            _text(self._id(record)),
            time,
            instances,
            predictions,
            error,
            _text(self._version(record)),
            _text(self._variant(record)),
            float(rate) if isinstance(rate, int | float) and 0 < rate <= 1 else 1.0,
            float(latency) if isinstance(latency, int | float) else None,
            int(row) if isinstance(row, int | float) and row == row else 0,
            line=number,
            content=content,
        )

    def _failure(self, record: Mapping[str, Any]) -> str | None:
        status, said = self._status(record), self._error(record)
        if status is None:
            return str(said) if said else None
        if isinstance(status, str) and status.isdecimal():
            status = int(status)
        if isinstance(status, int | float) and not isinstance(status, bool):
            fine = status < _OK_BELOW
        else:
            fine = str(status).lower() in _OK or status is True
        return None if fine else str(said or f"status {status}")

    def _instances(self, record: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        found: Any = record if self._features is None else self._features(record)
        if isinstance(found, str | bytes):
            found = parse(found)
        if isinstance(found, Mapping) and "instances" not in found and "inputs" not in found:
            instances: Sequence[Mapping[str, Any]] = [found]
        elif found is None:
            raise PayloadError(NO_NAMES, "no features")
        else:
            instances = read_instances(found, self._only)
        if self._columns:
            own = {name: get(record) for name, get in self._columns.items()}
            instances = [{**instance, **own} for instance in instances]
        return instances

    def _answers(
        self, record: Mapping[str, Any], instances: Sequence[Mapping[str, Any]]
    ) -> Sequence[Any]:
        found = self._predictions(record)
        if isinstance(found, str | bytes):
            found = _number_or_json(found)
        if found is None:
            raise PayloadError(OTHER_COUNT, "no prediction")
        many = self._features is not None and isinstance(self._features(record), list)
        answers = found if many and isinstance(found, list) else [found]
        if len(answers) != len(instances):
            raise PayloadError(OTHER_COUNT, f"{len(answers)} for {len(instances)}")
        return answers


def getter(path: str) -> Getter:
    """Return what finds a value in nested records.

    Args:
        path: Keys with dots between them; a record that has the whole path as a key has it there.
    """
    parts = path.split(".")
    if len(parts) == 1:
        return lambda record: record.get(path)

    def get(record: Mapping[str, Any]) -> Any:
        if path in record:
            return record[path]
        found: Any = record
        for part in parts:
            if isinstance(found, list) and part.isdecimal() and int(part) < len(found):
                found = found[int(part)]
            elif isinstance(found, Mapping):
                found = found.get(part)
            else:
                return None
        return found

    return get


def _number_or_json(text: str | bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise PayloadError(NO_JSON, str(error)) from error


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value)
