"""The reference that settings are checked with is what the installed TFMA has."""

import importlib.util
import inspect
import subprocess
import sys
from pathlib import Path

import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.metrics import metric_types
from tensorflow_model_analysis.proto import config_pb2
from tensorflow_model_analysis.utils.keras_lib import tf_keras

from retrainer.components.lib.evaluation.tfma_reference import (
    load_messages,
    metric_arguments,
    metric_names,
)


def test_the_metrics_are_those_that_tfma_takes() -> None:
    keras = {
        name
        for kind in (tf_keras.metrics, tf_keras.losses)
        for name in dir(kind)
        if name[0].isupper()
    }
    assert metric_names() == {*metric_types.registered_metrics(), *keras}


def test_the_file_is_what_the_tool_writes() -> None:
    tool = Path(__file__).parents[4] / "tools" / "tfma_reference.py"
    spec = importlib.util.spec_from_file_location("write_tfma_reference", tool)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.FILE.read_text(encoding="utf-8") == module.reference(), "run `make docs`"


def test_without_tfma_the_messages_are_the_same() -> None:
    program = (
        "import sys; from retrainer.components.lib.evaluation.tfma_reference import load_messages;"
        "config = load_messages().EvalConfig(); config.metrics_specs.add().metrics.add().class_name = 'AUC';"
        "assert 'tensorflow_model_analysis' not in sys.modules; print(config.SerializeToString().hex())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    read = config_pb2.EvalConfig.FromString(bytes.fromhex(done.stdout))
    assert read.metrics_specs[0].metrics[0].class_name == "AUC"


def test_the_arguments_are_those_of_the_class() -> None:
    for cls in (tfma.metrics.AUC, tfma.metrics.RecallAtPrecision, tf_keras.losses.Huber):
        named = set(inspect.signature(cls.__init__).parameters) - {"self"}
        assert metric_arguments(cls.__name__) == named
    assert metric_arguments("SparseTopKCategoricalAccuracy") == {"k", "name", "dtype"}
    # It hands what it does not name on to its base class.
    assert metric_arguments("ConfusionMatrixPlot") is None
    assert metric_arguments("NoSuchMetric") is None


def test_where_tfma_is_loaded_the_messages_are_its_own() -> None:
    assert load_messages().EvalConfig is config_pb2.EvalConfig
