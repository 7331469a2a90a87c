"""Small SavedModels with the signature that train_model exports, and rows of flights."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from retrainer.components.evaluate_model.evaluate import evaluate
from retrainer.components.lib.verdicts import Champion

FLOAT, TEXT, INT = (tf.TensorSpec([None], kind) for kind in (tf.float32, tf.string, tf.int64))


def save_model(path: Path, inputs: dict[str, tf.TensorSpec], predict: Callable[..., Any]) -> str:
    """Export a function of named columns as a SavedModel."""
    module = tf.Module()

    def outputs(**columns: tf.Tensor) -> dict[str, tf.Tensor]:
        predictions = predict(**columns)
        return predictions if isinstance(predictions, dict) else {"predictions": predictions}

    function = tf.function(outputs)
    concrete = function.get_concrete_function(
        **{name: tf.TensorSpec(spec.shape, spec.dtype, name=name) for name, spec in inputs.items()}
    )
    module.function = function
    tf.saved_model.save(module, str(path), signatures={"serving_default": concrete})
    return str(path)


def _known(values: tf.Tensor, missing: float) -> tf.Tensor:
    return tf.where(tf.math.is_nan(values), missing, values)


def _late(
    dep_delay: tf.Tensor, distance: tf.Tensor, carrier: tf.Tensor, hour: tf.Tensor
) -> tf.Tensor:
    score = (_known(dep_delay, 30.0) - 12.0) / 25.0 - distance / 9000.0
    score += tf.where(carrier == "EV", 0.4, -0.2) + 0.03 * tf.cast(hour - 12, tf.float32)
    return tf.sigmoid(score)[:, None]


def _late_by_delay(dep_delay: tf.Tensor, tailnum: tf.Tensor) -> tf.Tensor:
    hashed = tf.cast(tf.strings.to_hash_bucket_fast(tailnum, 31), tf.float32) / 31.0
    return tf.sigmoid((_known(dep_delay, 0.0) - 5.0) / 60.0 + hashed - 0.5)[:, None]


def _minutes(dep_delay: tf.Tensor) -> tf.Tensor:
    return _known(dep_delay, 20.0) * 0.9 + 1.0


def _three_classes(dep_delay: tf.Tensor) -> tf.Tensor:
    score = _known(dep_delay, 0.0) / 20.0
    return tf.nn.softmax(tf.stack([-score, tf.zeros_like(score) + 0.3, score - 1.0], axis=1))


def _labels(dep_delay: tf.Tensor, distance: tf.Tensor) -> tf.Tensor:
    delay = (_known(dep_delay, 0.0) - 12.0) / 25.0
    return tf.sigmoid(tf.stack([delay, -delay - 0.5, distance / 900.0 - 1.0], axis=1))


def _outputs(dep_delay: tf.Tensor, distance: tf.Tensor) -> dict[str, tf.Tensor]:
    labels = _labels(dep_delay, distance)
    return {
        "late": labels[:, :1],
        "minutes": _minutes(dep_delay)[:, None],
        "class": _three_classes(dep_delay),
        "labels": labels,
    }


def _other_outputs(dep_delay: tf.Tensor, distance: tf.Tensor) -> dict[str, tf.Tensor]:
    return {
        name: 0.9 * output + 0.1 / (output.shape[1] if name == "class" else 3)
        for name, output in _outputs(dep_delay, distance).items()
    }


def _nan(dep_delay: tf.Tensor) -> tf.Tensor:
    return tf.where(dep_delay > 60, np.nan, tf.ones_like(dep_delay) * 0.5)[:, None]


@pytest.fixture(scope="session", name="save_model")
def _save_model() -> Callable[..., str]:
    """`save_model`, for tests in folders below."""
    return save_model


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Paths of models by what they do."""
    root = tmp_path_factory.mktemp("models")
    full = {"dep_delay": FLOAT, "distance": FLOAT, "carrier": TEXT, "hour": INT}
    return {
        "late": save_model(root / "late", full, _late),
        "champion": save_model(
            root / "champion", {"dep_delay": FLOAT, "tailnum": TEXT}, _late_by_delay
        ),
        "minutes": save_model(root / "minutes", {"dep_delay": FLOAT}, _minutes),
        "classes": save_model(root / "classes", {"dep_delay": FLOAT}, _three_classes),
        "labels": save_model(root / "labels", {"dep_delay": FLOAT, "distance": FLOAT}, _labels),
        "outputs": save_model(root / "outputs", {"dep_delay": FLOAT, "distance": FLOAT}, _outputs),
        "other_outputs": save_model(
            root / "other_outputs", {"dep_delay": FLOAT, "distance": FLOAT}, _other_outputs
        ),
        "nan": save_model(root / "nan", {"dep_delay": FLOAT}, _nan),
        "coin": save_model(
            root / "coin", {"dep_delay": FLOAT}, lambda dep_delay: _known(dep_delay, 0.0) * 0 + 0.5
        ),
    }


