from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from servers.transform_graphs import BEAM, find_differences, make_rows, write_inputs

HEAD = """
import tensorflow as tf
import tensorflow_transform as tft


def known(number):
    return tf.where(tf.math.is_finite(number), number, tf.zeros_like(number))


def flat(column):
    return tf.reshape(column, [-1])


def fill(values, inputs):
    return tf.zeros_like(inputs["number"]) + tf.reshape(tf.cast(values, tf.float32), [1, -1])


def preprocessing_fn(inputs):
"""
COMMON = """
    return {
        "word": tft.compute_and_apply_vocabulary(inputs["word"], num_oov_buckets=1, vocab_filename="word"),
        "number": tft.scale_to_z_score(inputs["number"]),
        "odd": tft.scale_to_z_score(inputs["odd"]),
        "bucket": tft.bucketize(inputs["number"], 4),
        "by_group": tft.scale_to_z_score_per_key(flat(inputs["number"]), flat(inputs["group"])),
        "whole": inputs["whole"] - tft.min(inputs["whole"]),
    }
"""
# Each with the relative difference that sums in another order may make.
CASES = {
    "numbers": (
        """
    whole, number = inputs["whole"], inputs["number"]
    vector = tf.concat([number, inputs["weight"], tf.cast(whole, tf.float32)], axis=1)
    return {
        "mean": fill(tft.mean(number), inputs),
        "variance": fill(tft.var(number), inputs),
        "least": fill(tft.min(number), inputs),
        "most": fill(tft.max(inputs["odd"]), inputs),
        "huge": inputs["huge"] * 0 + tft.max(inputs["huge"]),
        "small": inputs["huge"] * 0 + tft.min(inputs["huge"]),
        "size": fill(tft.size(number), inputs),
        "sum": fill(tft.sum(whole), inputs),
        "elementwise": fill(tft.mean(vector, reduce_instance_dims=False), inputs),
        "covariance": fill(tft.covariance(vector, tf.float32), inputs),
        "components": tf.abs(tf.matmul(vector, tft.pca(vector, 2, tf.float32))),
        "constant": tft.scale_to_z_score(inputs["constant"]),
        "scaled": tft.scale_to_0_1(number),
        "ranged": tft.scale_by_min_max(inputs["odd"], -1.0, 1.0),
    }
""",
        1e-4,
    ),
    "quantiles": (
        """
    number, weight = inputs["number"], inputs["weight"]
    histogram, _ = tft.histogram(number, boundaries=5)
    words, _ = tft.histogram(inputs["word"], categorical=True)
    return {
        "bucket": tft.bucketize(number, 5),
        "bounds": fill(tft.quantiles(number, 7, 0.01), inputs),
        "weighted": fill(tft.quantiles(number, 7, 0.01, weights=weight), inputs),
        "elementwise": fill(
            tft.quantiles(tf.concat([number, weight], 1), 3, 0.01, reduce_instance_dims=False), inputs
        ),
        "keyed": tft.bucketize_per_key(flat(number), flat(inputs["group"]), 3),
        "histogram": fill(histogram, inputs),
        "words": fill(words, inputs),
    }
""",
        1e-5,
    ),
    "keys": (
        """
    group, number = flat(inputs["group"]), flat(inputs["number"])
    keys, counts = tft.count_per_key(group)
    numbers, of_numbers = tft.count_per_key(flat(inputs["whole"]))
    return {
        "keys": tf.tile(tf.expand_dims(keys, 0), [tf.shape(group)[0], 1]),
        "counts": fill(counts, inputs),
        "numbers": fill(numbers, inputs),
        "of_numbers": fill(of_numbers, inputs),
        "z": tft.scale_to_z_score_per_key(number, group),
        "range": tft.scale_to_0_1_per_key(number, group),
        "large": tft.scale_to_z_score_per_key(number, group, key_vocabulary_filename="large"),
        "large_range": tft.scale_by_min_max_per_key(
            number, group, key_vocabulary_filename="large_range"
        ),
    }
""",
        1e-4,
    ),
    "vocabularies": (
        """
    word, outcome, weight = (flat(inputs[name]) for name in ("word", "outcome", "weight"))
    for name, options in {
        "plain": {},
        "counted": {"store_frequency": True},
        "frequent": {"frequency_threshold": 100},
        "first": {"top_k": 3, "store_frequency": True},
        "none": {"frequency_threshold": 10**6},
        "first_of_none": {"frequency_threshold": 10**6, "top_k": 2},
        "shuffled": {"fingerprint_shuffle": True},
        "weighted": {"weights": weight, "store_frequency": True},
        "informative": {"labels": outcome, "store_frequency": True},
        "adjusted": {"labels": outcome, "use_adjusted_mutual_info": True, "min_diff_from_avg": 0},
        "weighted_labels": {"labels": outcome, "weights": weight, "min_diff_from_avg": 0},
        "covering": {
            "top_k": 2,
            "key_fn": lambda token: token[:1],
            "coverage_top_k": 1,
            "coverage_frequency_threshold": 2,
        },
        "records": {"file_format": "tfrecord_gzip", "store_frequency": True},
        "reserved": {"reserved_tokens": ["b", "first of all"]},
    }.items():
        tft.vocabulary(word, vocab_filename=name, **options)
    tft.vocabulary(inputs["huge"], vocab_filename="integers", top_k=20)
    tft.vocabulary(inputs["whole"], vocab_filename="few_integers")
    return {
        "word": tft.compute_and_apply_vocabulary(inputs["word"], top_k=4, num_oov_buckets=2),
        "whole": tft.compute_and_apply_vocabulary(inputs["whole"], default_value=-7),
    }
""",
        0,
    ),
    "text": (
        """
    words = tft.compute_and_apply_vocabulary(
        tf.strings.split(flat(inputs["word"])).to_sparse(), default_value=0, vocab_filename="words"
    )
    rank, weight = tft.tfidf(words, 12)
    return {
        "rank": tf.reshape(tf.sparse.reduce_max(rank, 1), [-1, 1]),
        "weight": tf.reshape(tf.sparse.reduce_sum(weight, 1), [-1, 1]),
        "gaussian": tft.scale_to_gaussian(inputs["number"]),
    }
""",
        1e-4,
    ),
}


