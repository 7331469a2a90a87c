"""The peer of the bench: TFX 1.16 on its LocalDagRunner, in an environment of its own.

python pipeline.py DATA WORK STEPS, where DATA is a folder of CSV files and WORK keeps the metadata
and the blessed model from one run to the next.
"""

import sys
from pathlib import Path

import tensorflow_model_analysis as tfma
from tfx import v1 as tfx

MODULE = str(Path(__file__).resolve().parent / "flights.py")


def main() -> None:
    """Run the pipeline once, no step from a cache."""
    data, work, steps = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    metadata = tfx.orchestration.metadata.sqlite_metadata_connection_config(
        str(work / "metadata.db")
    )
    pipeline = tfx.dsl.Pipeline(
        pipeline_name="flights",
        pipeline_root=str(work / "root"),
        components=components(data, str(work / "serving"), steps),
        metadata_connection_config=metadata,
        enable_cache=False,
    )
    tfx.orchestration.LocalDagRunner().run(pipeline)


def components(data: str, serving: str, steps: int) -> list:
    """The steps that retrainer's pipeline has too."""
    two_to_one = tfx.proto.SplitConfig(
        splits=[
            tfx.proto.SplitConfig.Split(name="train", hash_buckets=2),
            tfx.proto.SplitConfig.Split(name="eval", hash_buckets=1),
        ]
    )
    examples = tfx.components.CsvExampleGen(
        input_base=data, output_config=tfx.proto.Output(split_config=two_to_one)
    )
    statistics = tfx.components.StatisticsGen(examples=examples.outputs["examples"])
    schema = tfx.components.SchemaGen(statistics=statistics.outputs["statistics"])
    validator = tfx.components.ExampleValidator(
        statistics=statistics.outputs["statistics"], schema=schema.outputs["schema"]
    )
    transform = tfx.components.Transform(
        examples=examples.outputs["examples"], schema=schema.outputs["schema"], module_file=MODULE
    )
    trainer = tfx.components.Trainer(
        module_file=MODULE,
        examples=transform.outputs["transformed_examples"],
        transform_graph=transform.outputs["transform_graph"],
        train_args=tfx.proto.TrainArgs(num_steps=steps),
        eval_args=tfx.proto.EvalArgs(),
    )
    resolver = tfx.dsl.Resolver(
        strategy_class=tfx.dsl.experimental.LatestBlessedModelStrategy,
        model=tfx.dsl.Channel(type=tfx.types.standard_artifacts.Model),
        model_blessing=tfx.dsl.Channel(type=tfx.types.standard_artifacts.ModelBlessing),
    ).with_id("champion")
    evaluator = tfx.components.Evaluator(
        examples=examples.outputs["examples"],
        model=trainer.outputs["model"],
        baseline_model=resolver.outputs["model"],
        eval_config=eval_config(),
    )
    pusher = tfx.components.Pusher(
        model=trainer.outputs["model"],
        model_blessing=evaluator.outputs["blessing"],
        push_destination=tfx.proto.PushDestination(
            filesystem=tfx.proto.PushDestination.Filesystem(base_directory=serving)
        ),
    )
    made = [examples, statistics, schema, validator, transform]
    return [*made, trainer, resolver, evaluator, pusher]


def eval_config() -> tfma.EvalConfig:
    """The evaluation of the example's retrain.yaml."""
    floor = tfma.GenericValueThreshold(lower_bound={"value": 0.8})
    change = tfma.GenericChangeThreshold(
        direction=tfma.MetricDirection.HIGHER_IS_BETTER, absolute={"value": -0.005}
    )
    # A threshold without slices holds for every slice, the smallest too.
    thresholds = {
        "AUC": on_slices(
            tfma.MetricThreshold(value_threshold=floor, change_threshold=change), [{}]
        ),
        "BinaryAccuracy": on_slices(
            tfma.MetricThreshold(value_threshold=floor), [{}, {"feature_keys": ["origin"]}]
        ),
    }
    names = ["ExampleCount", "AUC", "BinaryAccuracy", "CalibrationPlot"]
    return tfma.EvalConfig(
        model_specs=[tfma.ModelSpec(signature_name="serving_default", label_key="late")],
        metrics_specs=[
            tfma.MetricsSpec(
                metrics=[
                    tfma.MetricConfig(class_name=name, per_slice_thresholds=thresholds.get(name))
                    for name in names
                ]
            )
        ],
        slicing_specs=[
            tfma.SlicingSpec(),
            tfma.SlicingSpec(feature_keys=["carrier"]),
            tfma.SlicingSpec(feature_keys=["origin"]),
        ],
    )


def on_slices(threshold: tfma.MetricThreshold, slices: list[dict]) -> list:
    """A threshold for some slices only."""
    specs = [tfma.SlicingSpec(**keys) for keys in slices]
    return [tfma.PerSliceMetricThreshold(slicing_specs=specs, threshold=threshold)]


if __name__ == "__main__":
    main()
