"""The task of compute_statistics: an earlier result for equal inputs, or the computation.

TFDV is loaded for the computation alone.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ..lib.runs.reuse import Result, Work, reuse_or_make


def compute_or_reuse(
    examples: str,
    statistics: str,
    report: str,
    beam_args: Sequence[str],
    stats_options: Mapping[str, Any],
    store: str,
    salt: str,
) -> str:
    """Compute a window's statistics, unless the store has those of the very same window.

    Args:
        examples: The examples artifact.
        statistics: Folder for the statistics.
        report: File for the HTML report.
        beam_args: Arguments of a Beam pipeline that makes the missing sketches.
        stats_options: Arguments of `tfdv.StatsOptions`.
        store: URI of the store; empty to look for no earlier result.
        salt: What else the result depends on.

    Returns:
        The verdict.
    """
    work = Work(
        component="compute_statistics",
        parameters={"beam_args": list(beam_args), "stats_options": dict(stats_options)},
        inputs={"examples": examples},
        outputs={"statistics": statistics, "report": report},
        salt=salt,
    )

    def make() -> Result:
        from .compute import compute

        return Result(compute(examples, statistics, report, beam_args, stats_options))

    return reuse_or_make(store, work, make).verdict
