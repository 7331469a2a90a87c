"""The files of a span, parsed one after the other; threads parse the files that follow."""

from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple

from ..source_files import SourceFile
from ..threads import BackgroundItems, cores
from .downloads_ahead import BYTES_AHEAD
from .sources.base import Block, Source
from .sources.join_blocks import join_blocks
from .sources.open_source import read_blocks

Opener = Callable[[], AbstractContextManager[Source]]
"""Opens a source for one pass; its temporary files are removed afterwards."""
# A parsed block of a file that waits, beside the one that its thread holds.
_BLOCKS_AHEAD = 1


class Parsed(NamedTuple):
    """A block of a source.

    Attributes:
        block: The rows.
        narrow: As `Source.narrow`.
        has_header: As `Source.has_header`.
    """

    block: Block
    narrow: bool
    has_header: bool


def files_ahead(files: Sequence[SourceFile]) -> int:
    """Return how many files of a span to parse beside the one that is read.

    Each takes a core, the memory of a few blocks, and room for its copy if it is remote.

    Args:
        files: The span's files.
    """
    largest = max((file.size for file in files), default=0)
    return min(cores() - 1, len(files) - 1, BYTES_AHEAD // max(1, largest))


def parse_files(
    sources: Sequence[tuple[str, Opener]], ahead: int
) -> Generator[Iterator[Parsed], None, None]:
    """Parse sources.

    Args:
        sources: How each is opened, with its URI, in order.
        ahead: How many sources to parse beside the one that is read.

    Yields:
        The blocks of each source, in order. What can't be read raises where its blocks are taken.
    """
    started: deque[BackgroundItems[Parsed]] = deque()
    left = iter(sources)
    try:
        for _ in sources:
            while len(started) <= ahead and (source := next(left, None)):
                started.append(BackgroundItems(_parse(*source), _BLOCKS_AHEAD))
            yield iter(started[0])
            started.popleft().close()
    finally:
        for one in started:
            one.close()


def _parse(uri: str, opener: Opener) -> Generator[Parsed, None, None]:
    with opener() as source:
        for block in join_blocks(read_blocks(source, uri)):
            yield Parsed(block, source.narrow, source.has_header)
