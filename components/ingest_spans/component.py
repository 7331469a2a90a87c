"""The KFP face of `ingest_spans`."""

from typing import Any, Dict, List, NamedTuple

from kfp import dsl

from ..lib.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def ingest_spans(
    examples: dsl.Output[dsl.Dataset],
    pattern: str,
    store: str,
    label: str,
    label_keys: Dict[str, List[str]] = {},
    weight: str = "",
    span: str = "latest",
    window: int = 3,
    split: str = "newest_spans",
    eval_spans: int = 1,
    eval_fraction: float = 0.3333333333333333,
    key: List[str] = [],
    key_features: List[str] = [],
    columns: Dict[str, Any] = {},
    drop: List[str] = [],
    hash: List[str] = [],
    hash_key_env: str = "RETRAINER_HASH_KEY",
    hash_key_file: str = "",
    split_by: List[str] = [],
    format: str = "auto",
    csv: Dict[str, Any] = {},
    query: str = "",
    max_bytes_billed: int = 0,
    max_bad_rows: float = 0.01,
    types: Dict[str, str] = {},
    min_spans: int = 0,
    marker: str = "",
    schema_uri: str = "",
    run: str = "",
    run_resource: str = "",
    run_uuid: str = "",
) -> NamedTuple("Outputs", [("newest_span", str), ("verdict", str)]):
    """Finds the newest spans that match a pattern, and stores each new one once.

    Args:
        examples: The manifest that names the span files of each split.
        pattern: Path or URI of the data with `{span}`, or `{span:%Y-%m-%d}`, in it.
        store: URI of the store, which keeps the ingested spans.
        label: Column of the label. Rows without one are quarantined and counted.
        label_keys: Of models with several outputs, or several labels for one output: the columns of each output's
            labels, by its name. `label` is one of them, and rows without one of them are quarantined.
        weight: Column that weighs the rows, as `example_weight_key` of evaluate_model; rows without a finite weight of
            0 or more are quarantined and counted. Empty for none.
        span: The window's newest span, or `latest`.
        window: How many spans to use at most; where they are dates or numbers, how many steps of them.
        split: `newest_spans`: the newest spans evaluate, the older ones train. `hash`: every span is split by
            a hash of its key.
        eval_spans: With `newest_spans`, how many spans evaluate.
        eval_fraction: With `hash`, the share of keys that evaluate, between 0 and 1.
        key: Primary-key columns. Of rows with the same key the later wins; they are excluded from the features.
        key_features: Key columns that are features all the same.
        columns: By a column's name: the source's name for it; or how it is made of others, such as `{hour: ordered_at}`
            or `{greater: [delay, 15]}`, by functions of pyarrow.compute.
        drop: Columns to leave out.
        hash: Private columns, replaced by the HMAC-SHA-256 of their text.
        hash_key_env: Environment variable that holds the HMAC key.
        hash_key_file: File that holds it, such as a mounted secret; empty for none.
        split_by: With split `hash`, the columns whose rows stay on one side; none: those of `key`, and without them the
            whole row.
        format: Format of the files, as `data.format` in retrain.yaml; `auto` goes by their endings.
        csv: Options of CSV files: `columns` (names, where there is no header), `delimiter`, `encoding`, `quote`,
            `skip_rows` (lines before the header), `null_values`, `decimal` and `thousands` (marks), and `by_column`
            (the last three by column).
        query: BigQuery only: SQL that returns the span's rows, with `{span}` and `{table}` in it; empty reads the
            table.
        max_bytes_billed: BigQuery only: bytes that the query may be billed for, per span; 0: the project's own limits.
        types: Types that override the schema and the values: `integer`, `number`, `text` or `list`, by column.
        max_bad_rows: The share of a span's rows that may be unreadable; above it the run stops.
        min_spans: How many spans of the window are enough. 0: the window may be shorter where the data begins, but no
            date or number between others may be missing. Above 0: any may be missing as long as so many are there.
        marker: Name of the file that completes a span, such as `_SUCCESS`, in each folder with files of it;
            `{span}.done` where spans share a folder. Spans without it are incomplete. Empty for none.
        schema_uri: A curated schema.pbtxt, which declares types. Empty: the one that is frozen in the
            store, and before that each span's own values.
        run: Name of the run, by which the store keeps what this task used and decided; empty to keep nothing.
        run_resource: The run's resource name, from kfp's placeholder; it distinguishes runs of one name.
        run_uuid: The run's id, from kfp's placeholder; it distinguishes runs of one name.

    Returns:
        newest_span: Name of the newest span in the window.
        verdict: What was ingested, in one sentence.
    """
    from retrainer.components.ingest_spans.ingest import ingest
    from retrainer.components.lib.runs.run_records import recording
    from retrainer.components.lib.source_rows.csv_options import parse_csv_options
    from retrainer.components.lib.source_rows.settings import IngestSettings
    from retrainer.components.lib.source_rows.sources.base import SourceOptions

    with recording(store, "ingest_spans", run, run_resource, run_uuid) as record:
        settings = IngestSettings(
            label=label,
            label_keys=label_keys,
            weight=weight,
            key=tuple(key),
            key_features=tuple(key_features),
            columns=columns,
            drop=tuple(drop),
            hash=tuple(hash),
            hash_key_env=hash_key_env,
            hash_key_file=hash_key_file,
            split=split,
            split_by=tuple(split_by),
            eval_fraction=eval_fraction,
            max_bad_rows=max_bad_rows,
            types=types,
            source=SourceOptions(
                format=format,
                query=query,
                max_bytes_billed=max_bytes_billed,
                **parse_csv_options(csv),
            ),
        )
        ingested = ingest(
            pattern=pattern,
            store=store,
            settings=settings,
            output=examples.path,
            span=span,
            window=window,
            eval_spans=eval_spans,
            min_spans=min_spans,
            marker=marker,
            schema_uri=schema_uri,
        )
        record.verdict = ingested.verdict
        record.note(
            spans=ingested.versions, newest_span=ingested.newest_span, examples=examples.uri
        )
    # Records of runs keep an artifact's metadata, so they say which versions a run used after its folder is gone.
    examples.metadata["spans"] = ingested.versions
    return ingested.newest_span, ingested.verdict
