"""`retrainer predict`: one file scored on this machine."""

import json
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ...components.lib.errors import RetrainerError
from .options import STORE

if TYPE_CHECKING:
    from ...components.lib.predictions.prediction_sets import PredictionSet
    from ...components.predict_batch.settings import PredictSettings
    from ..project.config import LoadedConfig

_ENDING = re.compile(r"((?:\.[A-Za-z0-9]+)?(?:\.(?:gz|bz2|zst|lz4))?)$")
_TABLES = (".csv", ".parquet")


@click.command()
@click.argument("source", metavar="INPUT")
@STORE
@click.option(
    "-o",
    "--output",
    help="A .csv or .parquet file on this machine, or a folder or URI; the store's predictions by default.",
)
@click.option(
    "--model",
    help="Model to score with: champion, or a version's number; as retrain.yaml says by default.",
)
@click.option("--json", "as_json", is_flag=True, help="Print what was written as JSON.")
def predict(source: str, file: Path, output: str | None, model: str | None, as_json: bool) -> None:
    """Score the rows of a file with a model of the store.

    Rows are read as retrain.yaml says of `data` and `predict`, and each of them is in the output, in the same order. To
    score spans, run the pipeline: retrainer run --pipeline predict_batch.
    """
    from ...components.lib.predictions.prediction_table import read_predictions
    from ...components.predict_batch.predict import predict as score
    from ..project.config import load_config
    from ..project.installed import check_libraries
    from ..project.sections.predict import PredictConfig

    loaded = load_config(file)
    config = loaded.config
    own = config.predict or PredictConfig()
    pattern, span = _pattern_of(source)
    to_file = _is_one_file(output or "")
    check_libraries()
    # Monitoring judges what is in the store's predictions: one file that somebody scores is no traffic.
    with tempfile.TemporaryDirectory(prefix="retrainer-predict-") as scratch:
        predicted = score(
            pattern,
            config.store,
            _settings(loaded),
            model=model or own.model,
            span=span,
            schema_uri=config.validation.schema_uri or "",
            output=scratch if to_file else _place(output or own.output or ""),
        )
        (made,) = predicted.sets
        where = made.uri
        if to_file:
            where = str(output)
            _write_table(made, where)
        if as_json:
            written = replace(made, uri=where, files=()) if to_file else made
            click.echo(json.dumps({**asdict(written), "output": where}, indent=2))
            return
        click.echo(f"{predicted.verdict}\nwrote {where}")
        if predicted.errors:
            batches = read_predictions(made, ["row", "error"])
            first = next(row for batch in batches for row in batch.to_pylist() if row["error"])
            words = f"the first row without one is row {first['row']}: {first['error']}"
            click.echo(words, err=True)


def _pattern_of(source: str) -> tuple[str, str]:
    """Return a pattern that matches a file, and the file's span in it."""
    place = source if "://" in source else os.path.abspath(source)
    if "://" not in source and not os.path.isfile(source):
        raise RetrainerError(
            f"there is no file '{source}'. Name a file of rows; to score spans, use 'retrainer run --pipeline "
            "predict_batch'."
        )
    folder, _, name = place.rpartition("/")
    ending = _ENDING.search(name)
    stem = name[: len(name) - len(ending[0])] if ending and ending[0] != name else name
    if not stem or any(character in place for character in "{}*?["):
        raise RetrainerError(
            f"'{place}' has a brace, '*', '?' or '[' in it, or names no file. Rename the file or its folder."
        )
    return f"{folder}/{{span}}{name[len(stem) :]}", stem


def _is_one_file(output: str) -> bool:
    """Return whether the output is one file; refuse what can't be written before anything is scored."""
    name = output.rpartition("/")[2]
    if not name.lower().endswith(_TABLES):
        if re.search(r"\.[A-Za-z]\w*$", name) and not os.path.isdir(output):
            raise RetrainerError(
                f"--output '{output}' is neither a .csv nor a .parquet file. Name one of these, or a folder without an "
                "ending."
            )
        return False
    folder = os.path.dirname(os.path.abspath(output))
    if "://" in output:
        raise RetrainerError(
            f"--output '{output}' is one file that is not on this machine. Name a folder there, such as "
            f"'{output.rpartition('/')[0]}', or a file here."
        )
    if os.path.isdir(output) or not os.path.isdir(folder) or not os.access(folder, os.W_OK):
        raise RetrainerError(
            f"--output '{output}' can't be written: "
            + (
                "it is a folder. Name a file in it, or a folder without an ending."
                if os.path.isdir(output)
                else f"the folder '{folder}' is missing or access to it is denied. Create it, or name another one."
            )
        )
    return True


def _settings(loaded: "LoadedConfig") -> "PredictSettings":
    from ...components.lib.source_rows.csv_options import parse_csv_options
    from ...components.lib.source_rows.settings import IngestSettings
    from ...components.lib.source_rows.sources.options import SourceOptions
    from ...components.predict_batch.settings import PredictSettings
    from ..project.sections.predict import PredictConfig

    data, own = loaded.config.data, loaded.config.predict or PredictConfig()
    csv = parse_csv_options(data.csv.model_dump(exclude_unset=True, exclude_none=True))
    return PredictSettings(
        IngestSettings(
            label="",
            key=tuple(data.key if own.key is None else own.key),
            columns=data.columns,
            drop=tuple(data.drop),
            hash=tuple(data.hash.columns),
            hash_key_env=data.hash.key_env,
            hash_key_file=data.hash.key_file or "",
            types=data.types,
            # The file's ending says its format, whatever the spans' is.
            source=SourceOptions(**csv),
        ),
        keep=tuple(own.columns),
        max_errors=own.max_errors,
    )


def _place(output: str) -> str:
    return output if "://" in output or not output else os.path.abspath(output)


def _write_table(made: "PredictionSet", path: str) -> None:
    """Write predictions as one file, whole or not at all."""
    import pyarrow.csv as pc
    import pyarrow.parquet as pq

    from ...components.lib.parquet_reader import open_parquet
    from ...components.lib.predictions.prediction_table import read_predictions
    from ...components.lib.uris import join

    with open_parquet(join(made.uri, made.files[0])) as parquet:
        schema = parquet.schema_arrow
    with _aside(path) as aside:
        make = pc.CSVWriter if path.lower().endswith(".csv") else pq.ParquetWriter
        with make(aside, schema) as writer:
            for batch in read_predictions(made):
                writer.write_batch(batch)


@contextmanager
def _aside(path: str) -> Iterator[str]:
    aside = f"{path}.{os.getpid()}.tmp"
    try:
        yield aside
        os.replace(aside, path)
    finally:
        if os.path.exists(aside):
            os.unlink(aside)
