"""A registry with small models, spans to score, and how to score them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

from retrainer.components.lib.digests import digest_folder
from retrainer.components.lib.registry.registry import CHAMPION, Registry
from retrainer.components.lib.source_rows.settings import IngestSettings
from retrainer.components.lib.source_rows.sources.options import SourceOptions
from retrainer.components.predict_batch.predict import Predicted, predict
from retrainer.components.predict_batch.settings import PredictSettings

FLOAT, TEXT, INT = (tf.TensorSpec([None], kind) for kind in (tf.float32, tf.string, tf.int64))


def _export(
    path: Path, inputs: dict[str, Any], function: Callable[..., Any], **options: Any
) -> str:
    module = tf.Module()
    module.function = tf.function(lambda **columns: {"predictions": function(**columns)})
    specs = {
        name: tf.TensorSpec(spec.shape, spec.dtype, name=name) for name, spec in inputs.items()
    }
    signatures = {"serving_default": module.function.get_concrete_function(**specs)}
    tf.saved_model.save(
        module, str(path), signatures=signatures if options.get("served", True) else None
    )
    return str(path)


def _linear(factor: float) -> Callable[..., Any]:
    def predict(distance: Any, hour: Any, carrier: Any) -> Any:
        known = tf.where(tf.math.is_nan(distance), 0.0, distance)
        score = known * factor + tf.cast(hour, tf.float32)
        return (score + tf.where(carrier == "ÅÄ", 1000.0, 0.0))[:, None]

    return predict


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Paths of SavedModels by what they do."""
    root = tmp_path_factory.mktemp("exported")
    inputs = {"distance": FLOAT, "hour": INT, "carrier": TEXT}
    return {
        "one": _export(root / "one", inputs, _linear(1.0)),
        "ten": _export(root / "ten", inputs, _linear(10.0)),
        "classes": _export(
            root / "classes",
            {"distance": FLOAT},
            lambda distance: tf.stack([distance, -distance], 1),
        ),
        "unserved": _export(root / "unserved", inputs, _linear(1.0), served=False),
    }


class Project:
    """A store with version 1 in service and version 2 beside it, and a folder of spans."""

    def __init__(self, folder: Path, exported: dict[str, str]) -> None:
        self.store = str(folder / "store")
        self.inbox = folder / "in"
        self.inbox.mkdir()
        self.registry = Registry(f"{self.store}/models")
        self.exported = exported

    def push(self, name: str, champion: bool = True) -> int:
        path = self.exported[name]
        version = self.registry.add(path, digest_folder(path), {"span": "2026-01"}).version
        if champion:
            self.registry.move_alias(CHAMPION, version, self.registry.version_of(CHAMPION), {})
        return version

    def span(self, name: str, content: str | bytes) -> Path:
        path = self.inbox / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def predict(self, pattern: str = "{span}.csv", **options: Any) -> Predicted:
        csv = options.pop("csv", {})
        rows = {
            name: options.pop(name)
            for name in ("columns", "drop", "hash", "hash_key_file", "types", "key")
            if name in options
        }
        settings = PredictSettings(
            IngestSettings(**{"label": "", "key": ("id",), **rows}, source=SourceOptions(**csv)),
            keep=options.pop("keep", ()),
            max_errors=options.pop("max_errors", 1.0),
        )
        return predict(f"{self.inbox}/{pattern}", self.store, settings, **options)


@pytest.fixture
def project(tmp_path: Path, exported: dict[str, str]) -> Project:
    """A project whose champion adds hour and distance."""
    made = Project(tmp_path, exported)
    made.push("one")
    return made
