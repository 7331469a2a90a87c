"""Features and model of a regression: retrainer calls preprocessing_fn and build_model."""

import keras
import tensorflow as tf
import tensorflow_transform as tft

NUMBERS = ["distance_km", "stops", "rain_mm"]
FIRST_HOUR, HOURS = 8, 12


def preprocessing_fn(inputs):
    """Turn raw columns into features.

    Args:
        inputs: A tensor of shape (rows, 1) for each column; missing numbers are NaN, missing text is "".

    Returns:
        The features, by name, without the weight `parcels`.
    """
    features = {
        "vehicle": tft.compute_and_apply_vocabulary(
            inputs["vehicle"], num_oov_buckets=1, vocab_filename="vehicle"
        ),
        "hour": tf.clip_by_value(tf.cast(inputs["hour"], tf.int64) - FIRST_HOUR, 0, HOURS - 1),
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
        A compiled keras.Model from the features of preprocessing_fn to minutes.
    """
    sizes = {"vehicle": transform_output.vocabulary_size_by_name("vehicle") + 1, "hour": HOURS}
    inputs, parts = {}, []
    for name, size in sizes.items():
        inputs[name] = keras.Input((1,), name=name, dtype="int64")
        parts.append(keras.layers.Flatten()(keras.layers.Embedding(size, 4)(inputs[name])))
    for name in NUMBERS:
        inputs[name] = keras.Input((1,), name=name)
        parts.append(inputs[name])
    hidden = keras.layers.Concatenate()(parts)
    for units in (32, 16):
        hidden = keras.layers.Dense(units, activation="relu")(hidden)
    # No activation: a quantity has no bounds. Training starts from the typical value, not from 0.
    start = keras.initializers.Constant(hyperparameters.get("typical_minutes", 0.0))
    minutes = keras.layers.Dense(1, bias_initializer=start)(hidden)

    model = keras.Model(inputs, minutes)
    model.compile(
        optimizer=keras.optimizers.Adam(hyperparameters.get("learning_rate", 0.01)),
        loss="mse",
        metrics=[keras.metrics.MeanAbsoluteError(name="mae")],
    )
    return model
