"""Deploying the champion to every service that the project names."""

from collections.abc import Callable, Mapping
from typing import Any

from ..lib.errors import RetrainerError
from ..lib.runs.run_records import TaskRecord
from ..lib.serving.lock import LockTiming
from ..lib.serving.plan import follow_plan
from ..lib.serving.reconcile import Reconciled, Reconciler
from ..lib.serving.rollout_ends import complete_rollout


class NotDeployedError(RetrainerError):
    """At least one service does not serve what it should.

    Attributes:
        results: The result of each service.
    """

    def __init__(self, message: str, results: list[Reconciled]) -> None:
        super().__init__(message)
        self.results = results


def deploy(
    store: str,
    services: Mapping[str, Mapping[str, Any]],
    pipeline: str,
    rollout: Mapping[str, Any] | None = None,
    by: str = "",
    record: TaskRecord | None = None,
    timing: LockTiming | None = None,
    on_wait: Callable[[str], None] | None = None,
) -> str:
    """Bring every service to what should serve.

    Args:
        store: URI of the store.
        services: Settings by service, as under `serving.deploy`.
        pipeline: Name of the pipeline.
        rollout: The section `serving.rollout`; empty: a new champion gets all requests at once.
        by: Who asks: the run's name, or a user.
        record: Takes the champion's `version`, what each service serves (`deployed`), and why not (`not_deployed`).
        timing: How long the parts of the services' locks take.
        on_wait: Called with a sentence if another process deploys to a service.

    Returns:
        The verdict.

    Raises:
        NotDeployedError: If a service failed; all had their turn before.
        RetrainerError: If the registry can't be read.
    """
    record = record or TaskRecord("deploy_model")
    planned = follow_plan(store, rollout, by)
    champion = planned.canary or planned.stable
    record.note(version=champion.version if champion else None)
    reconciler = Reconciler(
        store, pipeline, lambda: follow_plan(store, rollout, by), by, timing, on_wait
    )
    results = [reconciler.reconcile(name, settings) for name, settings in services.items()]
    failed = {result.service: result.error for result in results if result.error}
    deployed = {
        result.service: result.plan.describe()
        for result in results
        if result.plan and not result.error
    }
    record.note(deployed=deployed, not_deployed=failed)
    if failed:
        what = f"version {champion.version} is the champion, but" if champion else "the champion is"
        reasons = "; ".join(f"{service}: {error.rstrip('.')}" for service, error in failed.items())
        again = (
            "This may pass: run 'retrainer deploy' again"
            if all(result.transient for result in results if result.error)
            else "Fix that, then run 'retrainer deploy'"
        )
        raise NotDeployedError(
            f"{what} not deployed to {reasons}. The registry is as push_model left it. {again}; the next run deploys, "
            "too.",
            results,
        )
    if rollout:
        complete_rollout(store, results, by or "deploy_model")
    return _describe(results)


def _describe(results: list[Reconciled]) -> str:
    """Write what serves where, services with the same answer together."""
    by_words: dict[str, list[str]] = {}
    for result in results:
        words = result.plan.describe() if result.plan else "no model"
        by_words.setdefault(f"{'' if result.changed else 'unchanged, '}{words}", []).append(
            result.service
        )
    return "; ".join(f"{words} on {', '.join(names)}" for words, names in by_words.items())
