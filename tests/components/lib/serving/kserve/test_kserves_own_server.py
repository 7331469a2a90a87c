"""What an InferenceService's `storageUri` names is served by KServe's own server, and asked by KServe's own client."""

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf
from servers import kserve_python
from servers.s3 import BUCKET, KEY, SECRET, S3Server

from retrainer.components.lib.digests import digest_folder
from retrainer.components.lib.registry.registry import Registry
from retrainer.components.lib.saved_models.saved_model import load_model
from retrainer.components.lib.serving.interface import Plan, ServedModel

ROWS = pa.table(
    {
        "distance": pa.array([1.5, 2.25, 1e6], pa.float32()),
        "hour": pa.array([3, 4, 2**40], pa.int64()),
        "carrier": ["UA", "ÅÄ", ""],
    }
)


def export(path: str, factor: float) -> str:
    module = tf.Module()
    module.function = tf.function(
        lambda distance, hour, carrier: {
            "predictions": distance * factor
            + tf.cast(hour, tf.float32)
            + tf.where(carrier == "ÅÄ", 1000.0, 0.0)
        }
    )
    kinds = {"distance": tf.float32, "hour": tf.int64, "carrier": tf.string}
    specs = {name: tf.TensorSpec([None], kind, name=name) for name, kind in kinds.items()}
    signature = module.function.get_concrete_function(**specs)
    tf.saved_model.save(module, path, signatures={"serving_default": signature})
    return path


@pytest.mark.slow
@pytest.mark.integration("go")
def test_the_storage_initializer_copies_one_version_and_its_answers_are_ours(knative, tmp_path):
    with S3Server(tmp_path / "s3") as s3:
        registry = Registry(f"s3://{BUCKET}/store/models")
        for number in (1, 2, 3):
            folder = export(str(tmp_path / f"model-{number}"), float(number))
            registry.add(folder, digest_folder(folder), {})
        second = registry.get(2)
        plan = Plan(ServedModel(2, second.uri, second.digest))
        assert knative.open(store_uri="").apply(plan).traffic == {2: 100}
        uri = knative.cluster.isvc()["spec"]["predictor"]["model"]["storageUri"]
        assert uri == f"s3://{BUCKET}/store/models/versions/000002/served"
        environment = {
            "AWS_ENDPOINT_URL": s3.environment["FSSPEC_S3_ENDPOINT_URL"],
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        (tmp_path / "pod").mkdir()
        with kserve_python.serving(uri, "taxi", tmp_path / "pod", environment) as url:
            columns = {
                "distance": ("FP32", ROWS["distance"].to_pylist()),
                "hour": ("INT64", ROWS["hour"].to_pylist()),
                "carrier": ("BYTES", ROWS["carrier"].to_pylist()),
            }
            answers = kserve_python.ask(url, "taxi", columns)
        assert answers["id"] == "one"
        ours = load_model(second.uri, "model").predict(ROWS.combine_chunks().to_batches()[0])
        # Each version answers otherwise.
        for protocol in ("v1", "v2"):
            assert np.array_equal(np.asarray(answers[protocol], np.float32).ravel(), ours)
