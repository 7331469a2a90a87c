"""Copies of a span's files on this machine: the next files are fetched while one is read."""

import shutil
import tempfile
from collections.abc import Iterator, MutableMapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import Lock

from ..bigquery.bigquery_tables import is_bigquery
from ..source_files import SourceFile
from ..uris import is_local
from .download import download, downloaded

# A bucket answers a request after tens of milliseconds, in which a small file is parsed many times over.
FILES_AHEAD = 8
# On the disk beside the file that is read; a larger file is fetched when its turn comes.
BYTES_AHEAD = 1 << 30


class DownloadsAhead:
    """Opens the files of a span, while threads fetch those that follow; several may be open at once.

    It is a context manager; at its end no download goes on and no copy is left.
    """

    def __init__(
        self, files: Sequence[SourceFile], folder: str, digests: MutableMapping[str, str]
    ) -> None:
        """Take the files.

        Args:
            files: In the order in which they are opened; more than once if need be.
            folder: Folder for copies.
            digests: Digests by URI, to which those of the files are added.
        """
        self._files = list(files)
        self._places = {file.uri: number for number, file in enumerate(self._files)}
        self._folder = folder
        self._digests = digests
        self._coming: dict[int, Future[str]] = {}
        self._open: set[int] = set()
        self._lock = Lock()
        self._pool = ThreadPoolExecutor(FILES_AHEAD)

    def __enter__(self) -> "DownloadsAhead":
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)
        shutil.rmtree(self._folder, ignore_errors=True)

    @contextmanager
    def opened(self, file: SourceFile) -> Iterator[str]:
        """Open a file as a path on this machine.

        Args:
            file: One of the files.

        Yields:
            The file's own path if it is local, else that of a copy; empty for a table.

        Raises:
            RetrainerError: If the file is missing, or access is denied.
        """
        if _stays(file):
            with downloaded(file, self._folder, self._digests) as path:
                yield path
            return
        number = self._places[file.uri]
        with self._lock:
            self._start(number)
            self._start_following(number)
            coming = self._coming.pop(number)
            self._open.add(number)
        try:
            copy = coming.result()
            try:
                yield copy
            finally:
                shutil.rmtree(copy.rpartition("/")[0], ignore_errors=True)
        finally:
            self._open.discard(number)

    def _start_following(self, number: int) -> None:
        ahead = 0
        for following in range(number + 1, min(number + 1 + FILES_AHEAD, len(self._files))):
            ahead += self._files[following].size
            if ahead > BYTES_AHEAD:
                break
            self._start(following)

    def _start(self, number: int) -> None:
        under_way = number in self._coming or number in self._open
        if not under_way and not _stays(self._files[number]):
            self._coming[number] = self._pool.submit(self._fetch, self._files[number])

    def _fetch(self, file: SourceFile) -> str:
        # Files of two folders may have one name.
        return download(file, tempfile.mkdtemp(dir=self._folder), self._digests)


def _stays(file: SourceFile) -> bool:
    """Return whether a file is not copied."""
    return is_bigquery(file.uri) or is_local(file.uri)
