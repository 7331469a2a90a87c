"""Which requests are logged, and what their paths say about the model."""

import re
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote

PREDICTING = r"[:/](predict|rawPredict|classify|regress|infer|invocations)$"
"""Paths of requests that are logged by default.

TensorFlow Serving's REST API (github.com/tensorflow/serving, tensorflow_serving/g3doc/api_rest.md), Vertex AI's
`:predict` and `:rawPredict`, the Open Inference Protocol's `/infer` (github.com/kserve/open-inference-protocol),
SageMaker's `/invocations`.
"""
# A model's name may hold a colon where the client encodes it.
_MODEL = re.compile(r"/models/([^/:]+)")
_VERSION = re.compile(r"/versions/([^/:]+)")
_LABEL = re.compile(r"/labels/([^/:]+)")
_TF_SERVING = re.compile(r"^(.*/v1/models/[^/:]+)[:/]")


@dataclass(frozen=True)
class Asked:
    """What the path of a request says.

    Attributes:
        model: The model's name; None if it has none.
        version: The model's version; None if it is left to the server.
        label: TensorFlow Serving's label of a version.
        status_path: Where TensorFlow Serving says which versions the model has; None if it is another server's path.
    """

    model: str | None
    version: str | None
    label: str | None
    status_path: str | None


@lru_cache(maxsize=1024)
def read_path(path: str) -> Asked:
    """Read what a path says about the model.

    Args:
        path: Path of a URL, without its query.
    """
    serving = _TF_SERVING.match(path)
    return Asked(
        _find(_MODEL, path),
        _find(_VERSION, path),
        _find(_LABEL, path),
        serving[1] if serving else None,
    )


def _find(pattern: re.Pattern[str], path: str) -> str | None:
    found = pattern.search(path)
    return unquote(found[1]) if found else None
