"""The face of `ingest_predictions`."""

from typing import Any, Dict, List, NamedTuple

from kfp import dsl

from ..lib.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def ingest_predictions(
    uri: str,
    store: str,
    predictions: dsl.Output[dsl.Dataset],
    format: str = "serve_log",
    period: str = "day",
    wait_seconds: int = 600,
    clock_seconds: int = 3600,
    mapping: Dict[str, Any] = {},
    versions: Dict[str, int] = {},
    unversioned: str = "champion",
    model_output: str = "",
    since: str = "",
    key: List[str] = [],
    columns: List[str] = [],
    drop: List[str] = [],
    hash: List[str] = [],
    hash_key_env: str = "RETRAINER_HASH_KEY",
    hash_key_file: str = "",
    schema_uri: str = "",
    now: str = "",
    run: str = "",
    run_resource: str = "",
    run_uuid: str = "",
) -> NamedTuple("Outputs", [("verdict", str), ("newest_span", str)]):
    """Brings logs of servers into the store, as tables of predictions. Do not cache this task: it reads the world.

    A span is a day or an hour, in UTC, by when requests came. Its table is written when the span is over; rows that
    come later make a new version of it. What can't be used is quarantined, counted, and never stops the task, unless
    nothing can be used.

    Args:
        uri: Folder or URI of the log, with all folders in it; a pattern with `*`; or a table of BigQuery.
        store: URI of the store, which keeps the registry and gets the tables.
        predictions: predictions.json, which names the folder, files and rows of each span's table.
        format: Format of the log, as `monitoring.predictions.format` in retrain.yaml.
        period: `day` or `hour`.
        wait_seconds: How long after its end a span is waited for.
        clock_seconds: A request that came so much later than its file was written has a wrong clock: the
            file's time counts.
        mapping: Where records of JSON Lines or Parquet have what, as `monitoring.predictions.mapping`.
        versions: Numbers of the registry by what the log calls a model: its version, an ID, a label or a variant.
        unversioned: What rows without a version are of: `champion`, the one of that moment, or `unknown`.
        model_output: The output that counts, of a model with several; empty: `predictions`, or the only one.
        since: Spans that ended before this date are left out; empty for none.
        key: Columns that identify a row; they are kept where requests have them.
        columns: Further columns to keep, beside the key and what the model takes.
        drop: Columns that must not be kept.
        hash: Private columns, replaced by the HMAC-SHA-256 of their text; what is hashed already stays.
        hash_key_env: Environment variable that holds the HMAC key.
        hash_key_file: File that holds it, such as a mounted secret; empty for none.
        schema_uri: A curated schema.pbtxt, which declares types. Empty: the one that is frozen in the store.
        now: When it is, in ISO 8601; empty for the clock's time.
        run: Name of the run, by which the store keeps what this task used and decided; empty to keep nothing.
        run_resource: The run's resource name, from kfp's placeholder; it distinguishes runs of one name.
        run_uuid: The run's id, from kfp's placeholder; it distinguishes runs of one name.

    Returns:
        verdict: What was ingested, in one sentence.
        newest_span: Name of the newest span that has a table; empty if there is none.
    """
    from retrainer.components.ingest_predictions.task import run_task

    ingested = run_task(
        store=store,
        settings={
            "uri": uri,
            "format": format,
            "period": period,
            "wait_seconds": wait_seconds,
            "clock_seconds": clock_seconds,
            "mapping": mapping,
            "versions": versions,
            "unversioned": unversioned,
            "output": model_output,
            "since": since,
            "key": key,
            "columns": columns,
            "drop": drop,
            "hash": hash,
            "hash_key_env": hash_key_env,
            "hash_key_file": hash_key_file,
        },
        schema_uri=schema_uri,
        now=now,
        artifact=predictions.path,
        run=(run, run_resource, run_uuid),
    )
    predictions.metadata["rows"] = ingested.rows
    return ingested.verdict, ingested.newest_span