@pytest.fixture(scope="session")
def some_flights(flights: pd.DataFrame) -> pd.DataFrame:
    """700 flights of every carrier, some cells of which are empty."""
    frame = flights.sample(700, random_state=5).reset_index(drop=True)
    frame.loc[::17, "tailnum"] = None
    frame.loc[::13, "dep_delay"] = np.nan
    random = np.random.default_rng(0)
    return frame.assign(
        # Some are 0, of which there is no percentage.
        minutes=random.normal(8, 40, len(frame)).round(2) * (np.arange(len(frame)) % 7 > 0),
        share=random.choice([0.0, 0.25, 0.5, 1.0], len(frame)),
        weight=random.choice([0.0, 0.5, 1.0, 3.0], len(frame)),
        rating=random.integers(0, 3, len(frame)),
        gate=pd.Series(random.choice([1.5, 2.25, np.nan], len(frame))),
        # Lists: missing, empty, of one value twice, and with a missing value.
        tags=pd.Series(
            [
                [None, [], ["b", "a"], ["b", "b"], ["Zürich \u2708", "a", None]][place]
                for place in random.integers(0, 5, len(frame))
            ]
        ),
        stops=pd.Series([[[3, 12], [], [12, 12], [7]][place % 4] for place in range(len(frame))]),
        hour=frame.hour.astype("int64"),
        # Labels of which a row has several.
        early=(frame.dep_delay.fillna(0) < -3).astype("int64"),
        far=(frame.distance > 1_000).astype("int64"),
    )


@pytest.fixture
def champion_record(tmp_path: Path) -> Callable[..., str]:
    """A function that writes the record that resolve_champion writes."""

    def write(uri: str | None = None, version: int | None = None) -> str:
        folder = str(tmp_path / "champion")
        Champion(version, uri).write(folder)
        return folder

    return write


SLICES = [{"feature_keys": ["carrier"]}, {"feature_keys": ["origin"]}]


class Outcome:
    def __init__(self, folder: Path, verdict: str, metrics: dict[str, float]) -> None:
        self.folder = folder
        self.verdict = verdict
        self.metrics = metrics
        self.blessing = json.loads((folder / "blessing" / "blessing.json").read_text())
        self.page = (folder / "report.html").read_text()


@pytest.fixture
def run(
    models: dict[str, str],
    some_flights: pd.DataFrame,
    make_examples: Callable[..., str],
    champion_record: Callable[..., str],
    tmp_path: Path,
) -> Callable[..., Outcome]:
    """A function that evaluates a model of `models` on flights."""

    def call(
        metrics_specs: list[dict[str, Any]],
        challenger: str = "late",
        champion: str | None = "champion",
        frame: pd.DataFrame = some_flights,
        label: str = "late",
        slicing_specs: list[dict[str, Any]] = SLICES,
        label_keys: dict[str, tuple[str, ...]] | None = None,
        **more: Any,
    ) -> Outcome:
        uri = models.get(champion, champion) if champion else None
        metrics: dict[str, float] = {}
        verdict = evaluate(
            make_examples(
                {"2013-01": frame[:100], "2013-02": frame[100:]}, label=label, label_keys=label_keys
            ),
            models[challenger],
            champion_record(uri, 3 if uri else None),
            str(tmp_path / "evaluation"),
            str(tmp_path / "blessing"),
            str(tmp_path / "report.html"),
            metrics_specs,
            slicing_specs,
            log_metric=metrics.__setitem__,
            **more,
        )
        return Outcome(tmp_path, verdict, metrics)

    return call
