"""Will a flight arrive more than 15 minutes late? Features and model, from what is known at departure."""

import keras
import tensorflow as tf
import tensorflow_transform as tft

CATEGORIES = ["carrier", "origin", "dest"]
NUMBERS = ["dep_delay", "distance"]
HOURS = 24


def preprocessing_fn(inputs):
    """Turn raw columns into features.

    Args:
        inputs: A tensor of shape (rows, 1) for each column; missing numbers are NaN, missing text is "".

    Returns:
        The features, by name.
    """
    features = {}
    for name in CATEGORIES:
        # Airports that training has not seen share an extra index.
        features[name] = tft.compute_and_apply_vocabulary(
            inputs[name], num_oov_buckets=1, vocab_filename=name
        )
    for name in NUMBERS:
        number = tf.cast(inputs[name], tf.float32)
        known = tf.where(tf.math.is_nan(number), tf.zeros_like(number), number)
        features[name] = tft.scale_to_z_score(known)
    features["hour"] = tf.clip_by_value(tf.cast(inputs["hour"], tf.int64), 0, HOURS - 1)
    return features


def build_model(transform_output, hyperparameters):
    """Build and compile the model.

    Args:
        transform_output: The `tft.TFTransformOutput`, which knows the size of each vocabulary.
        hyperparameters: `model.hyperparameters` of retrain.yaml.

    Returns:
        A compiled keras.Model from the features of preprocessing_fn to a probability.
    """
    inputs, parts = {}, []
    for name in [*CATEGORIES, "hour"]:
        size = HOURS if name == "hour" else transform_output.vocabulary_size_by_name(name) + 1
        inputs[name] = keras.Input((1,), name=name, dtype="int64")
        parts.append(keras.layers.Flatten()(keras.layers.Embedding(size, 8)(inputs[name])))
    for name in NUMBERS:
        inputs[name] = keras.Input((1,), name=name)
        parts.append(inputs[name])
    hidden = keras.layers.Concatenate()(parts)
    for units in hyperparameters.get("hidden_units", [64, 32]):
        hidden = keras.layers.Dense(int(units), activation="relu")(hidden)
    late = keras.layers.Dense(1, activation="sigmoid")(hidden)

    model = keras.Model(inputs, late)
    model.compile(
        optimizer=keras.optimizers.Adam(hyperparameters.get("learning_rate", 0.001)),
        loss="binary_crossentropy",
        metrics=[keras.metrics.AUC(name="auc")],
    )
    return model
