"""Making a model the champion, if and only if it is blessed and serves."""

from collections.abc import Mapping
from typing import Any

from ..lib.digests import digest_folder
from ..lib.errors import RetrainerError
from ..lib.folders import local_folder
from ..lib.moments import now_text
from ..lib.registry.aliases import PUSH, AliasMove
from ..lib.registry.approvals import ApprovalState, ask
from ..lib.registry.evaluation_summary import EvaluationSummary
from ..lib.registry.model_versions import ModelVersion, training_digest
from ..lib.registry.recency import older_than_champion, parse_flag
from ..lib.registry.registry import CHAMPION, AliasMovedError, Registry
from ..lib.runs.run_records import TaskRecord
from ..lib.saved_models.scored_rows import ScoredRows
from ..lib.store import Store
from ..lib.verdicts import Blessing, Champion, ServingCheck
from .equal_model import is_equal_model
from .push_result import Pushed
from .version_info import version_files, version_info


class ChampionChangedError(RetrainerError):
    """The champion is another one than the model was compared with.

    Attributes:
        what: What changed, without what to do about it.
        champion: The champion now.
    """

    def __init__(self, what: str, champion: Champion) -> None:
        super().__init__(
            f"{what}. Run again, so that the model is compared with the new champion; with "
            "evaluation.champion_changed: judge_again a run does that itself."
        )
        self.what = what
        self.champion = champion


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
    card: Mapping[str, Any] | None = None,
    approve: bool = False,
) -> str:
    """Push a blessed model into the registry and make it the champion.

    The gate is in here: whatever calls this, a model goes out only if the blessing and the serving check are of this
    very model and both say yes, if the champion is still the one that it was compared with, if the champion has not
    seen newer spans, and if no version of this content, run or training was rolled back and
    is held.

    Args:
        model: The model artifact, a SavedModel.
        blessing: The blessing artifact.
        serving_check: The serving check artifact, or None where none was made.
        store: URI of the store.
        output: Folder for the pushed model artifact.
        info: What the registry keeps of the version. Its `span` is the newest span that the model has seen; without it,
            the blessing's spans say so. Its `training` is what train_model noted.
        alias: The alias that the model in service has.
        pattern: The pattern that the span was found with; it has the format of the spans' dates.
        allow_older: Whether the model may replace a champion that has seen newer spans; also as text, `true` or
            `false`.
        record: Takes the outcome (as the verdict starts), the model's version, and the champion's before it.
        card: What people say of the model, for its model card: `name`, and the keys of `model.card` in retrain.yaml.
        approve: Whether the model waits for a person's approval before it goes into service.

    Returns:
        The verdict, which starts with `pushed`, `pending`, `refused` or `unchanged`.

    Raises:
        RetrainerError: If the blessing or the check is of another model.
        ChampionChangedError: If the champion changed meanwhile.
    """
    allowed = parse_flag("allow_older", allow_older)
    judged = Blessing.read(blessing)
    check = None if serving_check is None else ServingCheck.read(serving_check)
    noted = version_info(judged, info or {})
    newest = str(noted.get("span") or judged.newest_span)
    record = record or TaskRecord("push_model")
    record.note(newest_span=newest, champion=judged.champion_version)
    # What is pushed is hashed while it is copied, so the blessing's word for it stands until then.
    digest = judged.model_digest

    def same_model(actual: str) -> None:
        _same_model("blessing", digest, actual, model)
        if check:
            _same_model("serving check", check.model_digest, actual, model)

    registry = Registry(Store(store).models_uri)
    with local_folder(model) as folder:
        if check and check.model_digest != digest:
            same_model(digest_folder(folder))
        refusals = _judges_refusals(judged, check)
        if check and serving_check and not refusals:
            rows = ScoredRows.read(blessing), ScoredRows.read(serving_check)
            if skew := _skew(folder, *rows, check.tolerance):
                refusals["not_serving"] = f"serving check: {skew}"
        move = registry.alias(alias).newest()
        current = None if move is None or move.version is None else registry.get(move.version)
        same = current if current is not None and current.digest == digest else None
        older, age = older_than_champion(newest, current, pattern)
        if not same:
            if move and (words := _hold_words(move, noted, digest)):
                refusals["held"] = words
            if older and not allowed:
                refusals["older"] = (
                    f"{age}; to replace it all the same, run with --allow-older (elsewhere: the parameter "
                    "allow_older=true)"
                )
        if refusals or same:
            same_model(digest_folder(folder))
        if refusals:
            return _refuse(refusals, current, record, output)
        if same:
            return _unchanged(same.version, "", record, output)
        if current and is_equal_model(folder, noted, EvaluationSummary.read(blessing), current):
            same_model(digest_folder(folder))
            return _unchanged(current.version, ", trained again with equal weights", record, output)
        version = registry.add(
            folder,
            digest,
            noted,
            lambda made: version_files(store, made, blessing, card or {}),
            same_model,
        ).version
    run = str(noted.get("run") or "")
    if approve:
        # A person must not be asked about a comparison that is out of date already.
        _same_champion(registry, alias, judged.champion_version)
        return _ask(registry, version, judged, run, record, output)
    _put_into_service(registry, alias, version, judged.champion_version, run)
    record.note(outcome="pushed", version=version)
    words = "; ".join(filter(None, [judged.summary, age]))
    verdict = _pushed_words(version, judged.champion_version, words)
    Pushed(True, version, verdict=verdict).write(output)
    return verdict


