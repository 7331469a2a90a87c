"""Where sketches are kept: beside their span, computed once."""

import logging
import re
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Any, TypeAlias, TypeVar

import tensorflow_data_validation as tfdv

from ..examples import SpanPart
from ..progress import progress
from ..uris import filesystem, read_range, write_atomic
from .sketch_file import SketchError, SketchFile
from .sketch_threads import make_sketches
from .sketches import SketchSettings, sketch_uri
from .statistics_artifact import Statistics, parse_statistics

_log = logging.getLogger(__name__)
_Read = TypeVar("_Read")
# A part, and the integer columns of it that count as floating point.
_Key: TypeAlias = tuple[SpanPart, tuple[str, ...]]


class SketchStore:
    """The sketches of a window's parts: read if they are stored, else computed and stored.

    Attributes:
        made: The spans that were sketched now.
        notes: Sentences for the report's reader.
    """

    def __init__(self, settings: SketchSettings) -> None:
        self.made: set[str] = set()
        self.notes: list[str] = []
        self._settings = settings
        self._files: dict[_Key, SketchFile] = {}
        self._statistics: dict[SpanPart, Statistics] = {}

    def missing(self, parts: Sequence[SpanPart]) -> list[SpanPart]:
        """Read the stored sketches of parts.

        Returns:
            The parts without a readable one.
        """
        return [part for part in parts if not self._read(part, ())]

    def make(self, parts: Sequence[SpanPart], beam_args: Sequence[str] = ()) -> None:
        """Compute and store the sketches of parts.

        Args:
            parts: Parts without sketches.
            beam_args: Arguments of a Beam pipeline; empty: they are computed in this process, on all cores.
        """
        left = list(parts)
        if left and beam_args:
            # Beam's pipeline layer takes a second to import and is needed only here.
            from .sketch_beam import make_on_beam

            progress(f"sketching {len(left)} spans on Beam")
            for part, content in make_on_beam(left, self._settings, beam_args).items():
                self._keep(part, (), content)
            # Beam writes nothing for a part without files.
            left = [part for part in left if (part, ()) not in self._files]
            left = [part for part in left if not self._read(part, ())]
            self.made.update(part.span for part in parts)
        made = make_sketches(left, self._settings)
        for done, (part, content) in enumerate(made, start=1):
            self._keep(part, (), content)
            progress(f"sketched span {part.span}", done, len(left))

    def statistics(self, part: SpanPart) -> Statistics:
        """Return the statistics of a part's rows, sketched if necessary; do not modify them."""
        if part not in self._statistics:
            self._statistics[part] = self._from_file((part, ()), _statistics_of)
        return self._statistics[part]

    def accumulators(
        self, part: SpanPart, as_float: Sequence[str], columns: Collection[str]
    ) -> list[Any]:
        """Return new accumulators of columns of a part, sketched if necessary."""
        key = (part, tuple(sorted(as_float)))
        return self._from_file(key, lambda file: file.accumulators(columns))

    def columns(self, part: SpanPart) -> tuple[str, ...]:
        """Return the columns of a part."""
        return self._from_file(
            (part, ()), lambda file: tuple(name for names in file.columns for name in names)
        )

    def digest(self, part: SpanPart) -> str:
        """Return the digest of a part's sketch."""
        return self._from_file((part, ()), lambda file: file.digest)

    def note(self, sentence: str) -> None:
        """Add a note to the log and to the report."""
        _log.warning("%s", sentence)
        self.notes.append(sentence)

    def _from_file(self, key: _Key, read: Callable[[SketchFile], _Read]) -> _Read:
        if key in self._files or self._read(*key):
            try:
                return read(self._files[key])
            except SketchError as error:
                self._note_damaged(*key, error)
        ((_, content),) = make_sketches([key[0]], self._settings, key[1])
        self._keep(*key, content)
        return read(self._files[key])

    def _read(self, part: SpanPart, as_float: tuple[str, ...]) -> bool:
        uri = sketch_uri(part, self._settings, as_float)
        try:
            file = SketchFile(partial(read_range, uri))
            statistics = _statistics_of(file)
        except FileNotFoundError:
            self._note_other_version(part, as_float)
            return False
        except SketchError as error:
            self._note_damaged(part, as_float, error)
            return False
        self._files[part, as_float] = file
        if not as_float:
            self._statistics[part] = statistics
        return True

    def _keep(self, part: SpanPart, as_float: tuple[str, ...], content: bytes) -> None:
        if not as_float:
            self._statistics.pop(part, None)
        self.made.add(part.span)
        uri = sketch_uri(part, self._settings, as_float)
        read: Callable[[int, int], bytes] = partial(read_range, uri)
        try:
            write_atomic(uri, content)
        except PermissionError as error:
            read = partial(_slice, content)
            self.note(
                f"The sketch '{uri}' can't be stored, so the next run computes it again: {error}."
            )
        self._files[part, as_float] = SketchFile(read)

    def _note_damaged(self, part: SpanPart, as_float: tuple[str, ...], error: SketchError) -> None:
        uri = sketch_uri(part, self._settings, as_float)
        self.note(f"The sketch '{uri}' was computed again: {error}.")

    def _note_other_version(self, part: SpanPart, as_float: tuple[str, ...]) -> None:
        stem = f"sketch-{part.part}-{self._settings.key(as_float)}-tfdv"
        fs, path = filesystem(part.uri)
        names = [name.rsplit("/", 1)[-1] for name in fs.glob(f"{path}/{stem}*.bin")]
        versions = sorted({match[1] for n in names if (match := re.search(r"-tfdv(.+)\.bin$", n))})
        if versions:
            self.note(
                f"Span {part.span} was sketched with TFDV {', '.join(versions)}; "
                f"it is sketched again with {tfdv.__version__}."
            )


def _slice(content: bytes, start: int, end: int) -> bytes:
    return content[start:end]


def _statistics_of(file: SketchFile) -> Statistics:
    try:
        return parse_statistics(file.statistics())
    except ValueError as error:
        raise SketchError(f"it has {error}") from error
