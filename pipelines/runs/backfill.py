"""Runs of many spans in order, oldest first, on this machine."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ...components.lib.errors import RetrainerError
from ...components.lib.registry.recency import older_than_champion
from ...components.lib.registry.registry import CHAMPION, Registry
from ...components.lib.runs.run_traces import DONE_OUTCOMES, INGEST, list_traces
from ...components.lib.spans.exclusions import read_exclusions
from ...components.lib.spans.span_discovery import find_spans
from ...components.lib.spans.span_patterns import LATEST
from ...components.lib.store import Store
from ...components.lib.words import did_you_mean
from ..project.config import LoadedConfig
from ..project.sections.retrain import RetrainConfig
from .record_store import list_runs
from .records import RunRecord, RunState
from .run_words import outcome
from .span_references import INGEST_TASK


@dataclass
class Step:
    """One span of a backfill.

    Attributes:
        span: The span's name.
        done_by: The earlier run that succeeded for it, which makes a run now needless; empty if there is none.
        record: The record of its run; None if it was not run.
        champion: Version of the champion after it; None for no champion.
    """

    span: str
    done_by: str = ""
    record: RunRecord | None = None
    champion: int | None = None

    @property
    def words(self) -> str:
        """Its outcome, in a few words."""
        if self.record:
            return outcome(self.record)
        return f"skipped: done by run {self.done_by}" if self.done_by else "not run"

    def to_json(self) -> dict[str, Any]:
        """Describe it in plain values."""
        return {
            "span": self.span,
            "run_id": self.record.run_id if self.record else self.done_by or None,
            "state": str(self.record.state)
            if self.record
            else "skipped"
            if self.done_by
            else "not run",
            "outcome": self.words,
            "champion": self.champion,
        }


def plan(loaded: LoadedConfig, first: str, last: str, again: bool, allow_older: bool) -> list[Step]:
    """Choose the spans of a backfill.

    Args:
        loaded: The configuration.
        first: The oldest span.
        last: The newest span, or `latest`.
        again: Whether to run spans again that a run has done.
        allow_older: Whether models may replace a champion that has seen newer spans.

    Returns:
        A step for each span that is there, complete and not excluded, oldest first.

    Raises:
        RetrainerError: If a span does not exist or they are in the wrong order, nothing is left to run, or the champion
            has seen newer spans than the first to run.
    """
    config = loaded.config
    excluded = read_exclusions(config.store)
    found = find_spans(config.data.pattern, config.data.marker or "")
    names = [span.name for span in found if span.whole and span.name not in excluded]
    for name in (first, last):
        if name not in names and name != LATEST:
            why = ", which is excluded (retrainer spans list)" if name in excluded else ""
            raise RetrainerError(
                f"'{config.data.pattern}' has no complete span '{name}'{why}."
                f"{did_you_mean(name, names)}"
            )
    start = len(names) - 1 if first == LATEST else names.index(first)
    end = len(names) - 1 if last == LATEST else names.index(last)
    if start > end:
        raise RetrainerError(f"--from {first} is newer than --to {last}. Swap them.")
    done = {} if again else _done(config)
    steps = [Step(name, done.get(name, "")) for name in names[start : end + 1]]
    to_run = [step for step in steps if not step.done_by]
    champion = Registry(Store(config.store).models_uri).resolve(CHAMPION)
    if to_run and not allow_older:
        older, words = older_than_champion(to_run[0].span, champion, config.data.pattern)
        if older:
            raise RetrainerError(
                f"{words}. To start again with the older spans, take the champion out of service ('retrainer models "
                "retire'); to replace it by models of older data, add --allow-older."
            )
    return steps


def run_steps(
    steps: Sequence[Step],
    config: RetrainConfig,
    run: Callable[[str], RunRecord],
    say: Callable[[str], None],
) -> bool:
    """Run the steps, oldest first, up to the first failure. A model that is refused is no failure.

    Args:
        steps: The steps; each gets its record.
        config: The configuration.
        run: Runs one span.
        say: Is called with a line before each run.

    Returns:
        Whether all of them succeeded.
    """
    registry = Registry(Store(config.store).models_uri)
    to_run = [step for step in steps if not step.done_by]
    for number, step in enumerate(to_run, 1):
        say(f"{number} of {len(to_run)}: span {step.span}")
        step.record = run(step.span)
        step.champion = registry.version_of(CHAMPION)
        if step.record.state != RunState.SUCCEEDED:
            return False
    return True


def _done(config: RetrainConfig) -> dict[str, str]:
    """Find the newest run that succeeded for each span, on whatever target."""
    done: dict[str, str] = {}
    for record in list_runs(config.store):
        ingested = record.tasks.get(INGEST_TASK)
        if record.state == RunState.SUCCEEDED and record.pipeline == config.name and ingested:
            done.setdefault(str(ingested.outputs.get("newest_span", "")), record.run_id)
    local = set(done.values())
    for trace in sorted(list_traces(config.store), key=lambda trace: trace.started, reverse=True):
        span = trace.noted(INGEST, "newest_span")
        # What its pipeline was is not noted: a store is one pipeline's.
        if span and trace.outcome in DONE_OUTCOMES and trace.key.name not in local:
            done.setdefault(str(span), trace.key.name)
    return done
