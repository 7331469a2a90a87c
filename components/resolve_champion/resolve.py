"""Looking up the model in service."""

from ..lib.errors import RetrainerError
from ..lib.registry.recency import older_than_champion, parse_flag
from ..lib.registry.registry import CHAMPION, Registry
from ..lib.runs.run_records import TaskRecord
from ..lib.store import Store
from ..lib.uris import exists
from ..lib.verdicts import Champion


def resolve(
    store: str,
    output: str,
    alias: str = CHAMPION,
    span: str = "",
    pattern: str = "",
    allow_older: bool | str = False,
    record: TaskRecord | None = None,
) -> str:
    """Look up the champion in the registry.

    A run whose newest span is older than the champion's stops here, before it trains: push_model would refuse its
    model.

    Args:
        store: URI of the store.
        output: Folder for the champion artifact.
        alias: The alias that the model in service has.
        span: The newest span of the run; empty to compare nothing.
        pattern: The pattern that the span was found with; it has the format of the spans' dates.
        allow_older: Whether a run of an older span may go on; also as text, `true` or `false`.
        record: Takes the span and the champion's version.

    Returns:
        The verdict.

    Raises:
        RetrainerError: If the alias points at a version that is not complete or has lost its model, or the champion has
            seen newer spans.
    """
    allowed = parse_flag("allow_older", allow_older)
    record = record or TaskRecord("resolve_champion")
    record.note(newest_span=span)
    version = Registry(Store(store).models_uri).resolve(alias)
    record.note(champion=version.version if version else None)
    if version is None:
        Champion().write(output)
        return "no champion yet"
    if not exists(version.uri):
        # evaluate_model would find that out after training.
        raise RetrainerError(
            f"the champion, version {version.version}, has no model at '{version.uri}' any more. Restore it, or take "
            "it out of service with `retrainer models retire`."
        )
    older, words = older_than_champion(span, version, pattern)
    if older and not allowed:
        raise RetrainerError(
            f"{words}, so a model of this run could not replace it. To replace the champion by a model of older data, "
            "run with --allow-older (elsewhere: the parameter allow_older=true)."
        )
    Champion.of(version).write(output)
    return f"version {version.version}"
