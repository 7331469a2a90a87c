"""Where accumulators are kept: beside their span, computed once."""

import logging
from collections.abc import Mapping
from typing import Any

from ...lib.examples import SpanPart
from ...lib.uris import filesystem, join, read_bytes, write_atomic
from .accumulator_file import AccumulatorError, decode, encode

_log = logging.getLogger(__name__)
# Analyses whose accumulators are kept of a span: those of several models, or of the versions of one under work.
_MOST_KEPT = 8


class AccumulatorStore:
    """The accumulators of one analysis."""

    def __init__(self, key: str) -> None:
        """Open the store.

        Args:
            key: What distinguishes the analysis from others; see `analysis_key`.
        """
        self._key = key

    def read(self, part: SpanPart) -> dict[str, Any] | None:
        """Read the accumulators of a part of a span.

        Returns:
            By name; None if there are none, or they are unreadable.
        """
        uri = self._uri(part)
        try:
            return decode(read_bytes(uri))
        except FileNotFoundError:
            return None
        except AccumulatorError as error:
            _log.warning("The accumulators '%s' were computed again: %s.", uri, error)
            return None

    def keep(self, part: SpanPart, accumulators: Mapping[str, Any]) -> None:
        """Keep accumulators of a part of a span; those of the oldest analyses make room."""
        uri = self._uri(part)
        try:
            # Without waiting for the disk: a file torn by a crash is computed again.
            write_atomic(uri, encode(accumulators), durable=False)
            self._remove_oldest(part)
        except (AccumulatorError, OSError) as error:
            _log.warning(
                "The accumulators '%s' can't be stored, so the next run computes them again: %s",
                uri,
                error,
            )

    def _remove_oldest(self, part: SpanPart) -> None:
        fs, path = filesystem(part.uri)
        files = fs.glob(f"{path}/{_stem(part)}*.bin")
        if len(files) <= _MOST_KEPT:
            return
        for file in sorted(files, key=fs.modified)[:-_MOST_KEPT]:
            fs.rm_file(file)

    def _uri(self, part: SpanPart) -> str:
        return join(part.uri, f"{_stem(part)}{self._key}.bin")


def _stem(part: SpanPart) -> str:
    return f"transform-{part.part}-"
