"""What a pipeline works on: items that workers share out, after the check that they can."""

import platform
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import apache_beam as beam

from ..errors import RetrainerError
from ..image import VERSION


class WorkItems(beam.PTransform):
    """Create items, each of which any worker may take.

    A GroupByKey stands behind them, without which an engine fuses the reading of all items onto the worker that lists
    them. What stands before it is pickled by reference alone, so a worker of another Python still reads it and can say
    which Python it is. (Beam's own Create and Reshuffle have lambdas, which are pickled as byte code.)
    """

    def __init__(self, items: Sequence[Any]) -> None:
        """Take the items.

        Args:
            items: They are pickled with the pipeline, so names of files and not their rows.
        """
        super().__init__()
        self._items = list(items)

    def expand(self, pbegin: beam.pvalue.PBegin) -> beam.PCollection:
        """Return the items."""
        return (
            pbegin
            | "Start" >> beam.Impulse()
            | "List" >> beam.ParDo(_List(self._items, versions()))
            | "Spread" >> beam.GroupByKey()
            | "Take" >> beam.ParDo(_Take())
        )


@beam.typehints.with_output_types(tuple[int, Any])
class _List(beam.DoFn):
    def __init__(self, items: list[Any], submitted_with: dict[str, str]) -> None:
        self._items = items
        self._submitted_with = submitted_with

    def process(self, element: bytes) -> Iterator[tuple[int, Any]]:
        check_versions(self._submitted_with)
        yield from enumerate(self._items)


@beam.typehints.with_input_types(tuple[int, Iterable[Any]])
@beam.typehints.with_output_types(Any)
class _Take(beam.DoFn):
    def process(self, element: tuple[int, Iterable[Any]]) -> Iterator[Any]:
        yield from element[1]


def versions() -> dict[str, str]:
    """Return the versions that must be the same in a task and its workers: of Python and Beam, as `major.minor`."""
    return {
        "Python": ".".join(platform.python_version_tuple()[:2]),
        "Beam": ".".join(beam.__version__.split(".")[:2]),
        # What is pickled by its name must be there.
        "retrainer": VERSION,
    }


def check_versions(submitted_with: dict[str, str]) -> None:
    """Check that this worker has the versions of the task that started it.

    Raises:
        RetrainerError: If it has others.
    """
    if problem := version_problem(versions(), submitted_with):
        raise RetrainerError(problem)


def version_problem(workers: dict[str, str], task: dict[str, str] | None = None) -> str:
    """Describe how the versions of workers differ from those of a task; empty if they do not.

    Args:
        workers: Those of the workers, as far as they are known.
        task: Those of the task; None for this process.
    """
    task = task or versions()
    if all(task.get(name, version) == version for name, version in workers.items()):
        return ""
    return (
        f"the engine's workers run {_words(workers)}, and this task {_words(task)}. Both must be the same. Run the "
        "task and the workers in one image (engine.worker_image)."
    )


def _words(found: dict[str, str]) -> str:
    *most, last = (f"{name} {version}" for name, version in found.items())
    return f"{', '.join(most)} and {last}" if most else last
