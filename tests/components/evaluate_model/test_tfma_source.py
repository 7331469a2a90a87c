"""What is read of TFMA's files is what TFMA itself has."""

import inspect

import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.metrics import metric_types
from tensorflow_model_analysis.proto import config_pb2
from tensorflow_model_analysis.utils.keras_lib import tf_keras

from retrainer.components.evaluate_model.tfma_source import (
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
    taken = {*metric_types.registered_metrics(), *keras}
    assert taken <= metric_names()
    # TFMA has one in its files that it does not load.
    assert metric_names() - taken <= {"FixedSizeSample"}


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
