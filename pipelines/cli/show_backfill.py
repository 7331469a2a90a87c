"""Steps of a backfill, as people read them."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ...components.lib.words import plural
from ..runs.backfill import Step
from ..runs.records import RunState
from ..runs.run_words import duration


def print_steps(steps: Sequence[Step], console: Console) -> None:
    """Print a table of the steps, and how to go on if some were not run."""
    table = Table(box=None, pad_edge=False)
    for name in ("span", "run", "took", "champion"):
        table.add_column(name, justify="right" if name == "took" else "left", no_wrap=True)
    table.add_column("outcome", no_wrap=True, overflow="ellipsis")
    for step in steps:
        record = step.record
        table.add_row(
            step.span,
            record.run_id if record else "",
            duration(record.seconds) if record else "",
            f"version {step.champion}" if step.champion else "none" if record else "",
            Text(step.words),
        )
    console.print(table)
    left = [
        step
        for step in steps
        if not step.done_by and (step.record is None or step.record.state != RunState.SUCCEEDED)
    ]
    if left:
        console.print(
            f"{plural(len(left), 'span')} left, from {left[0].span}. Fix what stopped it, then run the same command "
            "again: spans that are done are skipped."
        )
