"""What the components that run on Beam are given, and what they make of it, in digests that two runs can compare.

It runs as a program too, where the submitter is a container: `python engine_work.py FOLDER STORE COMPONENTS ARGUMENTS`,
with the name of an installed module in place of the project's model.py as one argument more.
"""

import hashlib
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

ROWS_PATTERN = "orders-{span:%Y-%m-%d}.csv"
COMPONENTS = ("compute_statistics", "transform_features", "evaluate_model", "predict_batch")
METRICS: list[dict[str, Any]] = [
    {
        "metrics": [
            {"class_name": "ExampleCount"},
            {
                "class_name": "AUC",
                "threshold": {
                    "value_threshold": {"lower_bound": {"value": 0.6}},
                    "change_threshold": {
                        "direction": "HIGHER_IS_BETTER",
                        "absolute": {"value": -0.01},
                    },
                },
            },
        ]
    }
]
SLICES: list[dict[str, Any]] = [{}, {"feature_keys": ["country"]}]
# Rows come back from the workers and are compared in their order.
GATE = {"require_significance": True}
Digests = dict[str, Any]


class EngineWork:
    """The starter project's data in a store, with two models in its registry.

    Attributes:
        store: URI of the store.
        data: URI of the folder of the source files.
    """

    def __init__(self, folder: Path, store: str, data: str = "", module: str = "") -> None:
        """Name the places.

        Args:
            folder: Where artifacts are written: a folder of the submitter alone.
            store: URI of the store.
            data: URI of the folder of the source files; empty for those of the project in `folder`.
            module: Name of an installed module with the user's code; empty for the project's model.py.
        """
        self._module = module
        self._folder = folder
        self.store = store
        self.data = data or str(folder / "project" / "data")

    def prepare(self) -> None:
        """Write the project, ingest its spans, find the schema, and register two models."""
        from retrainer.components.compute_statistics.compute import compute
        from retrainer.components.ingest_spans.ingest import ingest
        from retrainer.components.lib.digests import digest_folder
        from retrainer.components.lib.registry.registry import Registry
        from retrainer.components.lib.source_rows.settings import IngestSettings
        from retrainer.components.lib.verdicts import Champion
        from retrainer.components.validate_examples.settings import parse_settings
        from retrainer.components.validate_examples.validate import validate
        from retrainer.pipelines.project.starting import init_project

        init_project(self._folder / "project")
        if "://" in self.data:
            self._upload()
        settings = IngestSettings("returned", key=("order_id",))
        ingest(f"{self.data}/{ROWS_PATTERN}", self.store, settings, self.path("examples"), window=4)
        compute(self.path("examples"), self.path("first/statistics"), self.path("first/page.html"))
        validate(
            self.path("first/statistics"),
            self.store,
            parse_settings(),
            self.path("first/anomalies"),
            self.path("schema"),
            self.path("first/validation.html"),
            "",
        )
        self.forget_sketches()
        registry = Registry(f"{self.store}/models")
        for number, slope in enumerate((0.02, 0.015), 1):
            model = self._folder / f"model-{number}"
            _save_model(model, slope)
            registry.add(str(model), digest_folder(model), {})
        registry.move_alias("champion", 1, None, {})
        champion = registry.get(1)
        Champion(1, champion.uri).write(self.path("champion"))

    def path(self, name: str) -> str:
        """Return the path of an artifact."""
        return str(self._folder / name)

    def forget_sketches(self) -> None:
        """Delete the statistics of single spans, so that they are computed again."""
        self._remove(f"{self.store}/spans", "/sketch-")

    def _remove(self, folder: str, name: str) -> None:
        from retrainer.components.lib.uris import filesystem

        fs, path = filesystem(folder)
        for uri in fs.find(path) if fs.exists(path) else ():
            if name in uri:
                fs.rm(uri)

    def run(self, component: str, beam_args: Sequence[str] = ()) -> Digests:
        """Run a component by its plain function.

        Args:
            component: Its name.
            beam_args: Beam's own options; none runs it in this process.

        Returns:
            What it made, in digests and numbers.
        """
        made: Callable[[str, Sequence[str]], Digests] = getattr(self, f"_{component}")
        return made(self.path("engine" if beam_args else "here"), list(beam_args))

    def _upload(self) -> None:
        from retrainer.components.lib.uris import filesystem

        fs, path = filesystem(self.data)
        for file in sorted((self._folder / "project" / "data").iterdir()):
            fs.put_file(str(file), f"{path}/{file.name}")

    def _compute_statistics(self, folder: str, beam_args: list[str]) -> Digests:
        from retrainer.components.compute_statistics.compute import compute
        from retrainer.components.lib.uris import filesystem

        self.forget_sketches()
        verdict = compute(
            self.path("examples"), f"{folder}/statistics", f"{folder}/page.html", beam_args
        )
        fs, path = filesystem(f"{self.store}/spans")
        sketches = {
            uri.partition("/spans/")[2]: hashlib.sha256(fs.cat_file(uri)).hexdigest()
            for uri in fs.find(path)
            if "/sketch-" in uri
        }
        return {"verdict": verdict, "sketches": sketches, **_files(f"{folder}/statistics")}

    def _transform_features(self, folder: str, beam_args: list[str]) -> Digests:
        from retrainer.components.transform_features.transform import transform

        source = "" if self._module else (self._folder / "project" / "model.py").read_text()
        graph = f"{folder}/graph"
        verdict = transform(
            self.path("examples"), self.path("schema"), graph, self._module, source, beam_args
        )
        # The order of the nodes in a graph differs from run to run, and so does the layout of JSON.
        files = {
            name: digest
            for name, digest in _files(graph).items()
            if not name.endswith((".pb", "asset_map"))
        }
        assets = json.loads(Path(graph, "transformed_metadata", "asset_map").read_text())
        return {"verdict": verdict, "rows": self._transformed(graph), "assets": assets, **files}

    def _transformed(self, graph: str) -> dict[str, str]:
        import tensorflow as tf
        import tensorflow_transform as tft

        from retrainer.components.lib.examples import Examples
        from retrainer.components.lib.features import to_arrays

        output = tft.TFTransformOutput(graph)
        kinds = {
            "country": "string",
            "channel": "string",
            "items": "int64",
            "basket_value": "float32",
        }
        part = Examples.read(self.path("examples")).splits["train"][0]
        batch = next(iter(part.iter_batches(list(kinds))))
        arrays = to_arrays(batch, kinds, "span")
        rows = {name: tf.reshape(tf.constant(array), (-1, 1)) for name, array in arrays.items()}
        features = output.transform_raw_features(rows)
        return {
            name: hashlib.sha256(features[name].numpy().tobytes()).hexdigest()
            for name in sorted(features)
        }

    def _evaluate_model(self, folder: str, beam_args: list[str]) -> Digests:
        from retrainer.components.evaluate_model.evaluate import evaluate

        verdict = evaluate(
            self.path("examples"),
            self.path("model-2"),
            self.path("champion"),
            f"{folder}/evaluation",
            f"{folder}/blessing",
            f"{folder}/evaluation.html",
            METRICS,
            SLICES,
            beam_args=beam_args,
            gate=GATE,
        )
        files = _files(f"{folder}/blessing", text=True)
        checks = json.loads(files["checks.json"])["checks"]
        # A digest of no evidence would equal another.
        if not [one for one in checks if one["interval"] and one["slice"] != "overall"]:
            raise ValueError(f"no evidence by slice: {checks}")
        return {"verdict": verdict, **files}

    def _predict_batch(self, folder: str, beam_args: list[str]) -> Digests:
        from retrainer.components.lib.predictions.prediction_sets import RECORD_FILE
        from retrainer.components.lib.source_rows.settings import IngestSettings
        from retrainer.components.lib.uris import read_bytes
        from retrainer.components.predict_batch.predict import predict
        from retrainer.components.predict_batch.settings import PredictSettings

        output = f"{self.store}/{Path(folder).name}"
        # What has its record is not scored again.
        self._remove(output, f"/{RECORD_FILE}")
        done = predict(
            f"{self.data}/{ROWS_PATTERN}",
            self.store,
            PredictSettings(IngestSettings("", key=("order_id",))),
            window=2,
            output=output,
            beam_args=beam_args,
        )
        return {
            f"{one.span}/{name}": hashlib.sha256(read_bytes(f"{one.uri}/{name}")).hexdigest()
            for one in done.sets
            for name in one.files
        }


