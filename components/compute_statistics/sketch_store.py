"""Where sketches are kept: beside their span, made once ever."""

import logging
import multiprocessing
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import Any

import tensorflow_data_validation as tfdv

from ..lib.examples import SpanPart
from ..lib.files import filesystem, read_bytes, write_atomic
from ..lib.progress import progress
from .sketch_format import SketchError, decode
from .sketches import SketchSettings, column_count, make_sketch, sketch_uri

# Below this a second process costs more than it saves (it is about 1.5 seconds of work).
PARALLEL_CELLS = 20_000_000

_log = logging.getLogger(__name__)


class SketchStore:
    """The sketches of a window's parts: read where they are stored, else made and stored.

    Attributes:
        made: The spans that were sketched now.
        notes: What a reader of the report should know, in sentences.
    """

    def __init__(self, settings: SketchSettings) -> None:
        self.made: set[str] = set()
        self.notes: list[str] = []
        self._settings = settings
        self._contents: dict[tuple[SpanPart, tuple[str, ...]], bytes] = {}

    def missing(self, parts: Sequence[SpanPart]) -> list[SpanPart]:
        """Read the stored sketches of parts.

        Returns:
            The parts that have none which can be read.
        """
        return [part for part in parts if not self._read(part, ())]

    def make(self, parts: Sequence[SpanPart], beam_args: Sequence[str] = ()) -> None:
        """Make and store the sketches of parts.

        Args:
            parts: Parts that have none.
            beam_args: Arguments of a Beam pipeline to make them on; with none they are made in this
                process, and on several cores if that pays.
        """
        left = list(parts)
        if left and beam_args:
            # Beam's pipeline layer takes a second to import and is needed here alone.
            from .on_beam import make_on_beam

            progress(f"sketching {len(left)} spans on Beam")
            make_on_beam(left, self._settings, beam_args)
            # Beam leaves nothing for a part without rows.
            left = [part for part in left if not self._read(part, ())]
            self.made.update(part.span for part in parts)
        for done, (part, content) in enumerate(_make_all(left, self._settings), start=1):
            self._keep(part, (), content)
            progress(f"sketched span {part.span}", done, len(left))

    def get(self, part: SpanPart, as_float: Sequence[str] = ()) -> bytes:
        """Give the sketch of a part, made if need be."""
        key = (part, tuple(sorted(as_float)))
        if key not in self._contents and not self._read(*key):
            self._keep(*key, make_sketch(part, self._settings, as_float))
        return self._contents[key]

    def _read(self, part: SpanPart, as_float: tuple[str, ...]) -> bool:
        uri = sketch_uri(part, self._settings, as_float)
        try:
            content = read_bytes(uri)
            decode(content)
        except FileNotFoundError:
            self._note_other_version(part, as_float)
            return False
        except SketchError as error:
            self._note(f"The sketch '{uri}' was made again: {error}.")
            return False
        self._contents[part, as_float] = content
        return True

    def _keep(self, part: SpanPart, as_float: tuple[str, ...], content: bytes) -> None:
        self._contents[part, as_float] = content
        self.made.add(part.span)
        uri = sketch_uri(part, self._settings, as_float)
        try:
            write_atomic(uri, content)
        except PermissionError as error:
            self._note(
                f"The sketch '{uri}' can't be stored, so the next run makes it again: {error}."
            )

    def _note_other_version(self, part: SpanPart, as_float: tuple[str, ...]) -> None:
        stem = f"sketch-{part.part}-{self._settings.key(as_float)}-tfdv"
        fs, path = filesystem(part.uri)
        names = [name.rsplit("/", 1)[-1] for name in fs.glob(f"{path}/{stem}*.bin")]
        versions = sorted({match[1] for n in names if (match := re.search(r"-tfdv(.+)\.bin$", n))})
        if versions:
            self._note(
                f"Span {part.span} was sketched by TFDV {', '.join(versions)}; "
                f"it is sketched again by {tfdv.__version__}."
            )

    def _note(self, sentence: str) -> None:
        _log.warning("%s", sentence)
        self.notes.append(sentence)


def _make_all(
    parts: Sequence[SpanPart], settings: SketchSettings
) -> Iterator[tuple[SpanPart, bytes]]:
    processes = min(len(parts), _cores())
    if processes < 2 or not _pays(parts):
        for part in parts:
            yield part, make_sketch(part, settings)
        return
    # TFDV holds the interpreter's lock, so threads do not help; a fork imports nothing again.
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        futures = {pool.submit(_make_one, part, dict(settings.options)): part for part in parts}
        for future in as_completed(futures):
            yield futures[future], future.result()


def _make_one(part: SpanPart, options: Mapping[str, Any]) -> bytes:
    # TFDV's generators hold lambdas and can't be sent to another process; their options can.
    return make_sketch(part, SketchSettings(options))


def _pays(parts: Sequence[SpanPart]) -> bool:
    if sys.platform != "linux" or multiprocessing.current_process().daemon:
        return False
    rows = sum(part.rows for part in parts)
    return rows * column_count(parts[0]) >= PARALLEL_CELLS


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