def analyse_both(folder: Path, spans: list[pa.Table], body: str, close: float = 0) -> list[str]:
    """Analyse rows in this process and on Beam, and return what differs."""
    from retrainer.components.transform_features.transform import transform

    examples, schema = write_inputs(folder, spans)
    said = transform(examples, schema, str(folder / "here"), "", HEAD + body)
    assert "on Beam" not in said
    transform(examples, schema, str(folder / "beam"), "", HEAD + body, BEAM)
    return find_differences(folder / "here", folder / "beam", pa.concat_tables(spans), close)


def test_common_analysers_give_what_beam_gives(tmp_path):
    spans = [make_rows(1, 900), make_rows(2, 1), make_rows(3, 800)]
    assert analyse_both(tmp_path, spans, COMMON, close=1e-5) == []


PHASES = """
    whole = tf.cast(inputs["whole"], tf.float32)
    scaled = tft.scale_to_0_1(whole)
    bucket = tft.apply_buckets(scaled, tf.constant([[0.25, 0.5, 0.75]]))
    crossed = tf.strings.join([inputs["group"], tf.strings.as_string(bucket)])
    index = tft.compute_and_apply_vocabulary(crossed, vocab_filename="crossed")
    return {"z": tft.scale_to_z_score(tf.cast(index, tf.float32)), "index": index}
"""


def test_an_analyser_of_what_another_found_has_its_result_first(tmp_path):
    import tensorflow as tf
    import tensorflow_transform as tft

    from retrainer.components.transform_features.transform import transform

    spans = [make_rows(1, 900), make_rows(2, 700)]
    examples, schema = write_inputs(tmp_path, spans)
    transform(examples, schema, str(tmp_path / "graph"), "", HEAD + PHASES)
    rows = pa.concat_tables(spans).to_pandas()
    scaled = (rows.whole - rows.whole.min()) / (rows.whole.max() - rows.whole.min())
    bucket = np.searchsorted([0.25, 0.5, 0.75], scaled.astype("float32"), side="right")
    crossed = rows.group + bucket.astype(str)
    counts = crossed.value_counts()
    expected = sorted(counts.index, key=lambda word: (counts[word], word.encode()), reverse=True)
    graph = tft.TFTransformOutput(str(tmp_path / "graph"))
    assert [word.decode() for word in graph.vocabulary_by_name("crossed")] == expected
    index = crossed.map(expected.index).to_numpy()
    made = graph.transform_raw_features(
        {
            "whole": tf.constant(rows.whole.to_numpy()[:, None]),
            "group": tf.constant(rows.group.to_numpy(dtype=str)[:, None]),
        }
    )
    assert made["index"].numpy()[:, 0].tolist() == index.tolist()
    np.testing.assert_allclose(
        made["z"].numpy()[:, 0], (index - index.mean()) / index.std(), rtol=1e-4, atol=1e-5
    )


ASKS = """
    factor = 2.0 if "odd" in inputs else 1.0
    return {"number": inputs["number"] - tft.mean(factor * inputs["number"], name=f"mean_{factor}")}
"""


def test_a_preprocessing_fn_may_ask_for_columns_that_it_does_not_use(tmp_path):
    import tensorflow as tf
    import tensorflow_transform as tft

    from retrainer.components.transform_features.transform import transform

    rows = make_rows(1, 300)
    examples, schema = write_inputs(tmp_path, [rows])
    transform(examples, schema, str(tmp_path / "graph"), "", HEAD + ASKS)
    # The model gets the columns that it uses.
    numbers = rows["number"].to_numpy().astype(np.float32)
    graph = tft.TFTransformOutput(str(tmp_path / "graph"))
    made = graph.transform_raw_features({"number": tf.constant(numbers[:, None])})
    np.testing.assert_allclose(made["number"].numpy()[:, 0], numbers - numbers.mean(), atol=1e-5)


APPROXIMATE = """
    tft.experimental.approximate_vocabulary(inputs["word"], top_k=3, vocab_filename="few")
    return {"number": inputs["number"] - tft.mean(inputs["number"])}
"""


def test_what_this_process_does_not_compute_goes_to_beam_and_the_verdict_names_it(tmp_path):
    import tensorflow_transform as tft

    from retrainer.components.transform_features.transform import transform

    examples, schema = write_inputs(tmp_path, [make_rows(1, 500)])
    said = transform(examples, schema, str(tmp_path / "graph"), "", HEAD + APPROXIMATE)
    assert said.endswith("over 500 rows; on Beam, which alone computes approximate_vocabulary")
    graph = tft.TFTransformOutput(str(tmp_path / "graph"))
    assert graph.vocabulary_size_by_name("few") == 3


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_every_analyser_gives_what_beam_gives(tmp_path, case):
    body, close = CASES[case]
    spans = [make_rows(number, size) for number, size in enumerate([1_500, 1, 40, 900])]
    assert analyse_both(tmp_path, spans, body, close) == []


@pytest.mark.slow
@pytest.mark.parametrize("case", ["numbers", "quantiles", "keys"])
def test_one_row_gives_what_beam_gives(tmp_path, case):
    body, close = CASES[case]
    assert analyse_both(tmp_path, [make_rows(5, 1)], body, close) == []
