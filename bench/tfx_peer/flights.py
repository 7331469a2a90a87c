"""The flights example's features and model as a TFX module: the same ones, in TFX's words."""

import tensorflow as tf
import tensorflow_transform as tft
import tf_keras as keras
from tfx_bsl.public import tfxio

CATEGORIES = ["carrier", "origin", "dest"]
NUMBERS = ["dep_delay", "distance"]
HOURS = 24
LABEL = "late"
BATCH_SIZE = 512
UNITS = [64, 32]
LEARNING_RATE = 0.001


def preprocessing_fn(inputs):
    """Turn raw columns into features, as pipelines/examples/flights/model.py does."""
    features = {}
    for name in CATEGORIES:
        features[name] = tft.compute_and_apply_vocabulary(
            inputs[name], num_oov_buckets=1, vocab_filename=name
        )
    for name in NUMBERS:
        number = tf.cast(inputs[name], tf.float32)
        known = tf.where(tf.math.is_nan(number), tf.zeros_like(number), number)
        features[name] = tft.scale_to_z_score(known)
    features["hour"] = tf.clip_by_value(tf.cast(inputs["hour"], tf.int64), 0, HOURS - 1)
    features[LABEL] = inputs[LABEL]
    return features


def run_fn(fn_args):
    """Train for `train_steps` batches and export with the transform inside."""
    transformed = tft.TFTransformOutput(fn_args.transform_output)
    options = tfxio.TensorFlowDatasetOptions(batch_size=BATCH_SIZE, label_key=LABEL)
    schema = transformed.transformed_metadata.schema
    dataset = fn_args.data_accessor.tf_dataset_factory(fn_args.train_files, options, schema)
    model = build_model(transformed)
    model.fit(dataset.repeat(), steps_per_epoch=fn_args.train_steps, verbose=2)
    model.transform = transformed.transform_features_layer()

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def serve(examples):
        wanted = transformed.raw_feature_spec()
        wanted.pop(LABEL)
        features = model.transform(tf.io.parse_example(examples, wanted))
        return {"predictions": model({name: features[name] for name in model.input_names})}

    model.save(fn_args.serving_model_dir, save_format="tf", signatures={"serving_default": serve})


def build_model(transformed):
    """Build and compile the model, layer for layer the example's."""
    inputs, parts = {}, []
    for name in [*CATEGORIES, "hour"]:
        size = HOURS if name == "hour" else transformed.vocabulary_size_by_name(name) + 1
        inputs[name] = keras.Input((1,), name=name, dtype="int64")
        embedded = keras.layers.Embedding(size, 8)(inputs[name])
        parts.append(keras.layers.Flatten()(embedded))
    for name in NUMBERS:
        inputs[name] = keras.Input((1,), name=name)
        parts.append(inputs[name])
    hidden = keras.layers.Concatenate()(parts)
    for units in UNITS:
        hidden = keras.layers.Dense(units, activation="relu")(hidden)
    late = keras.layers.Dense(1, activation="sigmoid")(hidden)
    model = keras.Model(inputs, late)
    model.compile(
        optimizer=keras.optimizers.Adam(LEARNING_RATE),
        loss="binary_crossentropy",
        metrics=[keras.metrics.AUC(name="auc")],
    )
    return model
