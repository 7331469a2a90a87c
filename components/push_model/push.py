"""Handing a model over to service, if and only if it may go."""

import datetime
from typing import Any

from ..lib.errors import RetrainerError
from ..lib.files import digest_folder, join, local_folder, read_json, write_json
from ..lib.registry import CHAMPION, AliasMovedError, Registry
from ..lib.store import Store

BLESSING_FILE = "blessing.json"
SERVING_CHECK_FILE = "serving_check.json"
PUSHED_FILE = "pushed.json"


def push(
    model: str,
    blessing: str,
    serving_check: str | None,
    store: str,
    output: str,
    info: dict[str, Any] | None = None,
    alias: str = CHAMPION,
) -> str:
    """Push a blessed model into the registry and make it the champion.

    The gate is in here: whatever calls this, a model goes out only if the blessing and the serving check are of this
    very model and both say yes, and if the champion is still the one it was compared with.

    Args:
        model: The model artifact, a SavedModel.
        blessing: The blessing artifact.
        serving_check: The serving check artifact, or None where none was made.
        store: URI of the store.
        output: Folder for the pushed model artifact.
        info: What the registry shall remember of the version.
        alias: The alias that the model in service has.

    Returns:
        The verdict, which starts with `pushed`, `refused` or `unchanged`.

    Raises:
        RetrainerError: If the blessing or the check is of another model, or the champion changed meanwhile.
    """
    judged = _read(blessing, BLESSING_FILE, "evaluate_model")
    with local_folder(model) as folder:
        digest = digest_folder(folder)
        _same_model("blessing", judged, digest, model)
        refusal = None if judged["blessed"] else _refusal(judged)
        if serving_check is not None:
            check = _read(serving_check, SERVING_CHECK_FILE, "check_serving")
            _same_model("serving check", check, digest, model)
            if not check["ok"]:
                refusal = "; ".join(filter(None, [refusal, check["reason"]]))
        registry = Registry(Store(store).models_uri)
        if refusal:
            write_json(
                join(output, PUSHED_FILE), {"pushed": False, "version": None, "reason": refusal}
            )
            champion = registry.resolve(alias)
            serving = (
                f"version {champion.version} still serves" if champion else "no model serves yet"
            )
            return f"refused, {serving}: {refusal}"

        current = registry.resolve(alias)
        if current and current.digest == digest:
            write_json(
                join(output, PUSHED_FILE),
                {"pushed": True, "version": current.version, "reason": ""},
            )
            return f"unchanged, version {current.version} is this very model"
        version = registry.add(folder, digest, info or {})
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    expected = judged["champion_version"]
    try:
        registry.give_alias(alias, version.version, expected, {"at": now})
    except AliasMovedError as error:
        raise RetrainerError(
            f"the champion changed while this model was judged: it was compared with "
            f"{'version ' + str(expected) if expected else 'no champion'}, and {error}. Run again, so that it meets "
            "the new champion."
        ) from error
    write_json(
        join(output, PUSHED_FILE), {"pushed": True, "version": version.version, "reason": ""}
    )
    instead = f", in place of version {expected}" if expected else ""
    return f"pushed as version {version.version}{instead}{_numbers(judged)}"


def _refusal(judged: dict[str, Any]) -> str:
    # The verdict is the short form of the reasons.
    return (
        judged.get("verdict", "").partition(": ")[2]
        or "; ".join(judged["reasons"])
        or "not blessed"
    )


def _numbers(judged: dict[str, Any]) -> str:
    numbers = judged.get("verdict", "").partition(": ")[2]
    return f": {numbers}" if numbers else ""


def _read(path: str, file: str, source: str) -> dict[str, Any]:
    try:
        return read_json(join(path, file))
    except FileNotFoundError as error:
        raise RetrainerError(
            f"there is no '{join(path, file)}'; it comes from {source}. Nothing was pushed."
        ) from error


def _same_model(what: str, judged: dict[str, Any], digest: str, model: str) -> None:
    if judged["model_digest"] != digest:
        raise RetrainerError(
            f"the {what} is of another model ({judged['model_digest'][:12]}) than the one to push "
            f"({digest[:12]}, '{model}'). Judge this model first; nothing was pushed."
        )
