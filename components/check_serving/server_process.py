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


def _columns(signature, instances):
    specs = signature.structured_input_signature[1]
    columns = {}
    for name, spec in specs.items():
        if not all(name in instance for instance in instances):
            raise KeyError(f"the model takes a feature '{name}' that the rows don't have")
        values = [instance[name] for instance in instances]
        if spec.dtype == tf.string:
            columns[name] = tf.constant(["" if value is None else str(value) for value in values])
        else:
            missing = np.nan if spec.dtype.is_floating else 0
            filled = [missing if value is None else value for value in values]
            columns[name] = tf.constant(np.asarray(filled).astype(spec.dtype.as_numpy_dtype))
    return columns


def _serialise(columns, row):
    features = {}
    for name, column in columns.items():
        value = column[row].numpy()
        if column.dtype == tf.string:
            features[name] = tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
        elif column.dtype.is_floating:
            features[name] = tf.train.Feature(float_list=tf.train.FloatList(value=[value]))
        else:
            features[name] = tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


def _serve(folder, instances, requests):
    start = time.perf_counter()
    model = tf.saved_model.load(folder)
    load_seconds = time.perf_counter() - start
    named = model.signatures["serving_default"]
    columns = _columns(named, instances)
    predictions = next(iter(named(**columns).values())).numpy()
    serialised = tf.constant([_serialise(columns, row) for row in range(len(instances))])
    by_example = next(
        iter(model.signatures["serving_tf_examples"](examples=serialised).values())
    ).numpy()
    latencies = []
    for request in range(requests):
        row = request % len(instances)
        one = {name: column[row : row + 1] for name, column in columns.items()}
        start = time.perf_counter()
        named(**one)
        latencies.append((time.perf_counter() - start) * 1000)
    # The first requests of a row trace and warm up; a server does that before it takes traffic.
    settled = latencies[len(latencies) // 5 :]
    return {
        "load_seconds": load_seconds,
        "predictions": predictions.tolist(),
        "example_predictions": by_example.tolist(),
        "latency_ms": {
            "p50": float(np.percentile(settled, 50)),
            "p95": float(np.percentile(settled, 95)),
        },
    }


def _main():
    folder, request, answer, requests = sys.argv[1:]
    with open(request, encoding="utf-8") as file:
        instances = json.load(file)["instances"]
    try:
        result = _serve(folder, instances, int(requests))
    except (OSError, KeyError, ValueError, TypeError, tf.errors.OpError) as error:
        lines = str(error).strip().splitlines() or [""]
        result = {"error": f"{type(error).__name__}: {lines[0]}"}
    with open(answer, "w", encoding="utf-8") as file:
        json.dump(result, file)


if __name__ == "__main__":
    _main()
