"""Features and model of several classes: retrainer calls preprocessing_fn and build_model."""

import keras
import tensorflow as tf
import tensorflow_transform as tft

CATEGORIES = ["channel", "topic"]
NUMBERS = ["open_orders", "customer_months", "words"]


def preprocessing_fn(inputs):
    """Turn raw columns into features.

    Args:
        inputs: A tensor of shape (rows, 1) for each column; missing numbers are NaN, missing text is "".

    Returns:
        The features, by name.
    """
    features = {}
    for name in CATEGORIES:
        features[name] = tft.compute_and_apply_vocabulary(
            inputs[name], num_oov_buckets=1, vocab_filename=name
        )
    for name in NUMBERS:
        scaled = tft.scale_to_z_score(tf.math.log1p(tf.cast(inputs[name], tf.float32)))
        # A missing number counts as the mean of the others.
        features[name] = tf.where(tf.math.is_nan(scaled), tf.zeros_like(scaled), scaled)
    return features


def build_model(transform_output, hyperparameters):
    """Build and compile the model.

    Args:
        transform_output: The `tft.TFTransformOutput`, which knows the size of each vocabulary.
        hyperparameters: `model.hyperparameters` of retrain.yaml.

    Returns:
        A compiled keras.Model from the features of preprocessing_fn to a probability for each class.
    """
    inputs, parts = {}, []
    for name in CATEGORIES:
        size = transform_output.vocabulary_size_by_name(name) + 1
        inputs[name] = keras.Input((1,), name=name, dtype="int64")
        parts.append(keras.layers.Flatten()(keras.layers.Embedding(size, 4)(inputs[name])))
    for name in NUMBERS:
        inputs[name] = keras.Input((1,), name=name)
        parts.append(inputs[name])
    hidden = keras.layers.Concatenate()(parts)
    hidden = keras.layers.Dense(32, activation="relu")(hidden)
    # One output for each class, in the order of the labels 0, 1, 2 and so on.
    team = keras.layers.Dense(int(hyperparameters["teams"]), activation="softmax")(hidden)

    model = keras.Model(inputs, team)
    model.compile(
        optimizer=keras.optimizers.Adam(hyperparameters.get("learning_rate", 0.01)),
        loss="sparse_categorical_crossentropy",
        metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
    )
    return model
