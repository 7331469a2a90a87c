from pathlib import Path

import pyarrow as pa
import pytest
from servers.transform_graphs import find_differences, make_rows, write_inputs

from retrainer.components.lib.examples import Examples

SOURCE = """
import tensorflow as tf
import tensorflow_transform as tft


def flat(column):
    return tf.reshape(column, [-1])


def preprocessing_fn(inputs):
    tft.vocabulary(inputs["huge"], vocab_filename="integers", weights=inputs["weight"], store_frequency=True)
    tft.vocabulary(flat(inputs["word"]), labels=flat(inputs["outcome"]), vocab_filename="informative")
    return {
        "word": tft.compute_and_apply_vocabulary(inputs["word"], vocab_filename="word"),
        "number": tft.scale_to_z_score(inputs["number"]),
        "bucket": tft.bucketize(inputs["number"], 4, epsilon=EPSILON, name="bucket"),
        "keyed": tft.scale_to_0_1_per_key(flat(inputs["number"]), flat(inputs["group"])),
        "keyed_bucket": tft.bucketize_per_key(flat(inputs["number"]), flat(inputs["group"]), 3),
        "covariance": inputs["number"] * tft.covariance(
            tf.concat([inputs["number"], inputs["weight"]], 1), tf.float32
        )[0, 1],
    }
"""
SPANS = [make_rows(1, 900), make_rows(2, 30), make_rows(3, 600)]


def analyse(folder: Path, name: str, examples: str, source: str = SOURCE) -> Path:
    """Analyse examples, and return the transform graph."""
    from retrainer.components.transform_features.transform import transform

    text = source.replace("EPSILON", "0.01")
    transform(examples, str(folder / "schema"), str(folder / name), "", text)
    return folder / name


def kept(folder: Path) -> list[Path]:
    """List the files of accumulators."""
    return sorted(folder.glob("spans/*/transform-all-*.bin"))


def narrow(folder: Path, examples: str, count: int) -> str:
    """Write a manifest of the first spans of another, and return its folder."""
    found = Examples.read(examples)
    parts = found.splits["train"][:count]
    Examples("label", {"train": parts, "eval": ()}, ("0",)).write(folder / f"first-{count}")
    return str(folder / f"first-{count}")


def test_a_new_span_alone_is_read_and_the_graph_is_that_of_a_full_pass(tmp_path):
    examples, _ = write_inputs(tmp_path, SPANS)
    full = analyse(tmp_path, "full", examples)
    for file in kept(tmp_path):
        file.unlink()
    analyse(tmp_path, "old", narrow(tmp_path, examples, 2))
    assert [file.parent.name for file in kept(tmp_path)] == ["0", "1"]
    for span in ("0", "1"):
        for file in (tmp_path / "spans" / span).glob("*.parquet"):
            file.unlink()
    newer = analyse(tmp_path, "newer", examples)
    assert find_differences(newer, full, pa.concat_tables(SPANS)) == []
    assert len(kept(tmp_path)) == 3


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:-7],
        lambda content: b"",
        lambda content: content[:-1] + bytes([content[-1] ^ 1]),
        lambda content: content.replace(b"TRANSFORM-1", b"TRANSFORM-9"),
    ],
    ids=["torn", "empty", "changed", "of another format"],
)
def test_unreadable_accumulators_are_computed_again(tmp_path, damage):
    from retrainer.components.transform_features.in_process.accumulator_store import (
        AccumulatorStore,
    )

    examples, _ = write_inputs(tmp_path, SPANS[1:2])
    (part,) = Examples.read(examples).splits["train"]
    store = AccumulatorStore("key")
    store.keep(part, {"one": 1})
    assert store.read(part) == {"one": 1}
    (file,) = kept(tmp_path)
    file.write_bytes(damage(file.read_bytes()))
    assert store.read(part) is None


def test_only_the_newest_analyses_are_kept(tmp_path):
    import os

    from retrainer.components.transform_features.in_process.accumulator_store import (
        AccumulatorStore,
    )

    examples, _ = write_inputs(tmp_path, SPANS[1:2])
    (part,) = Examples.read(examples).splits["train"]
    for number in range(10):
        AccumulatorStore(f"{number}").keep(part, {})
        os.utime(tmp_path / "spans" / "0" / f"transform-all-{number}.bin", (number, number))
    AccumulatorStore("new").keep(part, {})
    assert [file.stem.split("-")[-1] for file in kept(tmp_path)] == [*"3456789", "new"]


TABLE = """
import tensorflow as tf
import tensorflow_transform as tft


def preprocessing_fn(inputs):
    with tf.init_scope():
        table = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(["a", "b"], [1.0, FACTOR]), 0.0
        )
    return {"number": inputs["number"] + tft.max(table.lookup(inputs["word"]))}
"""


def test_what_tft_does_not_see_keeps_no_accumulators(tmp_path):
    examples, _ = write_inputs(tmp_path, SPANS[:1])
    analyse(tmp_path, "table", examples, TABLE.replace("FACTOR", "7.0"))
    assert kept(tmp_path) == []


BUCKETS = """
import tensorflow_transform as tft


def preprocessing_fn(inputs):
    return {"bucket": tft.bucketize(inputs["number"], 4, epsilon=EPSILON, name="bucket")}
"""


def test_another_setting_of_an_analyser_of_the_same_name_is_another_analysis(tmp_path):
    examples, _ = write_inputs(tmp_path, SPANS[1:2])
    analyse(tmp_path, "coarse", examples, BUCKETS.replace("EPSILON", "0.4"))
    (coarse,) = kept(tmp_path)
    fine = analyse(tmp_path, "fine", examples, BUCKETS)
    assert len(kept(tmp_path)) == 2
    coarse.unlink()
    assert find_differences(fine, analyse(tmp_path, "again", examples, BUCKETS), SPANS[1]) == []
    assert len(kept(tmp_path)) == 1
