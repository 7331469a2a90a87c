"""Features and model of a rare class: retrainer calls preprocessing_fn and build_model."""

import keras
import tensorflow as tf
import tensorflow_transform as tft

NUMBERS = ["amount", "card_age_days", "attempts_last_hour"]


def preprocessing_fn(inputs):
    """Turn raw columns into features.

    Args:
        inputs: A tensor of shape (rows, 1) for each column; missing numbers are NaN, missing text is "".

    Returns:
        The features, by name.
    """
    features = {
        "merchant": tft.compute_and_apply_vocabulary(
            inputs["merchant"], num_oov_buckets=1, vocab_filename="merchant"
        ),
        "abroad": tf.cast(inputs["abroad"], tf.float32),
    }
    for name in NUMBERS:
        # The logarithm brings rare values, which are the most informative, closer to the usual ones.
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
        A compiled keras.Model from the features of preprocessing_fn to a probability.
    """
    size = transform_output.vocabulary_size_by_name("merchant") + 1
    inputs = {"merchant": keras.Input((1,), name="merchant", dtype="int64")}
    parts = [keras.layers.Flatten()(keras.layers.Embedding(size, 4)(inputs["merchant"]))]
    for name in ["abroad", *NUMBERS]:
        inputs[name] = keras.Input((1,), name=name)
        parts.append(inputs[name])
    hidden = keras.layers.Concatenate()(parts)
    for units in (32, 16):
        hidden = keras.layers.Dense(units, activation="relu")(hidden)
    # Training starts from the rate of fraud, log(0.005 / 0.995), instead of one in two.
    rare = keras.initializers.Constant(-5.3)
    fraud = keras.layers.Dense(1, activation="sigmoid", bias_initializer=rare)(hidden)

    model = keras.Model(inputs, fraud)
    model.compile(
        optimizer=keras.optimizers.Adam(hyperparameters.get("learning_rate", 0.005)),
        loss="binary_crossentropy",
        metrics=[keras.metrics.AUC(curve="PR", name="pr_auc")],
    )
    return model
