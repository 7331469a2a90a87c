"""One version of the registry as `retrainer models show` prints it."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ...components.lib.registry.aliases import AliasMove
from ...components.lib.registry.evaluation_summary import EvaluationSummary
from ...components.lib.words import name_spans, number
from .model_details import ModelDetails
from .tables import local_time, open_console

NOT_RECORDED = "not recorded"
_MOST_METRICS = 4
# --json has all of them.
_DIGITS = 16
_LEAST_METRICS = ("example_count", "weighted_example_count")
_STYLES = {"champion": "green", "held": "red", "pending": "yellow", "refused": "red"}


def print_model(details: ModelDetails, most: int = 10, console: Console | None = None) -> None:
    """Print a version.

    Args:
        details: What is known of it.
        most: How many slices and moves to print.
        console: Where to; standard output if not given.
    """
    console = console or open_console()
    version = details.version
    state = Text(details.state, style=_STYLES.get(details.state, ""))
    console.print(Text.assemble((f"version {version.version}", "bold"), "  ", state))
    lines = _facts(details)
    width = max(map(len, lines))
    for name, value in lines.items():
        text = Text(f"{name.ljust(width)}  ", style="dim")
        console.print(text.append(value, style="default"), soft_wrap=True)
    _print_evaluation(details.evaluation, most, console)
    _print_moves(details.moves, version.version, most, console)


def _facts(details: ModelDetails) -> dict[str, str]:
    version, info = details.version, details.version.info
    facts = {"run": str(info.get("run") or NOT_RECORDED)}
    if info.get("incident"):
        facts["incident"] = str(info["incident"])
    if details.hold:
        facts["held"] = details.hold.words
    if details.approval:
        facts["approval"] = details.approval.words
    facts["used by"] = "; ".join(details.uses) or "nothing"
    facts["gate"] = details.evaluation.verdict or NOT_RECORDED
    facts["trained on"] = _spans(info, "train")
    facts["judged on"] = _spans(info, "eval")
    for name, key in (("data digest", "data_digest"), ("code digest", "code_digest")):
        facts[name] = _digest(info.get(key))
    schema = info.get("schema") or {}
    numbered = f"number {schema['number']}, " if schema.get("number") else ""
    facts["schema"] = f"{numbered}digest {_digest(schema['digest'])}" if schema else NOT_RECORDED
    for name, key in (
        ("hyperparameters", "hyperparameters"),
        ("training", "training"),
        ("made with", "made_with"),
    ):
        facts[name] = _words(info.get(key))
    facts["model digest"] = _digest(version.digest)
    facts["model"] = version.uri
    return facts


def _spans(info: Mapping[str, Any], split: str) -> str:
    spans = info.get(f"{split}_spans")
    if not spans:
        return NOT_RECORDED
    rows = (info.get("rows") or {}).get(split)
    versions = info.get("span_versions") or {}
    named = name_spans(spans)
    newest = versions.get(spans[-1])
    counted = f", {int(rows):,} rows" if rows is not None else ""
    return f"{named}{counted}{f' (newest: version {newest[:12]})' if newest else ''}"


def _digest(value: Any) -> str:
    return str(value)[:_DIGITS] if value else NOT_RECORDED


def _words(value: Any) -> str:
    if value is None or value == "":
        return NOT_RECORDED
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_plain(one)}" for name, one in value.items()) or "none"
    return str(value)


def _plain(value: Any) -> str:
    return number(value) if isinstance(value, float) else str(value)


def _print_evaluation(evaluation: EvaluationSummary, most: int, console: Console) -> None:
    console.print()
    if not evaluation.slices:
        console.print("metrics  not recorded")
        return
    names = [name for name in evaluation.overall.metrics if name not in _LEAST_METRICS]
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("slice", no_wrap=True, overflow="ellipsis")
    table.add_column("rows", justify="right", no_wrap=True)
    for name in names[:_MOST_METRICS]:
        table.add_column(name, justify="right", no_wrap=True, overflow="ellipsis")
    for one in evaluation.slices[:most]:
        values = [
            number(one.metrics[name]) if name in one.metrics else "-"
            for name in names[:_MOST_METRICS]
        ]
        table.add_row(Text(one.name), "" if one.rows is None else f"{one.rows:,}", *values)
    console.print(table)
    left = len(evaluation.slices) - most + evaluation.left_out
    more = [f"{left:,} more slices"] if left > 0 else []
    if len(names) > _MOST_METRICS:
        more.append(f"{len(names) - _MOST_METRICS} more metrics")
    if more:
        console.print(f"and {' and '.join(more)}: --slices or --json shows them")


def _print_moves(moves: Sequence[AliasMove], version: int, most: int, console: Console) -> None:
    console.print()
    if not moves:
        console.print("it was never in service")
        return
    for move in moves[:most]:
        who = f"by {move.by}" if move.by else f"by run {move.run}" if move.run else ""
        words = _PAST[move.action] if move.version == version else _left(move)
        why = f": {move.why}" if move.why else ""
        parts = [local_time(move.at), " ".join(filter(None, [words, who]))]
        console.print(Text("  ".join(parts) + why), soft_wrap=True)
    if len(moves) > most:
        console.print(f"and {len(moves) - most} earlier moves")


_PAST = {
    "push": "pushed into service",
    "promote": "promoted",
    "rollback": "put back into service",
    "retire": "retired",
}


def _left(move: AliasMove) -> str:
    if move.action == "rollback":
        return f"rolled back to version {move.version}"
    return "retired" if move.version is None else f"replaced by version {move.version}"
