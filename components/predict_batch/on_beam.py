"""Scoring a span on Beam: its sources side by side, for spans too large for one machine.

Types are those of the whole span, so of each source a worker writes the files, byte for byte, that are written in
process. It needs the sources, the model and the folder of the predictions by their URIs, and nothing of the submitter.
"""

import errno
import os
import shutil
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import apache_beam as beam

from ..lib.engine.pipelines import Engine, open_engine, runs_here
from ..lib.engine.places import worker_uri
from ..lib.engine.work_items import WorkItems
from ..lib.errors import RetrainerError
from ..lib.folders import WRITING, publish_folder, remove_old_folder, scratch_folder
from ..lib.predictions.prediction_sets import RECORD_FILE, find_predictions
from ..lib.saved_models.saved_model import Model, load_model
from ..lib.source_files import SourceFile, SourceSpan
from ..lib.source_rows.inferred_column import InferredColumn
from ..lib.source_rows.pseudonymize import key_digest
from ..lib.source_rows.sources.base import NoRowsError
from ..lib.source_rows.span_reader import TypesChangedError, no_rows
from ..lib.spans.stored_spans import LEFTOVER_SECONDS
from ..lib.threads import ordered_map, read_ahead
from ..lib.uris import filesystem, is_local, join, read_json, write_json
from .row_scores import Scorer
from .source_predictions import (
    SourcePredictions,
    SourceWriter,
    SpanWork,
    cores,
    open_reader,
    scratch_of_sources,
    types_of,
)

RESULTS_FILE = "results.json"
_COPIES = 16
Result = dict[str, Any]
"""What a worker says of a source: the fields of `SourcePredictions` and the columns that it found, or its error."""


@contextmanager
def side_folder(home: str, beam_args: Sequence[str]) -> Iterator[str]:
    """Make the folder that workers write to, and remove it afterwards.

    Args:
        home: Folder of the span's predictions.
        beam_args: Beam's own options.

    Yields:
        A path or URI that the workers reach, on the disk or bucket of `home`. Readers of `home` pass it over.
    """
    home = worker_uri(home)
    if is_local(home) or runs_here(beam_args):
        with scratch_folder(join(home, "new")) as here:
            yield str(here)
        return
    _remove_leftovers(home)
    folder = join(home, f"{WRITING}{uuid.uuid4().hex}")
    try:
        yield folder
    finally:
        fs, path = filesystem(folder)
        if fs.exists(path):
            fs.rm(path, recursive=True)


def write_on_beam(
    source: SourceSpan,
    version: str,
    work: SpanWork,
    key: bytes,
    side: str,
    beam_args: Sequence[str],
) -> list[SourcePredictions]:
    """Score a span's rows.

    Args:
        source: The span.
        version: Digest of what its predictions are made of.
        work: What is the same for every span.
        key: Key of private columns. It is not sent: workers read it themselves.
        side: Where to write the files, a folder of `side_folder`.
        beam_args: Beam's own options.

    Returns:
        What was written of each source, in order.

    Raises:
        RetrainerError: If the span can't be read or scored; of several sources, for the reason of the first.
    """
    files = tuple(replace(file, uri=worker_uri(file.uri)) for file in source.files)
    shared = replace(work, version=replace(work.version, uri=worker_uri(work.version.uri)))
    score = _Score(
        replace(source, files=files), version, shared, _columns(source, work), key_digest(key), side
    )
    with _engine(beam_args, side, shared, files) as engine, engine.pipeline() as pipeline:
        _ = (
            pipeline
            | "Sources" >> WorkItems(range(len(files)))
            | "Score" >> beam.ParDo(score)
            | "One" >> beam.Map(_with_one_key)
            | "Gather" >> beam.GroupByKey()
            | "Results" >> beam.Map(_write_results, join(side, RESULTS_FILE))
        )
    return _read_results(source, work, join(side, RESULTS_FILE))


@contextmanager
def _engine(
    beam_args: Sequence[str], side: str, work: SpanWork, files: Sequence[SourceFile]
) -> Iterator[Engine]:
    uris = [work.version.uri, side, *(file.uri for file in files)]
    with open_engine("predict_batch", beam_args, uris, temporary=join(side, "beam")) as engine:
        yield engine


def publish(
    side: str, written: Sequence[SourcePredictions], uri: str, record: Mapping[str, Any]
) -> None:
    """Put what workers wrote in its place, the record last.

    Args:
        side: The folder that they wrote to.
        written: What they wrote.
        uri: The place.
        record: The record.
    """
    names = [(of_source.folder, name) for of_source in written for name in of_source.files]
    if is_local(side):
        whole = Path(side, "whole")
        whole.mkdir()
        for folder, name in names:
            os.rename(Path(side, folder, name), whole / name)
        write_json(str(whole / RECORD_FILE), record)
        publish_folder(whole, uri, RECORD_FILE)
        return
    uri = worker_uri(uri)
    if find_predictions(uri):
        return
    fs, path = filesystem(uri)
    start = filesystem(side)[1]
    with ThreadPoolExecutor(_COPIES) as pool:
        copies = [
            pool.submit(fs.copy, f"{start}/{folder}/{name}", f"{path}/{name}")
            for folder, name in names
        ]
        for copy in copies:
            copy.result()
    write_json(join(uri, RECORD_FILE), record)


