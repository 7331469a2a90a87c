"""Statistics of several sketches, kept beside a span so that a later run need not merge them again.

A file says which sketches went in, so that its reader can tell whether they are those that it wants.
"""

import base64
import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import tensorflow_data_validation as tfdv

from ..lib.examples import SpanPart
from ..lib.statistics_artifact import Statistics, parse_statistics
from ..lib.uris import join, read_bytes, write_atomic
from .sketch_store import SketchStore
from .sketches import SketchSettings

# What is kept beside a span: of all of its parts, and of all spans before it.
WHOLE, BEFORE = "whole", "before"


@dataclass(frozen=True)
class KeptStatistics:
    """Statistics of the rows of several sketches.

    Attributes:
        sketches: Digests of the sketches that went in, by span, oldest first.
        statistics: Of their rows.
    """

    sketches: Mapping[str, Sequence[str]]
    statistics: Statistics

    @property
    def spans(self) -> tuple[str, ...]:
        """The spans that went in, oldest first."""
        return tuple(self.sketches)

    def among(self, spans: Collection[str]) -> dict[str, Sequence[str]]:
        """Give the sketches of those spans alone that are among some."""
        return {span: digests for span, digests in self.sketches.items() if span in spans}


class KeptStore:
    """The statistics that are kept beside spans."""

    def __init__(self, store: SketchStore, settings: SketchSettings) -> None:
        """Take the sketches.

        Args:
            store: Holds them, and is told of what can't be read or kept.
            settings: The options that they were made with.
        """
        self._store = store
        self._settings = settings

    def digests(self, parts: Sequence[SpanPart]) -> list[str]:
        """Name the content of the parts' sketches."""
        return [self._store.digest(part) for part in parts]

    def find(
        self, kind: str, parts: Sequence[SpanPart], as_float: Sequence[str]
    ) -> KeptStatistics | None:
        """Read what is kept beside a span.

        Args:
            kind: `WHOLE` or `BEFORE`.
            parts: The span's.
            as_float: Integer columns that count as floating point.

        Returns:
            What is kept; None if nothing is, or if it can't be read.
        """
        uri = self._uri(kind, parts, as_float)
        try:
            return _decode(read_bytes(uri))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
            self._store.note(f"The statistics '{uri}' were made again, being damaged: {error}.")
            return None

    def keep(
        self,
        kind: str,
        parts: Sequence[SpanPart],
        as_float: Sequence[str],
        statistics: KeptStatistics,
    ) -> None:
        """Keep statistics beside a span, in place of those that are there.

        Args:
            kind: `WHOLE` or `BEFORE`.
            parts: The span's.
            as_float: Integer columns that count as floating point.
            statistics: What to keep.
        """
        uri = self._uri(kind, parts, as_float)
        try:
            # Without waiting for the disk: what a crash tears is made again.
            write_atomic(uri, _encode(statistics), durable=False)
        except PermissionError as error:
            self._store.note(
                f"The statistics '{uri}' can't be kept, so the next run makes them again: {error}."
            )

    def _uri(self, kind: str, parts: Sequence[SpanPart], as_float: Sequence[str]) -> str:
        name = f"{kind}-{self._settings.key(as_float)}-tfdv{tfdv.__version__}.json"
        return join(parts[-1].uri, name)


def _encode(kept: KeptStatistics) -> bytes:
    content = kept.statistics.SerializeToString(deterministic=True)
    return json.dumps(
        {
            "sketches": dict(kept.sketches),
            "sha256": hashlib.sha256(content).hexdigest(),
            "statistics": base64.b64encode(content).decode(),
        }
    ).encode()


def _decode(text: bytes) -> KeptStatistics:
    found = json.loads(text)
    content = base64.b64decode(found["statistics"], validate=True)
    if hashlib.sha256(content).hexdigest() != found["sha256"]:
        raise ValueError("its checksum does not match")
    sketches = {str(span): list(digests) for span, digests in found["sketches"].items()}
    # JSON may name a span by half a character, which nothing could be written with.
    "".join(sketches).encode()
    return KeptStatistics(sketches, parse_statistics(content))
