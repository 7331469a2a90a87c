"""The face of `predict_batch`."""

from typing import Any, Dict, List, NamedTuple

from kfp import dsl

from ..lib.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def predict_batch(
    pattern: str,
    store: str,
    predictions: dsl.Output[dsl.Dataset],
    model: str = "champion",
    span: str = "latest",
    window: int = 1,
    output: str = "",
    key: List[str] = [],
    keep: List[str] = [],
    columns: Dict[str, Any] = {},
    drop: List[str] = [],
    hash: List[str] = [],
    hash_key_env: str = "RETRAINER_HASH_KEY",
    hash_key_file: str = "",
    format: str = "auto",
    csv: Dict[str, Any] = {},
    query: str = "",
    max_bytes_billed: int = 0,
    types: Dict[str, str] = {},
    marker: str = "",
    schema_uri: str = "",
    max_errors: float = 0.1,
    beam_args: List[str] = [],
    run: str = "",
    run_resource: str = "",
    run_uuid: str = "",
) -> NamedTuple("Outputs", [("verdict", str), ("newest_span", str)]):
    """Scores the rows of spans with a model of the registry. Do not cache this task: it reads the world.

    Every row that comes in goes out, in the same order: one that the model can't take has the status `error`, the
    reason and no prediction. What was scored already, with the same model and settings, is not scored again.

    Args:
        pattern: Where the spans are, with `{span}` in it: files, or tables `bigquery://project.dataset.table_{span}`.
        store: URI of the store, which keeps the registry and gets the predictions.
        predictions: predictions.json, which names the folder, files and rows of each span's predictions.
        model: `champion`, or the number of a version in the registry.
        span: Name of the newest span to score, or `latest`.
        window: How many spans to score, the newest included.
        output: Folder or URI for the predictions; empty for the store.
        key: Columns that identify a row; they are kept.
        keep: Further columns to keep, beside the key and what the model takes.
        columns: Columns under another name, and columns made of others, as `data.columns` in retrain.yaml.
        drop: Columns that must not be kept.
        hash: Private columns, replaced by the HMAC-SHA-256 of their text.
        hash_key_env: Environment variable that holds the HMAC key.
        hash_key_file: File that holds it, such as a mounted secret; empty for none.
        format: Format of the files, as `data.format` in retrain.yaml; `auto` goes by their endings.
        csv: Options of CSV files, as `data.csv` in retrain.yaml.
        query: BigQuery only: SQL that returns the span's rows, with `{span}` and `{table}` in it; empty reads the
            table.
        max_bytes_billed: BigQuery only: bytes that the query may be billed for, per span; 0: the project's own limits.
        types: Types of columns: `integer`, `number` or `text`; the model's and the schema's otherwise.
        marker: Name of the file that completes a span, such as `_SUCCESS`. Empty for none.
        schema_uri: A curated schema.pbtxt, which declares types. Empty: the one that is frozen in the store.
        max_errors: The share of a span's rows that may have errors; above it the task fails, and writes nothing.
        beam_args: Beam's own options, such as `--runner=DataflowRunner`; none scores in the task's process.
        run: Name of the run, by which the store keeps what this task used and decided; empty to keep nothing.
        run_resource: The run's resource name, from kfp's placeholder; it distinguishes runs of one name.
        run_uuid: The run's id, from kfp's placeholder; it distinguishes runs of one name.

    Returns:
        verdict: What was scored, in one sentence.
        newest_span: Name of the newest span.
    """
    from retrainer.components.lib.runs.run_records import recording
    from retrainer.components.lib.source_rows.csv_options import parse_csv_options
    from retrainer.components.lib.source_rows.settings import IngestSettings
    from retrainer.components.lib.source_rows.sources.options import SourceOptions
    from retrainer.components.predict_batch.predict import predict
    from retrainer.components.predict_batch.settings import PredictSettings

    with recording(store, "predict_batch", run, run_resource, run_uuid) as record:
        source = SourceOptions(
            format=format, query=query, max_bytes_billed=max_bytes_billed, **parse_csv_options(csv)
        )
        settings = PredictSettings(
            rows=IngestSettings(
                label="",
                key=tuple(key),
                columns=columns,
                drop=tuple(drop),
                hash=tuple(hash),
                hash_key_env=hash_key_env,
                hash_key_file=hash_key_file,
                types=types,
                source=source,
            ),
            keep=tuple(keep),
            max_errors=max_errors,
        )
        predicted = predict(
            pattern,
            store,
            settings,
            model=model,
            span=span,
            window=window,
            marker=marker,
            schema_uri=schema_uri,
            output=output,
            artifact=predictions.path,
            beam_args=beam_args,
        )
        record.verdict = predicted.verdict
        record.note(newest_span=predicted.newest_span, version=predicted.model_version)
    predictions.metadata["rows"] = predicted.rows
    predictions.metadata["errors"] = predicted.errors
    return predicted.verdict, predicted.newest_span
