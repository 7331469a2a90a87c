"""Features and model of a ranking: retrainer calls preprocessing_fn and build_model."""

import keras
import tensorflow as tf
import tensorflow_transform as tft

NUMBERS = ["price", "stars", "in_stock"]


def preprocessing_fn(inputs):
    """Turn raw columns into features.

    Args:
        inputs: A tensor of shape (rows, 1) for each column; missing numbers are NaN, missing text is "".

    Returns:
        The features, by name. `search_id` groups the rows, and `clicks` is known after the fact: neither is a feature.
    """
    features = {
        "country": tft.compute_and_apply_vocabulary(
            inputs["country"], num_oov_buckets=1, vocab_filename="country"
        )
    }
    for name in NUMBERS:
        scaled = tft.scale_to_z_score(tf.cast(inputs[name], tf.float32))
        # A missing number counts as the mean of the others.
        features[name] = tf.where(tf.math.is_nan(scaled), tf.zeros_like(scaled), scaled)
    return features


def build_model(transform_output, hyperparameters):
    """Build and compile the model.

    Args:
        transform_output: The `tft.TFTransformOutput`, which knows the size of each vocabulary.
        hyperparameters: `model.hyperparameters` of retrain.yaml.

    Returns:
        A compiled keras.Model from the features of preprocessing_fn to a score: the higher, the further in front.
    """
    size = transform_output.vocabulary_size_by_name("country") + 1
    inputs = {"country": keras.Input((1,), name="country", dtype="int64")}
    parts = [keras.layers.Flatten()(keras.layers.Embedding(size, 2)(inputs["country"]))]
    for name in NUMBERS:
        inputs[name] = keras.Input((1,), name=name)
        parts.append(inputs[name])
    hidden = keras.layers.Concatenate()(parts)
    hidden = keras.layers.Dense(int(hyperparameters.get("units", 16)), activation="relu")(hidden)
    clicked = keras.layers.Dense(1, activation="sigmoid")(hidden)

    model = keras.Model(inputs, clicked)
    model.compile(
        optimizer=keras.optimizers.Adam(hyperparameters.get("learning_rate", 0.01)),
        loss="binary_crossentropy",
        metrics=[keras.metrics.AUC(name="auc")],
    )
    return model
