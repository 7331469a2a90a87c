"""Reads TensorFlow Serving's `PredictionLog` in TFRecord files.

Messages: tensorflow/serving, tensorflow_serving/apis/prediction_log.proto and logging.proto. A record is a request with
its answer: predictions by tensors, classifications and regressions by tf.Examples. It has the model's version, the rate
of sampling and a time in seconds, and no ID.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...lib.errors import RetrainerError
from ...lib.source_rows.sources.record_io import read_records
from ..logged import OTHER_COUNT, Logged, LoggedRequest, Unreadable
from ..opened_log import CutOffError, OpenedLog
from ..payloads import PayloadError, choose_output
from .reader import ReadContext

_NO_LOG = "it is no PredictionLog of a prediction, classification or regression"


def open_reader(context: ReadContext) -> "PredictionLogReader":
    """Make a reader; see `Reader`."""
    return PredictionLogReader(context)


class PredictionLogReader:
    """Reads records of PredictionLog."""

    endings = (".tfrecord", ".tfrecords")
    whole = True
    pairs = False

    def __init__(self, context: ReadContext) -> None:
        """Take what it must know."""
        self._context = context

    def read_moments(self, log: OpenedLog) -> Iterator[tuple[int | None, bytes]]:
        """See `Reader`."""
        for _, record in _records(log):
            found = _parse(record)
            yield None if found is None else _moment(found), record

    def read(self, log: OpenedLog) -> Iterator[Logged]:
        """See `Reader`."""
        for number, record in _records(log):
            found = _parse(record)
            if found is None:
                yield Unreadable(_NO_LOG, number)
                continue
            try:
                instances, predictions = self._rows(found)
                if len(instances) != len(predictions):
                    detail = f"{len(predictions)} for {len(instances)}"
                    raise PayloadError(OTHER_COUNT, detail)
            except PayloadError as error:
                yield Unreadable(error.reason, number, _moment(found), "", error.detail)
                continue
            metadata = found.log_metadata
            spec = metadata.model_spec
            version = str(spec.version.value) if spec.HasField("version") else ""
            rate = metadata.sampling_config.sampling_rate
            yield LoggedRequest(
                "",
                _moment(found),
                instances,
                predictions,
                None,
                version,
                spec.version_label,
                rate if 0 < rate <= 1 else 1.0,
                line=number,
                content=record,
            )

    def finish(self) -> Iterator[Logged]:
        """See `Reader`; each record is whole."""
        yield from ()

    def _rows(self, found: Any) -> tuple[Sequence[Mapping[str, Any]], Sequence[Any]]:
        kind = found.WhichOneof("log_type")
        if kind == "predict_log":
            log = found.predict_log
            return self._instances(log.request.inputs), self._answers(log.response.outputs)
        if kind == "classify_log":
            log = found.classify_log
            answers = [
                # Of two classes, the second one's score is that of the event.
                [one.score for one in answer.classes][-1:]
                if len(answer.classes) == 2
                else [one.score for one in answer.classes]
                for answer in log.response.result.classifications
            ]
            return _examples(log.request.input), answers
        if kind == "regress_log":
            log = found.regress_log
            answers = [[regression.value] for regression in log.response.result.regressions]
            return _examples(log.request.input), answers
        raise PayloadError(_NO_LOG, str(kind or "empty"))

    def _instances(self, inputs: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        columns = {name: _values(tensor) for name, tensor in inputs.items()}
        if len(columns) == 1:
            name, cells = next(iter(columns.items()))
            serialized = bool(cells) and isinstance(cells[0], bytes)
            if name not in self._context.columns and serialized:
                # A signature that takes serialized tf.Examples.
                return [_parse_example(cell) for cell in cells]
        lengths = {len(cells) for cells in columns.values()}
        if len(lengths) != 1:
            raise PayloadError(OTHER_COUNT, f"inputs of {sorted(lengths)} rows")
        names = list(columns)
        cells_by_row = zip(*columns.values(), strict=True)
        return [dict(zip(names, cells, strict=True)) for cells in cells_by_row]

    def _answers(self, outputs: Mapping[str, Any]) -> Sequence[Any]:
        return _values(choose_output(dict(outputs), self._context.output))


def _records(log: OpenedLog) -> Iterator[tuple[int, bytes]]:
    number = 0
    try:
        for records in read_records(log.stream, log.file.uri):
            for record in records:
                number += 1
                yield number, record
    except RetrainerError as error:
        # What stands before can be read.
        raise CutOffError(str(error)) from error


def _parse(record: bytes) -> Any:
    from google.protobuf.message import DecodeError
    from tensorflow_serving.apis import prediction_log_pb2  # type: ignore[import-untyped]

    try:
        found = prediction_log_pb2.PredictionLog.FromString(record)
    except DecodeError:
        return None
    return found if found.WhichOneof("log_type") else None


def _moment(found: Any) -> int | None:
    seconds = found.log_metadata.timestamp_secs
    return seconds * 1_000_000 if seconds > 0 else None


def _values(tensor: Any) -> list[Any]:
    import tensorflow as tf

    try:
        array = tf.make_ndarray(tensor)
    except (TypeError, ValueError) as error:
        raise PayloadError("a tensor can't be read", str(error)) from error
    values: list[Any] = array.reshape(1).tolist() if array.ndim == 0 else array.tolist()
    return values


def _examples(given: Any) -> Sequence[Mapping[str, Any]]:
    if given.WhichOneof("kind") == "example_list_with_context":
        context = _features(given.example_list_with_context.context)
        return [
            {**context, **_features(example)}
            for example in given.example_list_with_context.examples
        ]
    return [_features(example) for example in given.example_list.examples]


def _parse_example(cell: bytes) -> Mapping[str, Any]:
    import tensorflow as tf
    from google.protobuf.message import DecodeError

    try:
        return _features(tf.train.Example.FromString(cell))
    except DecodeError as error:
        raise PayloadError("an input holds no tf.Example", str(error)) from error


def _features(example: Any) -> dict[str, Any]:
    found = {}
    for name, feature in example.features.feature.items():
        kind = feature.WhichOneof("kind")
        values = list(getattr(feature, kind).value) if kind else []
        found[name] = values[0] if len(values) == 1 else (values or None)
    return found
