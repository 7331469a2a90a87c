"""What records of runs say in lines of text."""

from ...components.lib.words import plural
from .records import RunRecord, TaskRecord


def describe_failure(record: RunRecord) -> str:
    """Say what went wrong in a run: for each failed task its error, its log's end, and the log.

    Returns:
        A few lines; empty if nothing failed.
    """
    parts = []
    for task in record.failed_tasks:
        lines = [f"{task.title or task.name}: {task.error}"]
        lines += [f"  | {line}" for line in task.log_tail]
        if task.log:
            lines.append(f"  log: {record.locate(task.log)}")
        parts.append("\n".join(lines))
    return "\n".join(parts) or (record.error or "")


def first_line(text: str) -> str:
    """Give the first line of a verdict or an error, as it stands where the rest is left out."""
    lines = text.strip().splitlines()
    # It may lead to a list that follows.
    return lines[0].removesuffix(":") if lines else ""


def shown_warnings(task: TaskRecord, most: int | None = None) -> list[str]:
    """Give the lines to print of a task's warnings.

    Args:
        task: The task.
        most: How many to print at the most; None for all.
    """
    lines = [f"warning: {' '.join(one.split())}" for one in task.warnings[:most]]
    left = len(task.warnings) - len(lines)
    return [*lines, f"and {plural(left, 'more warning')}"] if left else lines
