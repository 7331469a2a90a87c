"""A comparison of two versions as `retrainer models compare` prints it."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ...components.lib.registry.evaluation_summary import SliceMetrics
from ...components.lib.words import number, signed
from ..runs.model_comparison import Comparison
from .tables import open_console

MOST_SLICES = 8
_COUNTS = ("example_count", "weighted_example_count")


def print_comparison(comparison: Comparison, console: Console | None = None) -> None:
    """Print the verdict, the metrics of both on all rows, and the slices with the largest differences.

    Args:
        comparison: What was measured.
        console: Where to; standard output if not given.
    """
    console = console or open_console()
    summary = comparison.summary
    overall = summary.overall
    rows = "" if overall.rows is None else f"{overall.rows:,} rows of "
    head = f"version {comparison.version} against version {comparison.against}, on {rows}span {comparison.span}"
    console.print(Text(head, style="bold"), soft_wrap=True)
    console.print(Text(comparison.verdict), soft_wrap=True)
    for remark in comparison.remarks:
        console.print(Text(remark, style="yellow"), soft_wrap=True)
    names = [name for name in overall.metrics if name not in _COUNTS]
    table = _table("metric", comparison, bool(overall.intervals))
    for name in names:
        interval = overall.intervals.get(name)
        words = f"{number(interval[0])} to {number(interval[1])}" if interval else ""
        table.add_row(Text(name), *_values(overall, name), *([words] if overall.intervals else []))
    console.print()
    console.print(table)
    if names:
        _print_slices(comparison, names[0], console)
    console.print()
    console.print(Text(f"report: {comparison.report}"), soft_wrap=True)


def _print_slices(comparison: Comparison, metric: str, console: Console) -> None:
    slices = [
        one
        for one in comparison.summary.slices[1:]
        if metric in one.metrics and metric in one.champion
    ]
    slices.sort(key=lambda one: -abs(one.metrics[metric] - one.champion[metric]))
    if not slices:
        return
    table = _table(f"{metric} by slice", comparison, False)
    table.add_column("rows", justify="right", no_wrap=True)
    for one in slices[:MOST_SLICES]:
        rows = "" if one.rows is None else f"{one.rows:,}"
        table.add_row(Text(one.name), *_values(one, metric), rows)
    console.print()
    console.print(table)
    if len(slices) > MOST_SLICES:
        console.print(f"and {len(slices) - MOST_SLICES:,} slices with smaller differences")


def _table(first: str, comparison: Comparison, interval: bool) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(first, no_wrap=True, overflow="ellipsis")
    for name in (f"version {comparison.version}", f"version {comparison.against}", "difference"):
        table.add_column(name, justify="right", no_wrap=True)
    if interval:
        table.add_column("interval", justify="right", no_wrap=True)
    return table


def _values(one: SliceMetrics, name: str) -> list[str]:
    ours, theirs = one.metrics[name], one.champion.get(name)
    if theirs is None:
        return [number(ours), "-", "-"]
    return [number(ours), number(theirs), signed(round(ours - theirs, 4))]
