"""What a model server does with a SavedModel, with modules of TensorFlow alone.

`server_process.py` loads this file by its path, in a process of its own: it imports nothing of retrainer.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from tensorflow.core.example import example_pb2, feature_pb2
from tensorflow.python.client import session
from tensorflow.python.framework import dtypes, ops
from tensorflow.python.saved_model import loader

SIGNATURES = ("serving_default", "serving_tf_examples")
NUMPY_DTYPES = {
    dtypes.int64: np.int64,
    dtypes.int32: np.int32,
    dtypes.float32: np.float32,
    dtypes.float64: np.float64,
}


class Server:
    """A loaded SavedModel.

    It is loaded into a session with its own restore op, which is what a model server in C++ does; TensorFlow's
    Python loader takes another way, and loads models that such a server can't.
    """

    def __init__(self, folder: str) -> None:
        """Load the SavedModel in a folder."""
        self._session = session.Session(graph=ops.Graph())
        with self._session.graph.as_default():
            graph = loader.load(self._session, ["serve"], folder)
        self.signatures = graph.signature_def

    def inputs(self, signature: str) -> dict[str, Any]:
        """List the inputs of a signature with their types."""
        return {
            name: dtypes.as_dtype(info.dtype)
            for name, info in self.signatures[signature].inputs.items()
        }

    def predict(self, signature: str, columns: Mapping[str, np.ndarray]) -> np.ndarray:
        """Call a signature with arrays by input name; gives its one output."""
        found = self.signatures[signature]
        output = next(iter(found.outputs.values()))
        feed = {found.inputs[name].name: column for name, column in columns.items()}
        return self._session.run(output.name, feed)


class RefusedError(Exception):
    """What the model asks for and the rows can't give."""


def _columns(
    inputs: Mapping[str, Any], instances: Sequence[Mapping[str, Any]]
) -> dict[str, np.ndarray]:
    columns = {}
    for name, dtype in inputs.items():
        has_missing = dtype == dtypes.string or dtype.is_floating
        if not has_missing and not any(name in instance for instance in instances):
            raise RefusedError(f"the model takes a feature '{name}' that the rows don't have")
        values: list[Any] = [instance.get(name) for instance in instances]
        if dtype == dtypes.string:
            texts = ["" if value is None else str(value) for value in values]
            columns[name] = np.array([text.encode() for text in texts], dtype=object)
        elif any(isinstance(value, str) for value in values):
            raise RefusedError(f"the model takes '{name}' as {dtype.name}, and the rows have text")
        elif dtype.is_floating:
            filled = [np.nan if value is None else value for value in values]
            columns[name] = np.asarray(filled).astype(NUMPY_DTYPES[dtype])
        else:
            if None in values:
                raise RefusedError(
                    f"the model takes '{name}' as {dtype.name}, which has no missing value, and it is missing in "
                    f"{values.count(None)} of {len(values)} rows"
                )
            if any(value != int(value) for value in values):
                raise RefusedError(
                    f"the model takes '{name}' as {dtype.name}, and the rows have fractions"
                )
            columns[name] = np.asarray(values).astype(NUMPY_DTYPES[dtype])
    return columns


def _serialise(columns: Mapping[str, np.ndarray], row: int) -> bytes:
    features = {}
    for name, column in columns.items():
        value = column[row]
        if column.dtype == object:
            features[name] = feature_pb2.Feature(bytes_list=feature_pb2.BytesList(value=[value]))
        elif column.dtype.kind == "f":
            features[name] = feature_pb2.Feature(float_list=feature_pb2.FloatList(value=[value]))
        else:
            features[name] = feature_pb2.Feature(int64_list=feature_pb2.Int64List(value=[value]))
    return example_pb2.Example(features=feature_pb2.Features(feature=features)).SerializeToString()


def _serve(folder: str, instances: Sequence[Mapping[str, Any]], requests: int) -> dict[str, Any]:
    start = time.perf_counter()
    server = Server(folder)
    load_seconds = time.perf_counter() - start
    missing = [name for name in SIGNATURES if name not in server.signatures]
    if missing:
        raise RefusedError(
            f"the model has no signature '{missing[0]}', only {', '.join(sorted(server.signatures)) or 'none'}"
        )
    columns = _columns(server.inputs("serving_default"), instances)
    # An optional column that none of the rows has is sent empty, as evaluate_model judges it.
    empty = [name for name in columns if not any(name in instance for instance in instances)]
    predictions = server.predict("serving_default", columns)
    serialised = np.array([_serialise(columns, row) for row in range(len(instances))], dtype=object)
    by_example = server.predict("serving_tf_examples", {"examples": serialised})
    latencies = []
    for request in range(requests):
        row = request % len(instances)
        one = {name: column[row : row + 1] for name, column in columns.items()}
        start = time.perf_counter()
        server.predict("serving_default", one)
        latencies.append((time.perf_counter() - start) * 1000)
    # The first requests warm up; a server does that before it takes traffic.
    settled = latencies[len(latencies) // 5 :]
    return {
        "load_seconds": load_seconds,
        "warnings": [f"'{name}' was sent empty: none of the rows has it" for name in empty],
        "predictions": predictions.tolist(),
        "example_predictions": by_example.tolist(),
        "latency_ms": {
            "p50": float(np.percentile(settled, 50)),
            "p95": float(np.percentile(settled, 95)),
        }
        if settled
        else None,
    }


def answer(request: Mapping[str, Any]) -> dict[str, Any]:
    """Serve the rows of a request, and report what came of it.

    Args:
        request: `model`, the folder of a SavedModel; `instances`, rows as a server's REST door brings them, by feature
            name; `requests`, how many requests of a single row to time.

    Returns:
        `predictions` by name and `example_predictions` of serialised tf.Examples, `load_seconds`, `latency_ms` and
        `warnings`; or `error`; or `raised` and `message` of what TensorFlow raised.
    """
    try:
        return _serve(request["model"], request["instances"], request["requests"])
    except RefusedError as error:
        return {"error": str(error)}
    except Exception as error:
        # Whatever a model raises is an answer about it; the caller shortens it.
        return {"raised": type(error).__name__, "message": str(error)}
