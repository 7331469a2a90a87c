"""The task of push_model: the push with its record, or the verdict of an earlier push that decided it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..lib.errors import RetrainerError
from ..lib.monitoring.incidents import incident_of_run
from ..lib.registry.registry import CHAMPION
from ..lib.runs.run_records import RunKey, TaskRecord, filled_in, recording
from ..lib.verdicts import Champion
from .push import ChampionChangedError, push
from .push_result import Pushed

FAIL, JUDGE_AGAIN = "fail", "judge_again"


@dataclass(frozen=True)
class RunNames:
    """What kfp's placeholders say of the run.

    Attributes:
        run: Its name.
        resource: Its resource name.
        uuid: Its id.
    """

    run: str = ""
    resource: str = ""
    uuid: str = ""


def push_or_pass_on(
    model: str,
    blessing: str,
    serving_check: str | None,
    store: str,
    pushed_model: str,
    next_champion: str,
    names: RunNames,
    span: str = "",
    alias: str = CHAMPION,
    pattern: str = "",
    allow_older: bool | str = False,
    champion_changed: str = FAIL,
    earlier: str | None = None,
    training: Mapping[str, Any] | None = None,
    card: Mapping[str, Any] | None = None,
    approve: bool = False,
) -> str:
    """Push a model, and say whether it must be judged again.

    Args:
        model: The model artifact.
        blessing: The blessing artifact.
        serving_check: The serving check artifact, or None where none was made.
        store: URI of the store.
        pushed_model: Folder for the pushed model artifact.
        next_champion: Folder for the champion that the model must be judged against next, or that nothing is left to
            do.
        names: The run.
        span: The newest span that the model has seen.
        alias: The alias that the model in service has.
        pattern: The pattern that the span was found with.
        allow_older: Whether the model may replace a champion that has seen newer spans.
        champion_changed: What to do if the champion changed while the model was judged: `fail`, or `judge_again`.
        earlier: The pushed model artifact of an earlier push of this run; if that settled the matter, its verdict is
            this one's, and nothing is pushed.
        training: What train_model noted on the model artifact: settings, code, libraries; None if nothing.
        card: What people say of the model, for its model card.
        approve: Whether the model waits for a person's approval.

    Returns:
        The verdict.

    Raises:
        RetrainerError: If a setting is wrong, the blessing or the check is of another model, or the champion changed.
    """
    if champion_changed not in (FAIL, JUDGE_AGAIN):
        raise RetrainerError(
            f"champion_changed is '{champion_changed}'; it must be {FAIL} or {JUDGE_AGAIN}."
        )
    if earlier is not None and not (before := Pushed.read(earlier)).again:
        # Its record says what it did, so none is kept here.
        before.write(pushed_model)
        Champion(settled=before.verdict).write(next_champion)
        return before.verdict
    info: dict[str, Any] = {"run": filled_in(names.run), "span": span}
    if key := RunKey.of(names.run, names.resource, names.uuid):
        info["job"] = key.job
    if incident := incident_of_run(store, info["run"]):
        info["incident"] = incident.id
    if training:
        info["training"] = training
    with recording(store, "push_model", names.run, names.resource, names.uuid) as record:
        try:
            record.verdict = push(
                model,
                blessing,
                serving_check,
                store,
                pushed_model,
                info,
                alias,
                pattern,
                allow_older,
                record,
                card,
                approve,
            )
        except ChampionChangedError as changed:
            if champion_changed == FAIL:
                raise
            return _judge_again(changed, pushed_model, next_champion, record)
    Champion(settled=record.verdict).write(next_champion)
    return record.verdict


def _judge_again(
    changed: ChampionChangedError, pushed_model: str, next_champion: str, record: TaskRecord
) -> str:
    # Without an outcome among its notes: the run goes on.
    record.verdict = f"judged again: {changed.what}"
    Pushed(False, None, changed.what, record.verdict, again=True).write(pushed_model)
    changed.champion.write(next_champion)
    return record.verdict
