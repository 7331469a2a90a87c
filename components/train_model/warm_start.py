"""Starting from the champion's weights: each goes to the word, value or layer that it was learned for."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

from ..lib.folders import local_folder
from ..lib.progress import progress
from ..lib.saved_models.saved_model import LOAD_ERRORS
from ..lib.user_code.user_errors import reason_of
from ..lib.verdicts import Champion
from ..lib.words import plural
from .feature_changes import Meaning, Vocabulary, compare_features
from .layer_records import describe_layers, is_functional
from .warm_start_record import Checkpoint, WarmStartRecord, read_record
from .weight_plan import Plan, plan_weights

_MOST_NAMED = 3

Columns = Mapping[str, np.ndarray]
SampleRows = Callable[[Mapping[str, str]], Iterable[tuple[Columns, Columns]]]


def warm_start(
    model: keras.Model,
    champion_path: str | None,
    graph: tft.TFTransformOutput,
    transform: Callable[[Any], Mapping[str, Any]],
    sample_rows: SampleRows,
) -> str:
    """Copy the champion's weights into a new model where they mean the same.

    Rows go through both transforms, which shows which word or value of a feature is which of the champion's; the
    vocabularies of both show it for words that are not in those rows. Rows of embeddings, and rows of kernels behind
    one-hot layers, move to their words. What has no counterpart keeps its fresh initial values.

    Args:
        model: The new model; its weights are changed.
        champion_path: The champion artifact, or None to start from nothing.
        graph: The transform graph that the model is trained with.
        transform: The same, loaded.
        sample_rows: Gives some training rows: the columns of the new transform, and the columns that are asked for.

    Returns:
        How it started, for the verdict; empty without a champion.
    """
    champion = Champion.read(champion_path) if champion_path else Champion()
    if champion.uri is None:
        return ""
    who = f"version {champion.version}"
    progress(f"reading the weights of {who}")
    with local_folder(champion.uri) as folder:
        record = read_record(folder)
        if record is None:
            return f"started cold ({who} has no record of its layers)"
        try:
            features = _compare(folder, record, graph, transform, sample_rows)
        except LOAD_ERRORS as error:
            # A champion that can't be used is no reason not to train.
            return f"started cold ({who} can't take these rows: {reason_of(error)})"
        checkpoint = Checkpoint(folder)
        variables = model.variables
        plan = plan_weights(
            describe_layers(model),
            record.layers,
            features,
            lambda index: np.asarray(variables[index]),
            checkpoint.weight,
            record.functional and is_functional(model),
        )
    for index, values in plan.values.items():
        variables[index].assign(values)
    return _describe(plan, who)


def _compare(
    folder: str,
    record: WarmStartRecord,
    graph: tft.TFTransformOutput,
    transform: Callable[[Any], Mapping[str, Any]],
    sample_rows: SampleRows,
) -> dict[str, Meaning]:
    champion = tf.saved_model.load(folder)

    def old(columns: Columns) -> Mapping[str, Any]:
        return champion.transformed(
            {record.arguments[name]: tf.constant(array) for name, array in columns.items()}
        )

    def new(columns: Columns) -> Mapping[str, Any]:
        return transform({name: tf.constant(array) for name, array in columns.items()})

    return compare_features(
        sample_rows(record.columns), new, old, list(_vocabularies(folder, graph)), _sizes(graph)
    )


def _vocabularies(folder: str, graph: tft.TFTransformOutput) -> Iterator[Vocabulary]:
    assets = os.path.join(graph.transform_savedmodel_dir, "assets")
    for name in sorted(tf.io.gfile.listdir(assets)) if tf.io.gfile.isdir(assets) else ():
        before = os.path.join(folder, "assets", name)
        if os.path.isfile(before):
            yield Vocabulary(_words(os.path.join(assets, name)), _words(before))


def _words(file: str) -> tuple[str, ...]:
    if file.endswith(".gz"):
        records = tf.data.TFRecordDataset(file, compression_type="GZIP").as_numpy_iterator()
        return tuple(word.decode(errors="replace") for word in records)
    with tf.io.gfile.GFile(file, "rb") as lines:
        return tuple(
            line.decode(errors="replace") for line in lines.read().removesuffix(b"\n").split(b"\n")
        )


def _sizes(graph: tft.TFTransformOutput) -> dict[str, int]:
    """List how many values each categorical feature can have, by TFT's schema of them."""
    schema = graph.transformed_metadata.schema
    return {
        feature.name: feature.int_domain.max + 1
        for feature in schema.feature
        if feature.HasField("int_domain") and feature.int_domain.is_categorical
    }


def _describe(plan: Plan, who: str) -> str:
    reinitialized = [f"{name} ({reason})" for name, reason in plan.reinitialized.items()]
    shown = ", ".join(reinitialized[:_MOST_NAMED])
    if len(reinitialized) > _MOST_NAMED:
        shown += f" and {len(reinitialized) - _MOST_NAMED:,} more"
    if not plan.carried:
        return f"started cold, nothing of {who} fits: {shown}"
    share = plan.carried / plan.total
    said = [f"started from {who} with {_percent(share)} of {plan.total:,} weights carried over"]
    if plan.new_words:
        said.append(f"{plural(len(plan.new_words), 'new word')} to learn")
    if reinitialized:
        said.append(f"reinitialized: {shown}")
    return ", ".join(said)


def _percent(share: float) -> str:
    # Never 100 % of what was not carried over as a whole.
    return (
        "100 %"
        if share == 1
        else f"{min(99, int(share * 100)):d} %"
        if share >= 0.01
        else "less than 1 %"
    )
