"""The task of check_serving: an earlier check of the same model that it passed, or a new one."""

from collections.abc import Mapping
from typing import Any

from ..lib.runs.reuse import Result, Work, reuse_or_make
from ..lib.verdicts import ServingCheck


def check_or_reuse(
    model: str,
    examples: str,
    serving_check: str,
    settings: Mapping[str, Any],
    store: str,
    salt: str,
) -> str:
    """Check that a model serves, unless the store knows that it passed this check on these rows.

    Args:
        model: The model artifact.
        examples: The examples artifact.
        serving_check: Folder for the serving check artifact.
        settings: What is sent and what is asked of the answers: the arguments of `check`.
        store: URI of the store; empty to look for no earlier result.
        salt: What else the result depends on.

    Returns:
        The verdict.
    """
    work = Work(
        component="check_serving",
        parameters=dict(settings),
        inputs={"examples": examples, "model": model},
        outputs={"serving_check": serving_check},
        salt=salt,
    )

    def make() -> Result:
        from .check import check

        verdict = check(model, examples, serving_check, **settings)
        # A machine that was busy may have failed it, so only what passed lasts.
        return Result(verdict, is_lasting=ServingCheck.read(serving_check).ok)

    return reuse_or_make(store, work, make).verdict
