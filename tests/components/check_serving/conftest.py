"""Small SavedModels with both signatures, and a check of them."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import tensorflow as tf
from servers import serving_here as serving_here_

from retrainer.components.check_serving import check

BOTH = {"serving_default": "named", "serving_tf_examples": "serialised"}
MISSING = {tf.float32: float("nan"), tf.string: ""}


@pytest.fixture
def serving_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Check in this process, which has TensorFlow loaded."""
    monkeypatch.setattr(check, "Server", serving_here_.ServerHere)


def save(
    path: Path,
    function: Callable[..., tf.Tensor],
    kinds: Mapping[str, tf.DType],
    signatures: Mapping[str, str],
    features: Mapping[str, str],
    defaults: Mapping[str, Any],
    state: Any,
) -> str:
    """Export a function of columns; under `doubled`, a signature of tf.Examples that gives twice as much."""
    module = tf.Module()
    module.state = state
    parsing = {
        features.get(name, name): tf.io.FixedLenFeature(
            [], kind, defaults.get(name, MISSING.get(kind))
        )
        for name, kind in kinds.items()
    }

    def of_examples(examples: tf.Tensor, factor: float) -> dict[str, tf.Tensor]:
        parsed = tf.io.parse_example(examples, parsing)
        columns = {name: parsed[features.get(name, name)] for name in kinds}
        return {"predictions": function(**columns) * factor}

    module.named = tf.function(lambda **columns: {"predictions": function(**columns)})
    text = [tf.TensorSpec([None], tf.string, "examples")]
    module.serialised = tf.function(lambda examples: of_examples(examples, 1.0), text)
    module.doubled = tf.function(lambda examples: of_examples(examples, 2.0), text)
    chosen = {name: getattr(module, kind) for name, kind in signatures.items()}
    if "serving_default" in chosen:
        specs = {name: tf.TensorSpec([None], kind, name) for name, kind in kinds.items()}
        chosen["serving_default"] = module.named.get_concrete_function(**specs)
    tf.saved_model.save(module, str(path), signatures=chosen)
    return str(path)


@pytest.fixture(scope="session", name="save")
def _save() -> Callable[..., str]:
    """`save`, for tests that check a model by themselves."""
    return save


@pytest.fixture(scope="session")
def served(tmp_path_factory, write_examples) -> Callable[..., tuple[str, dict[str, Any]]]:
    """A function that checks a model, and returns the verdict and the record."""
    rows = pd.DataFrame(
        {
            "x": [1.0, 2.0, 3.0],
            "gap": [1.0, None, 3.0],
            "word": ["a", "b", "c"],
            "count": [1, 2, 3],
            "day": pd.Timestamp("2026-01-01"),
            "late": [0, 1, 0],
        }
    )
    examples = write_examples("for-serving", rows)

    def run(
        function: Callable[..., tf.Tensor],
        signatures: Mapping[str, str] = BOTH,
        kinds: Mapping[str, tf.DType] | None = None,
        features: Mapping[str, str] | None = None,
        defaults: Mapping[str, Any] | None = None,
        state: Any = None,
        **settings: Any,
    ) -> tuple[str, dict[str, Any]]:
        folder = tmp_path_factory.mktemp("served")
        chosen = kinds or {"x": tf.float32}
        model = save(
            folder / "model", function, chosen, signatures, features or {}, defaults or {}, state
        )
        settings = {"requests": 0, "memory_requests": 0, **settings}
        verdict = check.check(model, examples, str(folder / "check"), **settings)
        return verdict, json.loads((folder / "check" / "serving_check.json").read_text())

    return run
