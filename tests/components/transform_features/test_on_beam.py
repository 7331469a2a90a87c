"""TFT on workers that are other processes, which have neither model.py nor the module beside it."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from retrainer.components.lib.examples import SpanPart

MODEL = """
import apache_beam as beam
import beside
import tensorflow as tf
import tensorflow_transform as tft


class Largest(beam.CombineFn):
    def create_accumulator(self):
        return -1.0

    def add_input(self, accumulator, batch):
        return max(accumulator, float(batch[0].max()))

    def merge_accumulators(self, accumulators):
        return max(accumulators)

    def extract_output(self, accumulator):
        return accumulator


class LargestOf(beam.PTransform):
    def expand(self, batches):
        import numpy as np

        largest = batches | beam.CombineGlobally(Largest())
        return (largest | beam.Map(lambda value: np.float32(value)),)


def halved(column):
    return tf.where(column > 1e6, column, column / 2.0)


def preprocessing_fn(inputs):
    (largest,) = tft.experimental.ptransform_analyzer(
        [inputs["delay"]], LargestOf(), [tf.float32], [[]]
    )
    return {
        "delay": halved(tft.scale_to_z_score(inputs["delay"])),
        "share": beside.share(inputs["delay"], largest),
        "carrier": tft.compute_and_apply_vocabulary(inputs["carrier"]),
    }
"""


def write_raw_metadata(path, kinds):
    import tensorflow as tf
    from tensorflow_transform.tf_metadata import dataset_metadata, metadata_io

    from retrainer.components.transform_features.tracing import DTYPES

    specs = {name: tf.io.FixedLenFeature([1], DTYPES[kind]) for name, kind in kinds.items()}
    metadata_io.write_metadata(dataset_metadata.DatasetMetadata.from_feature_spec(specs), path)


@pytest.mark.slow
def test_user_code_runs_in_processes_that_lack_its_files(tmp_path, monkeypatch):
    import tensorflow as tf
    import tensorflow_transform as tft

    from retrainer.components.lib.user_code.user_module import load_module, user_function
    from retrainer.components.transform_features.on_beam import analyse_on_beam

    (tmp_path / "beside.py").write_text("def share(column, most):\n    return column / most\n")
    monkeypatch.syspath_prepend(tmp_path)
    # Their working folder and their path: not those of this process.
    monkeypatch.delenv("PYTHONPATH", raising=False)
    folder = tmp_path / "store" / "spans" / "1" / "v1"
    folder.mkdir(parents=True)
    delays = np.arange(1_000, dtype=np.float32)
    rows = pa.table({"delay": delays, "carrier": ["A", "B"] * 500})
    pq.write_table(rows[:600], folder / "a.parquet")
    pq.write_table(rows[600:], folder / "b.parquet")
    part = SpanPart("1", str(folder), "all", 1_000, ("a.parquet", "b.parquet"))
    preprocess = user_function(load_module("", MODEL), "preprocessing_fn")
    kinds = {"delay": "float32", "carrier": "string"}
    arguments = ["--direct_running_mode=multi_processing", "--direct_num_workers=2"]
    analyse_on_beam(preprocess, kinds, [part], str(tmp_path / "graph"), "", MODEL, arguments)
    output = tft.TFTransformOutput(str(tmp_path / "graph"))
    metadata = tmp_path / "graph" / output.RAW_METADATA_DIR
    write_raw_metadata(str(metadata), kinds)
    batch = {
        "delay": tf.constant([[999.0], [0.0]]),
        "carrier": tf.constant([["A"], ["B"]]),
    }
    features = output.transform_raw_features(batch)
    assert features["share"].numpy().tolist() == [[1.0], [0.0]]
    expected = (np.float32([999, 0]) - delays.mean()) / delays.std() / 2
    assert features["delay"].numpy().ravel() == pytest.approx(expected, rel=1e-5)
    assert sorted(features["carrier"].numpy().ravel()) == [0, 1]
