"""A cache of merges: statistics of several sketches, kept beside a span so that a later run does not merge again.

A file names the sketches that went in, so that its reader knows whether they are the wanted ones.
"""

import base64
import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import tensorflow_data_validation as tfdv

from ..lib.examples import SpanPart
from ..lib.statistics.sketch_store import SketchStore
from ..lib.statistics.sketches import SketchSettings
from ..lib.statistics.statistics_artifact import Statistics, parse_statistics
from ..lib.uris import join, read_bytes, write_atomic

# Scopes of what is kept beside a span: all of its parts, and all spans before it.
WHOLE, BEFORE = "whole", "before"


@dataclass(frozen=True)
class MergedStatistics:
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

    def restricted(self, spans: Collection[str]) -> dict[str, Sequence[str]]:
        """Return the sketches of the given spans only."""
        return {span: digests for span, digests in self.sketches.items() if span in spans}


class MergeCache:
    """Statistics kept beside spans."""

    def __init__(self, store: SketchStore, settings: SketchSettings) -> None:
        """Create the cache.

        Args:
            store: Holds them, and reports what can't be read or kept.
            settings: The options that they were made with.
        """
        self._store = store
        self._settings = settings

    def digests(self, parts: Sequence[SpanPart]) -> list[str]:
        """Return the digests of the parts' sketches."""
        return [self._store.digest(part) for part in parts]

    def find(
        self, scope: str, parts: Sequence[SpanPart], as_float: Sequence[str]
    ) -> MergedStatistics | None:
        """Read the statistics kept beside a span.

        Args:
            scope: `WHOLE` or `BEFORE`.
            parts: The span's.
            as_float: Integer columns that count as floating point.

        Returns:
            The statistics; None if there are none, or they are unreadable.
        """
        uri = self._uri(scope, parts, as_float)
        try:
            return _decode(read_bytes(uri))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
            self._store.note(
                f"The statistics '{uri}' are damaged and were computed again: {error}."
            )
            return None

    def keep(
        self,
        scope: str,
        parts: Sequence[SpanPart],
        as_float: Sequence[str],
        statistics: MergedStatistics,
    ) -> None:
        """Keep statistics beside a span, replacing former ones.

        Args:
            scope: `WHOLE` or `BEFORE`.
            parts: The span's.
            as_float: Integer columns that count as floating point.
            statistics: What to keep.
        """
        uri = self._uri(scope, parts, as_float)
        try:
            # Without waiting for the disk: a file torn by a crash is computed again.
            write_atomic(uri, _encode(statistics), durable=False)
        except PermissionError as error:
            self._store.note(
                f"The statistics '{uri}' can't be stored, so the next run computes them again: {error}."
            )

    def _uri(self, scope: str, parts: Sequence[SpanPart], as_float: Sequence[str]) -> str:
        name = f"{scope}-{self._settings.key(as_float)}-tfdv{tfdv.__version__}.json"
        return join(parts[-1].uri, name)


def _encode(kept: MergedStatistics) -> bytes:
    content = kept.statistics.SerializeToString(deterministic=True)
    return json.dumps(
        {
            "sketches": dict(kept.sketches),
            "sha256": hashlib.sha256(content).hexdigest(),
            "statistics": base64.b64encode(content).decode(),
        }
    ).encode()


def _decode(text: bytes) -> MergedStatistics:
    found = json.loads(text)
    content = base64.b64decode(found["statistics"], validate=True)
    if hashlib.sha256(content).hexdigest() != found["sha256"]:
        raise ValueError("its checksum does not match")
    sketches = {str(span): list(digests) for span, digests in found["sketches"].items()}
    # JSON may hold half a character, which can't be encoded.
    "".join(sketches).encode()
    return MergedStatistics(sketches, parse_statistics(content))