def _judges_refusals(judged: Blessing, check: ServingCheck | None) -> dict[str, str]:
    """Return the reasons of blessing and serving check, by what a reason is called in records."""
    # The verdict has the reasons in short.
    reason = judged.summary or "; ".join(judged.reasons) or "not blessed"
    refusals = {} if judged.blessed else {"not_blessed": reason}
    if check and not check.ok:
        refusals["not_serving"] = check.reason
    return refusals


def _hold_words(move: AliasMove, noted: Mapping[str, Any], digest: str) -> str:
    """Return why a model is held that is of the content, run or training of a version that was rolled back."""
    hold = move.holding(digest, str(noted.get("job") or ""), training_digest(noted))
    if not hold:
        return ""
    same = "" if hold.digest == digest else ", of the same run or an equal training,"
    which = "it" if hold.digest == digest else f"version {hold.version}"
    return (
        f"{hold.words}, so this model{same} is held; to put {which} into service all the same, use retrainer models "
        f"promote {hold.version}"
    )


def _refuse(
    refusals: Mapping[str, str], current: ModelVersion | None, record: TaskRecord, output: str
) -> str:
    refusal = "; ".join(refusals.values())
    record.note(outcome="refused", version=None, reasons=list(refusals))
    serving = f"version {current.version} still serves" if current else "no model serves yet"
    verdict = f"refused, {serving}: {refusal}"
    Pushed(False, None, refusal, verdict).write(output)
    return verdict


def _put_into_service(
    registry: Registry, alias: str, version: int, expected: int | None, run: str
) -> None:
    """Move the alias to the version, if it still points at the champion that the model was compared with."""
    now = now_text()
    moved = {"action": PUSH, "at": now, **({"run": run} if run else {})}
    try:
        registry.move_alias(alias, version, expected, moved)
    except AliasMovedError as error:
        raise _changed(registry, alias, expected, error) from error


def _pushed_words(version: int, before: int | None, why: str) -> str:
    instead = "" if before is None else f", in place of version {before}"
    return f"pushed as version {version}{instead}{f': {why}' if why else ''}"


def _unchanged(version: int, why: str, record: TaskRecord, output: str) -> str:
    record.note(outcome="unchanged", version=version)
    verdict = f"unchanged, already the champion (version {version}){why}"
    Pushed(True, version, verdict=verdict).write(output)
    return verdict


def _ask(
    registry: Registry,
    version: int,
    judged: Blessing,
    run: str,
    record: TaskRecord,
    output: str,
) -> str:
    """Have a version wait for a person, unless one refused it before."""
    approval = ask(registry, version, judged.champion_version, run)
    if approval.state == ApprovalState.REFUSED:
        record.note(outcome="refused", version=None, reasons=["not_approved"])
        verdict = f"refused: this model is version {version}, which was {approval.words}"
        Pushed(False, None, verdict, verdict).write(output)
        return verdict
    record.note(outcome="pending", version=None, waiting=version)
    command = f"retrainer models approve {version}"
    verdict = f"pending as version {version}, until a person decides ({command}): {judged.summary}"
    Pushed(False, None, f"version {version} waits for approval ({command})", verdict).write(output)
    return verdict


def _same_champion(registry: Registry, alias: str, expected: int | None) -> None:
    current = registry.version_of(alias)
    if current != expected:
        raise _changed(registry, alias, expected, AliasMovedError(alias, current, expected))


def _changed(
    registry: Registry, alias: str, expected: int | None, error: AliasMovedError
) -> ChampionChangedError:
    compared = "no champion" if expected is None else f"version {expected}"
    return ChampionChangedError(
        f"the champion changed while this model was judged: it was compared with {compared}, and {error}",
        Champion.of(registry.resolve(alias)),
    )


def _skew(
    model: str, judged: ScoredRows | None, served: ScoredRows | None, tolerance: float
) -> str:
    if judged is None or served is None:
        return ""
    # It loads NumPy, which a push needs for nothing else.
    from .served_parity import find_skew

    return find_skew(model, judged, served, tolerance)


def _same_model(what: str, judged: str, digest: str, model: str) -> None:
    if judged != digest:
        raise RetrainerError(
            f"the {what} is of another model ({judged[:12]}) than the one to push ({digest[:12]}, '{model}'). Judge "
            "this model first; nothing was pushed."
        )
