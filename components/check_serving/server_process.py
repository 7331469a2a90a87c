"""What a model server does, in a process of its own: TensorFlow and nothing of retrainer.

Called as `server_process.py MODEL REQUEST ANSWER REQUESTS`: loads the SavedModel, sends it the rows of the JSON
request (as a server's REST door brings them: a list of instances by feature name), by name and as serialised
tf.Examples, times single-row requests, and writes what came of it as JSON.
"""

import json
import sys
import time

import numpy as np
import tensorflow as tf

SIGNATURES = ("serving_default", "serving_tf_examples")
NUMPY_DTYPES = {
    tf.int64: np.int64,
    tf.int32: np.int32,
    tf.float32: np.float32,
    tf.float64: np.float64,
}


class Server:
    """A loaded SavedModel.

    It is loaded into a session with its own restore op, which is what a model server in C++ does; TensorFlow's
    Python loader takes another way, and loads models that such a server can't.
    """

    def __init__(self, folder: str) -> None:
        """Load the SavedModel in a folder."""
        self._session = tf.compat.v1.Session(graph=tf.Graph())
        with self._session.graph.as_default():
            graph = tf.compat.v1.saved_model.load(self._session, ["serve"], folder)
        self.signatures = graph.signature_def

    def inputs(self, signature: str) -> dict:
        """List the inputs of a signature with their types."""
        return {
            name: tf.as_dtype(info.dtype)
            for name, info in self.signatures[signature].inputs.items()
        }

    def predict(self, signature: str, columns: dict) -> np.ndarray:
        """Call a signature with arrays by input name; gives its one output."""
        found = self.signatures[signature]
        output = next(iter(found.outputs.values()))
        feed = {found.inputs[name].name: column for name, column in columns.items()}
        return self._session.run(output.name, feed)


class RefusedError(Exception):
    """What the model asks for and the rows can't give."""


def _columns(inputs: dict, instances: list) -> dict:
    columns = {}
    for name, dtype in inputs.items():
        has_missing = dtype == tf.string or dtype.is_floating
        if not has_missing and not any(name in instance for instance in instances):
            raise RefusedError(f"the model takes a feature '{name}' that the rows don't have")
        values = [instance.get(name) for instance in instances]
        if dtype == tf.string:
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


def _serialise(columns: dict, row: int) -> bytes:
    features = {}
    for name, column in columns.items():
        value = column[row]
        if column.dtype == object:
            features[name] = tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
        elif column.dtype.kind == "f":
            features[name] = tf.train.Feature(float_list=tf.train.FloatList(value=[value]))
        else:
            features[name] = tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


def _serve(folder: str, instances: list, requests: int) -> dict:
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


def _main() -> None:
    folder, request, answer, requests = sys.argv[1:]
    with open(request, encoding="utf-8") as file:
        instances = json.load(file)["instances"]
    try:
        result = _serve(folder, instances, int(requests))
    except RefusedError as error:
        result = {"error": str(error)}
    except Exception as error:
        # Whatever a model raises is an answer about it; the caller shortens it.
        result = {"raised": type(error).__name__, "message": str(error)}
    with open(answer, "w", encoding="utf-8") as file:
        json.dump(result, file)


if __name__ == "__main__":
    _main()