class _Score(beam.DoFn):
    """Numbers of sources to what was written of them."""

    def __init__(
        self,
        source: SourceSpan,
        version: str,
        work: SpanWork,
        columns: Mapping[str, InferredColumn],
        key_id: str,
        side: str,
    ) -> None:
        self._source = source
        self._version = version
        self._work = work
        self._columns = dict(columns)
        self._key_id = key_id
        self._side = side
        self._model: Model | None = None

    def setup(self) -> None:
        self._model = load_model(self._work.version.uri, self._work.wanted.who)

    def process(self, element: int) -> Iterable[Result]:
        assert self._model
        try:
            scorer = self._scorer(self._model)
            with scratch_of_sources() as scratch:
                folder = Path(scratch, "predictions")
                folder.mkdir()
                written, found = self._write(element, scorer, folder, scratch)
                # Runners work twice on what one of their machines seems to have lost: each try has its own folder.
                attempt = uuid.uuid4().hex
                _upload(folder, join(self._side, attempt))
                yield {**asdict(replace(written, folder=attempt)), "columns": found}
        except NoRowsError as error:
            yield {**asdict(SourcePredictions(element)), "no_rows": str(error)}
        except RetrainerError as error:
            yield {**asdict(SourcePredictions(element)), "failed": str(error)}
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            failed = f"span {self._source.name}: the disk of a Beam worker is full. Give it more."
            yield {**asdict(SourcePredictions(element)), "failed": failed}

    def _scorer(self, model: Model) -> Scorer:
        wanted, rows = self._work.wanted, self._work.wanted.settings.rows
        if not set(wanted.names).intersection(rows.hash):
            return Scorer(model, wanted.names, (), b"")
        key = rows.read_key()
        if key_digest(key) != self._key_id:
            raise RetrainerError(
                "a Beam worker has another key of private columns than the task that started it. Give both the same "
                f"key in {rows.hash_key_file or rows.hash_key_env} (data.hash)."
            )
        return Scorer(model, wanted.names, rows.hash, key)

    def _write(
        self, number: int, scorer: Scorer, folder: Path, scratch: str
    ) -> tuple[SourcePredictions, list[str]]:
        source, work = self._source, self._work
        file = source.files[number]
        # Its digest is known where it counts.
        reader = open_reader(source, [file], work, scratch, {file.uri: ""}, self._columns)
        writer = SourceWriter(source.name, self._version, number, work, folder)
        with ThreadPoolExecutor(cores()) as pool:
            for scored in ordered_map(pool, scorer.score, read_ahead(reader.read()), cores() + 1):
                writer.add(scored)
        return writer.close(), list(reader.columns)


def _columns(source: SourceSpan, work: SpanWork) -> dict[str, InferredColumn]:
    """Return the columns with the types of the whole span, which is read for that where they are not declared."""
    types, wanted = types_of(source, work), work.wanted
    strict = wanted.settings.rows.strict
    names = {*wanted.names, *wanted.read}
    if names <= set(types):
        return {name: InferredColumn(types[name], name in strict) for name in sorted(names)}
    with scratch_of_sources() as scratch:
        digests = {file.uri: "" for file in source.files}
        reader = open_reader(source, source.files, work, scratch, digests)
        try:
            for _ in reader.read():
                pass
        except TypesChangedError:
            pass
        return reader.columns


def _upload(folder: Path, uri: str) -> None:
    fs, path = filesystem(uri)
    if is_local(uri):
        shutil.copytree(folder, path)
        return
    for file in sorted(folder.iterdir()):
        fs.put_file(str(file), f"{path}/{file.name}")


def _with_one_key(result: Result) -> tuple[int, Result]:
    return 0, result


def _write_results(of_all: tuple[int, Iterable[Result]], uri: str) -> None:
    write_json(uri, list(of_all[1]))


def _read_results(source: SourceSpan, work: SpanWork, uri: str) -> list[SourcePredictions]:
    results = sorted(read_json(uri), key=lambda one: int(one["number"]))
    for result in results:
        if "failed" in result:
            raise RetrainerError(result["failed"])
    empty = [result["no_rows"] for result in results if "no_rows" in result]
    if len(empty) == len(results):
        raise no_rows([file.uri for file in source.files]) if empty[1:] else NoRowsError(empty[0])
    found = dict.fromkeys(name for result in results for name in result.get("columns", ()))
    there = [*found, *work.wanted.changes.derived]
    work.wanted.required().check_names(there, source.files[0].uri)
    return [
        SourcePredictions(
            result["number"],
            tuple(result["files"]),
            result["rows"],
            result["errors"],
            tuple(result["first_error"]) if result["first_error"] else None,
            result["folder"],
        )
        for result in results
    ]


def _remove_leftovers(home: str) -> None:
    """Remove the side folders of killed tasks."""
    fs, path = filesystem(home)
    if not fs.exists(path):
        return
    for name in fs.ls(path, detail=False):
        last = name.rstrip("/").rpartition("/")[2]
        if last.startswith(WRITING):
            remove_old_folder(join(home, last), LEFTOVER_SECONDS)
