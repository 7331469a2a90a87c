"""KServe's storage initializer and its Python server, over a SavedModel; runs in an environment of its own.

    python kserve_python_runtime.py STORAGE_URI FOLDER NAME PORT

As in a pod: what `storageUri` names is copied to a folder by KServe's own code, and of that folder the server loads the
highest number, as TensorFlow Serving does (tensorflow.org/tfx/serving/serving_config, `model_version_policy`).
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from kserve import InferOutput, InferRequest, InferResponse, Model, ModelServer
from kserve_storage import Storage


class SavedModel(Model):  # type: ignore[misc]
    """A SavedModel that takes named columns, by both protocols."""

    def __init__(self, name: str, folder: Path) -> None:
        super().__init__(name)
        version = max(int(one.name) for one in folder.iterdir() if one.name.isdigit())
        self._loaded = tf.saved_model.load(str(folder / str(version)))
        self._function = self._loaded.signatures["serving_default"]
        self._specs = self._function.structured_input_signature[1]
        self.ready = True

    def predict(self, payload: Any, headers: Any = None, response_headers: Any = None) -> Any:
        if isinstance(payload, InferRequest):
            scores = self._scores({one.name: one.as_numpy() for one in payload.inputs})
            output = InferOutput("predictions", list(scores.shape), "FP32", scores.ravel().tolist())
            return InferResponse(payload.id, self.name, [output])
        rows = payload["instances"]
        return {
            "predictions": self._scores(
                {name: [row[name] for row in rows] for name in self._specs}
            ).tolist()
        }

    def _scores(self, columns: dict[str, Any]) -> np.ndarray:
        tensors = {
            name: tf.constant(np.asarray(columns[name]).tolist(), spec.dtype)
            for name, spec in self._specs.items()
        }
        return np.asarray(self._function(**tensors)["predictions"])


if __name__ == "__main__":
    uri, folder, name, port = sys.argv[1:]
    Storage.download(uri, folder)
    server = ModelServer(http_port=int(port), enable_grpc=False, workers=1)
    server.start([SavedModel(name, Path(folder))])
