"""A log that is files."""

from collections.abc import Iterator, Mapping

from ..lib.words import one_of
from .log_files import Survey, list_logs, survey_file, survey_logs
from .logged import CUT_OFF, LogFile, Logged, Unreadable
from .model_columns import ModelColumns
from .moments import Periods
from .opened_log import CutOffError, open_log
from .readers.reader import ReadContext, open_reader
from .settings import LogSettings


class FileLog:
    """The files of a log, and how they are read; see `Log`."""

    def __init__(
        self, settings: LogSettings, columns: ModelColumns, periods: Periods, now: int
    ) -> None:
        """Take what is read.

        Args:
            settings: Of the log.
            columns: What is kept of it.
            periods: Spans.
            now: Microseconds since 1970.
        """
        self._settings, self._periods, self._now = settings, periods, now
        context = ReadContext(
            settings.mapping,
            columns.only,
            settings.output,
            tuple(columns.types),
            settings.tolerance,
        )
        self.note = ""
        self._reader = open_reader(settings.format, context)

    def survey(self, known: Mapping[str, Survey]) -> dict[LogFile, Survey]:
        """See `Log`."""
        settings = self._settings
        files, others = list_logs(settings.uri, self._reader.endings)
        if others and not files:
            endings = one_of(
                [f"{ending}{more}" for ending in self._reader.endings for more in ("", ".gz")]
            )
            self.note = f"no file of it ends in {endings} (there is {others[0]})"
        found = survey_logs(
            files,
            known,
            lambda file: survey_file(
                file,
                self._reader,
                self._periods,
                settings.tolerance,
                settings.tail,
                self._now - settings.wait,
            ),
        )
        return {file: found[file.uri] for file in files if file.uri in found}

    def read(self, file: LogFile) -> Iterator[Logged]:
        """See `Log`."""
        time, number = None, 0
        with open_log(file) as log:
            try:
                for one in self._reader.read(log):
                    time, number = one.time or time, one.line
                    yield one
            except CutOffError as error:
                yield Unreadable(CUT_OFF, number + 1, time, detail=str(error))

    def finish(self) -> Iterator[Logged]:
        """See `Log`."""
        return self._reader.finish()
