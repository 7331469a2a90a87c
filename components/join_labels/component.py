"""The face of `join_labels`."""

from typing import Any, Dict, List, NamedTuple

from kfp import dsl

from ..lib.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def join_labels(
    store: str,
    label: str,
    joined: dsl.Output[dsl.Dataset],
    pattern: str = "",
    key: List[str] = ["request_id", "row"],
    labelled_at: str = "",
    weight: str = "",
    columns: Dict[str, Any] = {},
    types: Dict[str, str] = {},
    hash: List[str] = [],
    hash_key_env: str = "RETRAINER_HASH_KEY",
    hash_key_file: str = "",
    format: str = "auto",
    csv: Dict[str, Any] = {},
    query: str = "",
    max_bytes_billed: int = 0,
    compare: List[str] = [],
    horizon_seconds: int = 2592000,
    clock_seconds: int = 300,
    must_succeed: bool = True,
    retries: int = 0,
    retry_seconds: int = 60,
    schema_uri: str = "",
    now: str = "",
    run: str = "",
    run_resource: str = "",
    run_uuid: str = "",
) -> NamedTuple("Outputs", [("verdict", str), ("failure", str)]):
    """Joins predictions with the labels that come later. Do not cache this task: it reads the world.

    A set of a span has its predictions with a label, and how mature they are: the share that has a label by the time
    of the prediction, and whether rows with a label differ from those without. New labels make a new set; without
    new ones nothing is read or written.

    Args:
        store: URI of the store, which has the predictions and gets the joined sets.
        label: Column of the label.
        joined: joined.json, which names the folder and files of each span's joined set, and counts the labels.
        pattern: Files or tables of the labels, with or without `{span}`. Empty: the ingested spans of the training
            data, whose rows come with their labels.
        key: Columns that labels and predictions share. `request_id` and `row` name a row of a request.
        labelled_at: Column that says when a label was known; empty for none.
        weight: Column that weighs the rows, as `example_weight_key` of evaluate_model; empty for none.
        columns: Columns of the labels under another name, and columns made of others, as `columns` of ingest_spans.
        types: Types of columns of the labels: `integer`, `number` or `text`.
        hash: Private columns, which the predictions have as HMAC-SHA-256 of their text.
        hash_key_env: Environment variable that holds the HMAC key.
        hash_key_file: File that holds it, such as a mounted secret; empty for none.
        format: Format of the files, as `data.format` in retrain.yaml; `auto` goes by their endings.
        csv: Options of CSV files, as `data.csv` in retrain.yaml.
        query: BigQuery only: SQL that returns the labels, with `{span}` and `{table}` in it; empty reads the table.
        max_bytes_billed: BigQuery only: bytes that the query may be billed for; 0: the project's own limits.
        compare: Columns of the predictions whose values are compared between rows with and without a label, beside the
            prediction.
        horizon_seconds: How long after its end a span is joined again when labels come.
        clock_seconds: How much older than its prediction a label may be.
        must_succeed: Whether a failure is the task's. If false, it is the output `failure`, and a task after this one
            goes on without new labels; the store's record of the task has it, too.
        retries: How often to repeat a join that failed, without `must_succeed`. With it, the service repeats the task.
        retry_seconds: Seconds before the first repetition; doubled each time, at most an hour.
        schema_uri: A curated schema.pbtxt, which declares the label's type. Empty: the one that is frozen in the store.
        now: When it is, in ISO 8601; empty for the clock's time.
        run: Name of the run, by which the store keeps what this task used and decided; empty to keep nothing.
        run_resource: The run's resource name, from kfp's placeholder; it distinguishes runs of one name.
        run_uuid: The run's id, from kfp's placeholder; it distinguishes runs of one name.

    Returns:
        verdict: What was joined, in one sentence.
        failure: Why nothing was joined; empty if it was, and always with `must_succeed`.
    """
    from retrainer.components.join_labels.attempts import attempt, report_failure
    from retrainer.components.join_labels.join import join_labels as join_with_labels
    from retrainer.components.join_labels.settings import LabelSettings
    from retrainer.components.lib.moments import parse_now
    from retrainer.components.lib.runs.run_records import recording
    from retrainer.components.lib.source_rows.csv_options import parse_csv_options
    from retrainer.components.lib.source_rows.sources.options import SourceOptions

    def work() -> Any:
        settings = LabelSettings(
            pattern=pattern,
            label=label,
            key=tuple(key),
            labelled_at=labelled_at,
            weight=weight,
            columns=columns,
            types=types,
            hash=tuple(hash),
            hash_key_env=hash_key_env,
            hash_key_file=hash_key_file,
            source=SourceOptions(
                format=format,
                query=query,
                max_bytes_billed=max_bytes_billed,
                **parse_csv_options(csv),
            ),
            compare=tuple(compare),
            horizon_seconds=horizon_seconds,
            clock_seconds=clock_seconds,
        )
        return join_with_labels(
            store, settings, schema_uri=schema_uri, artifact=joined.path, now=parse_now(now)
        )

    try:
        with recording(store, "join_labels", run, run_resource, run_uuid) as record:
            done = attempt(work, 0 if must_succeed else retries, retry_seconds)
            record.verdict = done.verdict
            record.note(rows=done.rows, joined={one.span: one.version for one in done.sets})
    except Exception as error:
        if must_succeed:
            raise
        failure = report_failure(error)
        return (f"failed: {failure}", failure)
    joined.metadata["rows"] = done.rows
    return (done.verdict, "")
