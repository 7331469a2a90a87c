"""A run's pages: its index, and in the header of each report the run that it belongs to.

They are written by the runner, not by the components: a component that knew its run would have the run's name in its
cache key.
"""

import os
from collections.abc import Sequence
from datetime import datetime

from markupsafe import Markup

from ...components.lib.monitoring.incidents import incident_of_run
from ...components.lib.uris import exists, join, read_json, read_text, write_atomic
from ..runs.records import RunRecord, RunState, TaskRecord
from ..runs.run_words import duration, shown_warnings

INDEX = "index.html"
CURVE_FILE = "learning_curve.json"
"""Beside a training task's metrics: values by name for each of `epochs`, and `best_epoch` from 1."""
CURVE_FORMAT, HELD_OUT = 1, "val_"


def write_pages(run: RunRecord) -> None:
    """Write a run's index, and link its reports to it and to each other.

    Args:
        run: The run's record. A report that another program wrote stays as it is.

    Raises:
        OSError: If the disk is full or refuses.
    """
    # Templates are not needed to start a run.
    from ...components.lib.report.page import (
        Column,
        put_run,
        render_page,
        render_run_header,
        render_table,
    )

    links = [
        (task.title or task.name, report)
        for task in run.tasks.values()
        for report in task.reports
        if report.endswith(".html")
    ]
    about = f"{run.pipeline}, run {run.run_id}, started {_moment(run.started)}"
    for _, report in links:
        there = os.path.dirname(report)
        others = [(title, os.path.relpath(other, there), other == report) for title, other in links]
        header = render_run_header(about, [("run overview", f"../{INDEX}", False), *others])
        uri = run.locate(report)
        text = read_text(uri)
        if (linked := put_run(text, header)) != text:
            write_atomic(uri, linked)
    incident = incident_of_run(run.store, run.run_id)
    failed = ", ".join(task.title or task.name for task in run.failed_tasks)
    page = render_page(
        f"Run {run.run_id}",
        run.error or _outcome(run),
        run.state in (RunState.RUNNING, RunState.SUCCEEDED),
        {
            "pipeline": run.pipeline,
            **({"incident": f"{incident.id}: {incident.changes[0].reason}"} if incident else {}),
            "started": _moment(run.started),
            "took": (duration(run.seconds) if run.seconds is not None else ""),
            **{name: value for name, value in run.parameters.items() if value not in ("", None)},
            **({"failed": failed} if failed else {}),
        },
        render_table(
            ["task", "state", Column("time", number=True, wide_only=True), "result"],
            [_row(one) for one in run.tasks.values()],
        )
        + Markup("").join(map(_learning_curve, run.tasks.values())),
        words=(str(run.state), str(run.state)),
    )
    write_atomic(run.locate(INDEX), page)


def _row(task: TaskRecord) -> Sequence[object]:
    from ...components.lib.report.page import render_lines, render_links

    pages = [report for report in task.reports if report.endswith(".html")]
    title = task.title or task.name
    name = render_links([(title, pages[0])]) if pages else title
    reused = f", from {task.reused_from}" if task.reused_from else ""
    lines = [line for line in task.verdict.splitlines() if line.strip()]
    return [
        name,
        f"{task.state}{reused}",
        (duration(task.seconds) if task.seconds is not None else ""),
        render_lines([*lines, *shown_warnings(task)]),
    ]


def _learning_curve(task: TaskRecord) -> Markup:
    """Draw what a task that trains wrote of its epochs; empty for other tasks, and for a single epoch."""
    for artifact in task.output_artifacts.values():
        uri = join(artifact.uri, CURVE_FILE)
        if artifact.type != "system.Metrics" or not artifact.uri or not exists(uri):
            continue
        from ...components.lib.report.charts import epochs_chart
        from ...components.lib.report.page import legend, render_card, render_section

        content = read_json(uri)
        epochs, best = content.get("epochs", ()), content.get("best_epoch")
        if content.get("format") != CURVE_FORMAT or len(epochs) < 2:
            return Markup("")
        held_out = [name for name in epochs[0] if name.startswith(HELD_OUT)]
        colors = [("training", "var(--train)"), *[("held out", "var(--eval)")] * bool(held_out)]
        cards = []
        for name in (one for one in epochs[0] if one not in held_out):
            series = [
                (who, color, [epoch[key] for epoch in epochs if key in epoch])
                for (who, color), key in zip(colors, (name, HELD_OUT + name), strict=False)
            ]
            cards.append(render_card(name, epochs_chart(name, series)))
        note = f"The model has the weights of epoch {best} of {len(epochs)}."
        return render_section("Learning curve", legend(colors), cards, note)
    return Markup("")


def _outcome(run: RunRecord) -> str:
    verdicts = [task.verdict for task in run.tasks.values() if task.verdict]
    return verdicts[-1].splitlines()[0] if verdicts else str(run.state)


def _moment(moment: str) -> str:
    return f"{datetime.fromisoformat(moment):%Y-%m-%d %H:%M} UTC" if moment else ""
