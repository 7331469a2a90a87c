"""Records of runs as lines of text."""

from ...components.lib.words import plural
from .records import RunRecord, TaskRecord

# The second is there with evaluation.champion_changed: judge_again, and has the last word.
PUSH_TASKS = ("push-model-2", "push-model")
DECIDING_TASKS = (*PUSH_TASKS, "predict-batch", "watch-rollout", "monitor-model")
"""Tasks whose verdict is that of a run; the first that a run has."""


def describe_failure(record: RunRecord) -> str:
    """Describe why a run failed: for each failed task its error, its log's end, and the log.

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
    """Return the first line of a verdict or an error."""
    lines = text.strip().splitlines()
    # It may introduce a list.
    return lines[0].removesuffix(":") if lines else ""


def shown_warnings(task: TaskRecord, most: int | None = None) -> list[str]:
    """Format a task's warnings, a line each.

    Args:
        task: The task.
        most: How many at most; None for all.
    """
    lines = [f"warning: {' '.join(one.split())}" for one in task.warnings[:most]]
    left = len(task.warnings) - len(lines)
    return [*lines, f"and {plural(left, 'more warning')}"] if left else lines


def outcome(record: RunRecord) -> str:
    """Summarize a run's outcome in a few words.

    Returns:
        The verdict of the task that decides it; or where and why the run stopped.
    """
    if record.failed_tasks:
        task = record.failed_tasks[0]
        return f"stopped at {task.title or task.name}: {first_line(task.error or '')}"
    deciding = [record.tasks[name] for name in DECIDING_TASKS if name in record.tasks]
    verdicts = [task.verdict for task in deciding if task.verdict]
    return verdicts[0] if verdicts else first_line(record.error or "")


def duration(seconds: float | None) -> str:
    """Format a duration, such as `4.2 s` or `3 min 12 s`."""
    if seconds is None:
        return "-"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s"
