"""The Knative mode: one predictor, whose changes make revisions, and `canaryTrafficPercent` between two of them.

KServe routes that share to the latest revision that is ready, and the rest to the last one that had all requests
(`latestRolledoutRevision`); without the setting all go to the latest. So a predictor is changed together with a
percentage of 0, gets its share when it is ready, and the next canary begins only after this one has all or none:
kserve/kserve pkg/controller/v1beta1/inferenceservice/reconcilers/knative/ksvc_reconciler.go, createKnativeService, and
pkg/apis/serving/v1beta1/inference_service_status.go, PropagateStatus. A percentage below 100 on a revision that has
all requests already would roll out the one before it, so it never comes without a change of the predictor.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..interface import Served
from .cluster import Cluster
from .manifests import VARIANT, Variant, holds, labels_of, owned, version_of
from .steps import Apply, Target, Wait, address_of, failed_load, is_ready

PERCENT = "canaryTrafficPercent"
_REVISIONS = ("serving.knative.dev/v1", "revisions")
_SOURCE = "internal.serving.kserve.io/storage-initializer-sourceuri"


@dataclass(frozen=True)
class Revision:
    """A revision of the predictor.

    Attributes:
        name: Its name.
        variant: The variant that it runs; empty if retrainer did not make it.
        version: The registry's version; None if retrainer did not make it.
        uri: Where its model comes from; empty if unknown.
    """

    name: str
    variant: str = ""
    version: int | None = None
    uri: str = ""

    def runs(self, variant: Variant) -> bool:
        """Return whether it runs a variant, and nobody changed the model under its label."""
        source = self.uri in ("", variant.predictor["model"]["storageUri"])
        return self.variant == variant.key and source


@dataclass(frozen=True)
class _State:
    """An InferenceService and its revisions."""

    template: Mapping[str, Any]
    percent: int | None
    created: Revision | None
    ready: Revision | None
    rolled_out: Revision | None
    traffic: Mapping[str, int]
    is_ready: bool
    failure: str

    def has(self, variant: Variant) -> bool:
        return holds(self.template, variant.predictor)

    def is_latest(self, variant: Variant) -> bool:
        """Return whether a variant is the latest revision, and ready."""
        return bool(
            self.ready
            and self.created
            and self.ready.name == self.created.name
            and self.ready.runs(variant)
        )


class Knative:
    """The Knative mode, called Serverless in older releases."""

    spelling = "Serverless"
    named = False

    def __init__(self) -> None:
        """Start with no revision known."""
        self._revisions: dict[str, Revision] = {}

    def step(
        self, cluster: Cluster, found: Mapping[str, Any] | None, target: Target
    ) -> Apply | Wait | None:
        """Return the next step; see Mode."""
        if found is None:
            return Apply(target.stable.predictor)
        state = self._look(cluster, found)
        stable, canary = target.stable, target.canary
        if canary and target.percent == 100 and _runs(state.rolled_out, canary):
            # With all requests it is what KServe calls rolled out.
            return _roll_out(state, canary)
        if canary is None or not _runs(state.rolled_out, stable):
            step = _roll_out(state, stable)
            if step or canary is None:
                return step
        if not state.has(canary):
            return _apply(canary, 0)
        if not state.is_latest(canary):
            return _until_ready(state, canary)
        if state.percent != target.percent:
            return _apply(canary, target.percent)
        return _until_traffic(state, canary, target.percent)

    def before(self, cluster: Cluster, found: Mapping[str, Any], target: Target) -> Variant | None:
        """Return what served; see Mode."""
        state = self._look(cluster, found)
        if state.rolled_out is None or state.rolled_out.version is None:
            return None
        if state.rolled_out.runs(target.stable):
            return target.stable
        predictor = {
            key: value for key, value in owned(found).get("predictor", {}).items() if key != PERCENT
        }
        if labels_of(predictor).get(VARIANT) != state.rolled_out.variant:
            return None
        return Variant(state.rolled_out.version, state.rolled_out.variant, predictor)

    def served(self, cluster: Cluster, found: Mapping[str, Any]) -> Served:
        """Return what serves; see Mode."""
        state = self._look(cluster, found)
        traffic: dict[int, int] = {}
        foreign = []
        for name, percent in state.traffic.items():
            revision = self._revision(cluster, name)
            if revision and revision.version is not None:
                traffic[revision.version] = traffic.get(revision.version, 0) + percent
            else:
                foreign.append(f"revision {name} with {percent} % of the requests")
        known = [one for one in (state.ready, state.rolled_out) if one]
        loaded = {*traffic, *(one.version for one in known if one.version is not None)}
        return Served(
            {version: percent for version, percent in traffic.items() if percent},
            tuple(sorted(loaded)),
            tuple(foreign),
            address_of(found),
        )

    def _look(self, cluster: Cluster, found: Mapping[str, Any]) -> _State:
        template = found["spec"].get("predictor") or {}
        components = (found.get("status") or {}).get("components") or {}
        status = components.get("predictor") or {}
        traffic: dict[str, int] = {}
        for entry in status.get("traffic") or []:
            name = entry.get("revisionName", "")
            traffic[name] = traffic.get(name, 0) + (entry.get("percent") or 0)
        return _State(
            template,
            template.get(PERCENT),
            self._revision(cluster, status.get("latestCreatedRevision", "")),
            self._revision(cluster, status.get("latestReadyRevision", "")),
            self._revision(cluster, status.get("latestRolledoutRevision", "")),
            traffic,
            is_ready(found),
            failed_load(found),
        )

    def _revision(self, cluster: Cluster, name: str) -> Revision | None:
        if not name:
            return None
        if name not in self._revisions:
            found = cluster.get(*_REVISIONS, name)
            if found is None:
                return Revision(name)
            labels = found["metadata"].get("labels") or {}
            source = (found["metadata"].get("annotations") or {}).get(_SOURCE, "")
            self._revisions[name] = Revision(
                name, labels.get(VARIANT, ""), version_of(labels), source
            )
        return self._revisions[name]


def _roll_out(state: _State, variant: Variant) -> Apply | Wait | None:
    """Return the next step until a variant has all requests; until it is ready, they stay where they are."""
    if not state.has(variant):
        # Knative knows of nothing else than this variant: a change that it has not seen is taken back.
        unseen = state.created == state.rolled_out and _runs(state.rolled_out, variant)
        return _apply(variant, 0 if state.rolled_out and not unseen else None)
    if not state.is_latest(variant):
        return _until_ready(state, variant)
    if state.percent is not None:
        return _apply(variant, None)
    if state.rolled_out is None or state.rolled_out != state.ready:
        return Wait(f"version {variant.version} to get all requests")
    return _until_traffic(state, variant, 100)


def _runs(revision: Revision | None, variant: Variant) -> bool:
    return revision is not None and revision.runs(variant)


def _until_ready(state: _State, variant: Variant) -> Wait:
    failure = state.failure if _runs(state.created, variant) else ""
    return Wait(f"a revision of version {variant.version} to be ready", failure)


def _until_traffic(state: _State, variant: Variant, percent: int) -> Wait | None:
    assert state.ready is not None
    wanted = {state.ready.name: percent}
    if percent < 100 and state.rolled_out:
        wanted[state.rolled_out.name] = 100 - percent
    shares = {name: share for name, share in state.traffic.items() if share}
    if shares != {name: share for name, share in wanted.items() if share}:
        return Wait(f"version {variant.version} to get {percent} % of the requests")
    return None if state.is_ready else Wait("the InferenceService to be ready", state.failure)


def _apply(variant: Variant, percent: int | None) -> Apply:
    predictor = dict(variant.predictor)
    if percent is not None:
        predictor[PERCENT] = percent
    return Apply(predictor)
