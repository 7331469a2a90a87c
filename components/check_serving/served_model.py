"""What a model server does with a SavedModel, with modules of TensorFlow alone.

`server_process.py` imports this file in a process of its own; it and the modules beside it that it names import nothing
of retrainer but the tolerance of predictions.
"""

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from tensorflow.python.client import session
from tensorflow.python.framework import dtypes, ops
from tensorflow.python.saved_model import loader

from ..lib.saved_models.prediction_tolerance import Tolerance
from .client_rows import RefusedError, convert_rows, to_json
from .file_reads import find_outside_reads
from .measurements import BATCHES, measure_batches, measure_memory, memory_mb
from .parity import compare_signatures, compare_with_evaluation, evaluation_columns
from .python_functions import find_python_functions
from .request_forms import check_forms

NAMED, OF_EXAMPLES = "serving_default", "serving_tf_examples"
OUTPUT = "predictions"


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
        self.meta_graph = graph

    def inputs(self, signature: str) -> dict[str, Any]:
        """List the inputs of a signature with their types."""
        return {
            name: dtypes.as_dtype(info.dtype)
            for name, info in self.signatures[signature].inputs.items()
        }

    def predict(self, signature: str, columns: Mapping[str, np.ndarray]) -> np.ndarray:
        """Call a signature with arrays by input name.

        Returns:
            The output that evaluation reads, too: the only one, or `predictions`; else all of them side by side, shape
            (rows, numbers of all outputs), sorted by their names.
        """
        found = self.signatures[signature]
        names = [OUTPUT] if OUTPUT in found.outputs else sorted(found.outputs)
        feed = {}
        for name, column in columns.items():
            info = found.inputs[name]
            # A model from elsewhere may want (rows, 1).
            rank = len(info.tensor_shape.dim)
            feed[info.name] = column.reshape(-1, 1) if rank == 2 else column
        answers: list[np.ndarray] = self._session.run(
            [found.outputs[name].name for name in names], feed
        )
        rows = len(next(iter(columns.values())))
        wrong = [one for one in answers if one.shape[:1] != (rows,)]
        if len(answers) == 1 or wrong:
            return [*wrong, *answers][0]
        return np.concatenate([one.reshape(rows, -1) for one in answers], axis=1)

    def predict_named(self, columns: Mapping[str, np.ndarray]) -> np.ndarray:
        """Call the signature of named columns."""
        return self.predict(NAMED, columns)

    def predict_examples(self, serialised: np.ndarray) -> np.ndarray:
        """Call the signature of serialised tf.Examples."""
        return self.predict(OF_EXAMPLES, {"examples": serialised})


def _serve(request: Mapping[str, Any]) -> dict[str, Any]:
    instances = request["instances"]
    start = time.perf_counter()
    server = Server(request["model"])
    load_seconds = time.perf_counter() - start
    loaded_mb = memory_mb()
    missing = [name for name in (NAMED, OF_EXAMPLES) if name not in server.signatures]
    if missing:
        raise RefusedError(
            f"the model has no signature '{missing[0]}', only {', '.join(sorted(server.signatures)) or 'none'}"
        )
    python = find_python_functions(server.meta_graph)
    if outside := [*filter(None, [python]), *find_outside_reads(server.meta_graph)]:
        raise RefusedError("; ".join(outside))
    inputs = server.inputs(NAMED)
    columns = convert_rows(inputs, instances)
    # An optional column that none of the rows has is sent empty, as evaluate_model judges it.
    empty = [name for name in columns if not any(name in instance for instance in instances)]
    predictions = server.predict_named(columns)
    answer: dict[str, Any] = {
        "load_seconds": load_seconds,
        "warnings": [f"'{name}' was sent empty: none of the rows has it" for name in empty],
        "predictions": predictions.tolist(),
        "columns": to_json(columns, request["kept_rows"]),
        "problems": [],
        "latency_ms": {},
        "memory_mb": None,
    }
    if predictions.shape[:1] != (len(instances),) or not np.isfinite(predictions).all():
        return answer
    judged = evaluation_columns(request["evaluation"], inputs, columns)
    tolerance = Tolerance.around(predictions, request["tolerance"])
    of_these = Tolerance(request["tolerance"])
    found = [
        compare_with_evaluation(server.predict_named, columns, judged, predictions, of_these),
        compare_signatures(server.predict_named, server.predict_examples, columns, of_these),
    ]
    problems = [problem for problem in found if problem]
    forms = check_forms(server.predict_named, server.predict_examples, inputs, instances, tolerance)
    answer["warnings"] += forms.warnings
    sizes = sorted({*BATCHES, *request["batches"]})
    answer["latency_ms"], differing = measure_batches(
        server.predict_named, columns, predictions, sizes, request["requests"], tolerance
    )
    # What is wrong with rows as they are shows in their forms again.
    answer["problems"] = problems or differing or forms.problems
    memory = measure_memory(
        server.predict_named, columns, request["memory_requests"], request["max_memory_growth_mb"]
    )
    if memory is not None and loaded_mb is not None:
        answer["memory_mb"] = {"loaded": loaded_mb, **memory}
    return answer


def answer(request: Mapping[str, Any]) -> dict[str, Any]:
    """Serve the rows of a request, and report what came of it.

    Args:
        request: `model`, the folder of a SavedModel; `instances`, rows as a server's REST door brings them, by feature
            name; `evaluation`, the cells that evaluation makes of them, by column; `requests`, how many requests of a
            single row to time; `batches`, sizes to time besides the usual ones; `memory_requests`, how many requests
            to send while memory is measured; `max_memory_growth_mb`, its bound; `tolerance`, how far equal predictions
            may be apart; `kept_rows`, how many rows to return as they were sent.

    Returns:
        `predictions` by name, `columns` as they were sent, `problems`, `warnings`, `load_seconds`, `latency_ms` by
        batch size and `memory_mb`; or `error`; or `raised` and `message` of what TensorFlow raised.
    """
    try:
        return _serve(request)
    except RefusedError as error:
        return {"error": str(error)}
    except Exception as error:
        # Whatever a model raises is an answer about it; the caller shortens it.
        return {"raised": type(error).__name__, "message": str(error)}