def _save_model(path: Path, slope: float) -> None:
    import tensorflow as tf

    specs = {
        "basket_value": tf.TensorSpec([None], tf.float32, name="basket_value"),
        "items": tf.TensorSpec([None], tf.int64, name="items"),
        "country": tf.TensorSpec([None], tf.string, name="country"),
    }

    @tf.function(input_signature=[specs])
    def predict(columns: dict[str, Any]) -> dict[str, Any]:
        odds = slope * columns["basket_value"] - 0.2 * tf.cast(columns["items"], tf.float32)
        odds += tf.where(columns["country"] == "DE", 0.5, 0.0) - 1.5
        return {"predictions": tf.sigmoid(odds)[:, None]}

    module = tf.Module()
    module.predict = tf.function(lambda **columns: predict(columns))
    served = module.predict.get_concrete_function(**specs)
    tf.saved_model.save(module, str(path), signatures={"serving_default": served})


def _files(folder: str, text: bool = False) -> dict[str, str]:
    files = sorted(file for file in Path(folder).rglob("*") if file.is_file())
    return {
        str(file.relative_to(folder)): file.read_text()
        if text
        else hashlib.sha256(file.read_bytes()).hexdigest()
        for file in files
    }


def main(folder: str, store: str, components: str, arguments: str = "[]", module: str = "") -> None:
    """Run components and print what they made.

    Args:
        folder: As `EngineWork` takes it.
        store: As `EngineWork` takes it.
        components: Their names, with commas between them; `prepare` prepares, and runs all in this process.
        arguments: Beam's own options, in JSON.
        module: As `EngineWork` takes it.
    """
    from retrainer.components.lib.errors import RetrainerError

    work = EngineWork(Path(folder), store, f"{store}/data", module)
    if components == "prepare":
        work.prepare()
        components = ",".join(COMPONENTS)
    try:
        made = {name: work.run(name, json.loads(arguments)) for name in components.split(",")}
    except RetrainerError as error:
        # As `retrainer run` shows it.
        sys.exit(f"RetrainerError: {error}")
    print(json.dumps(made))


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    main(*sys.argv[1:])
