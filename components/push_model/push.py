"""Handing a model over to service, if and only if it may go."""

import datetime
from typing import Any

from ..lib.errors import RetrainerError
from ..lib.files import digest_folder, join, local_folder, write_json
from ..lib.recency import older_than_champion, parse_flag
from ..lib.registry import CHAMPION, AliasMovedError, Registry
from ..lib.run_records import TaskRecord
from ..lib.store import Store
from ..lib.verdicts import Blessing, ServingCheck

PUSHED_FILE = "pushed.json"


def push(
    model: str,
    blessing: str,
    serving_check: str | None,
    store: str,
    output: str,
    info: dict[str, Any] | None = None,
    alias: str = CHAMPION,
    pattern: str = "",
    allow_older: bool | str = False,
    record: TaskRecord | None = None,
) -> str:
    """Push a blessed model into the registry and make it the champion.

    The gate is in here: whatever calls this, a model goes out only if the blessing and the serving check are of this
    very model and both say yes, if the champion is still the one that it was compared with, and if the champion has not
    seen newer spans.

    Args:
        model: The model artifact, a SavedModel.
        blessing: The blessing artifact.
        serving_check: The serving check artifact, or None where none was made.
        store: URI of the store.
        output: Folder for the pushed model artifact.
        info: What the registry keeps of the version. Its `span` is the newest span that the model has seen; without it,
            the blessing's spans say so.
        alias: The alias that the model in service has.
        pattern: The pattern that the span was found with; it has the format of the spans' dates.
        allow_older: Whether the model may replace a champion that has seen newer spans; also as text, `true` or
            `false`.
        record: Takes the outcome (as the verdict starts), the model's version, and the champion's before it.

    Returns:
        The verdict, which starts with `pushed`, `refused` or `unchanged`.

    Raises:
        RetrainerError: If the blessing or the check is of another model, or the champion changed meanwhile.
    """
    allowed = parse_flag("allow_older", allow_older)
    judged = Blessing.read(blessing)
    noted = {"train_spans": judged.train_spans, "eval_spans": judged.eval_spans, **(info or {})}
    newest = str(noted.get("span") or judged.newest_span)
    record = record or TaskRecord("push_model")
    record.note(newest_span=newest, champion=judged.champion_version)
    with local_folder(model) as folder:
        digest = digest_folder(folder)
        _same_model("blessing", judged.model_digest, digest, model)
        refusals = [] if judged.blessed else [_refusal(judged)]
        if serving_check is not None:
            check = ServingCheck.read(serving_check)
            _same_model("serving check", check.model_digest, digest, model)
            if not check.ok:
                refusals.append(check.reason)
        registry = Registry(Store(store).models_uri)
        current = registry.resolve(alias)
        is_champion = current is not None and current.digest == digest
        older, age = older_than_champion(newest, current, pattern)
        if older and not allowed and not is_champion:
            refusals.append(
                f"{age}; to replace it all the same, run with --allow-older (elsewhere: the parameter allow_older=true)"
            )
        if refusals:
            refusal = "; ".join(refusals)
            _note(output, pushed=False, version=None, reason=refusal)
            record.note(outcome="refused", version=None)
            serving = (
                f"version {current.version} still serves" if current else "no model serves yet"
            )
            return f"refused, {serving}: {refusal}"
        if current and is_champion:
            _note(output, pushed=True, version=current.version)
            record.note(outcome="unchanged", version=current.version)
            return f"unchanged, already the champion (version {current.version})"
        version = registry.add(folder, digest, noted)
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    expected = judged.champion_version
    moved = {"at": now, **({"run": noted["run"]} if noted.get("run") else {})}
    try:
        registry.give_alias(alias, version.version, expected, moved)
    except AliasMovedError as error:
        raise RetrainerError(
            f"the champion changed while this model was judged: it was compared with "
            f"{'no champion' if expected is None else f'version {expected}'}, and {error}. Run again, so that the "
            "model is compared with the new champion."
        ) from error
    _note(output, pushed=True, version=version.version)
    record.note(outcome="pushed", version=version.version)
    instead = "" if expected is None else f", in place of version {expected}"
    words = "; ".join(filter(None, [judged.summary, age]))
    return f"pushed as version {version.version}{instead}{f': {words}' if words else ''}"


def _refusal(judged: Blessing) -> str:
    # The verdict has the reasons in short.
    return judged.summary or "; ".join(judged.reasons) or "not blessed"


def _note(output: str, pushed: bool, version: int | None, reason: str = "") -> None:
    write_json(join(output, PUSHED_FILE), {"pushed": pushed, "version": version, "reason": reason})


def _same_model(what: str, judged: str, digest: str, model: str) -> None:
    if judged != digest:
        raise RetrainerError(
            f"the {what} is of another model ({judged[:12]}) than the one to push ({digest[:12]}, '{model}'). Judge "
            "this model first; nothing was pushed."
        )
