"""The standard mode: a Deployment for each predictor, and `spec.canary` since KServe 0.20.

A canary becomes the stable predictor by taking over its name, without a restart: kserve/kserve
pkg/apis/serving/v1beta1/inference_service.go, InferenceServiceSpec.Canary, with the rules of
inference_service_validation.go, validateCanarySpecs. A change of the stable predictor's name deletes its Deployment at
once (components/predictor.go, reconcileCanaryDeployments), so every new version starts as a canary without requests.
Requests are split by the weights of an HTTPRoute of the Gateway API alone, in the releases after 0.20.0
(reconcilers/ingress/httproute_reconciler.go, applyCanaryWeights); status.canaryStatuses repeats what was asked for.
The status's observedGeneration is the Deployment's and says nothing about the InferenceService.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..interface import Served
from .cluster import Cluster
from .manifests import VARIANT, Variant, holds, labels_of, owned, version_of
from .steps import Apply, Target, Wait, address_of, condition, failed_load, is_ready

_NEEDS_ROUTES = (
    "KServe splits no requests here: in the standard mode it needs the Gateway API (`enableGatewayApi` in "
    "inferenceservice-config), and a release after 0.20.0, which writes the weights into the HTTPRoute"
)
_NEEDS_CANARY = (
    "KServe's controller reports no canary: it does not run, or is older than 0.20, the first with `spec.canary` in "
    "the standard mode"
)
_SHARE_OF_A_DEPLOY = 50
"""Percent of the replicas that a version has when it takes over: KServe takes a canary's from the stable ones."""


@dataclass(frozen=True)
class _State:
    """An InferenceService, its Deployments and its route."""

    service: str
    found: Mapping[str, Any]
    deployments: Mapping[str, Mapping[str, Any]]
    weights: Mapping[str, int] | None
    stable: Mapping[str, Any]
    canaries: tuple[Mapping[str, Any], ...] = ()
    statuses: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def is_up(self, predictor: Mapping[str, Any], replicas: int) -> bool:
        """Return whether a predictor's pods are there, in its current form."""
        deployment = self.deployments.get(_deployment(self.service, predictor))
        if deployment is None:
            return False
        metadata, status = deployment["metadata"], deployment.get("status") or {}
        template = deployment["spec"]["template"]["metadata"].get("labels") or {}
        return (
            template.get(VARIANT) == labels_of(predictor).get(VARIANT)
            and (status.get("observedGeneration") or 0) >= metadata.get("generation", 0)
            and (status.get("availableReplicas") or 0) >= replicas
            and (status.get("updatedReplicas") or 0) >= (status.get("replicas") or 0)
        )

    def why_down(self, predictor: Mapping[str, Any]) -> str:
        """Return why a Deployment has no pods, as it says."""
        deployment = self.deployments.get(_deployment(self.service, predictor)) or {}
        for kind, bad in (("ReplicaFailure", "True"), ("Progressing", "False")):
            said = condition(deployment, kind)
            if said.get("status") == bad:
                return str(said.get("message") or said.get("reason") or "")
        return ""


class Standard:
    """The standard mode, called RawDeployment in older releases."""

    spelling = "RawDeployment"
    named = True

    def step(
        self, cluster: Cluster, found: Mapping[str, Any] | None, target: Target
    ) -> Apply | Wait | None:
        """Return the next step; see Mode."""
        stable, canary = target.stable, target.canary
        if found is None:
            return Apply(stable.predictor)
        state = self._look(cluster, found)
        if not holds(state.stable, stable.predictor):
            return _replace(state, stable)
        if not state.is_up(state.stable, 1):
            return Wait(
                f"version {stable.version} to be ready",
                state.why_down(state.stable) or failed_load(found),
            )
        if canary is None:
            if state.canaries:
                return Apply(stable.predictor)
            return _until_routed(state, stable, None, 0)
        return _canary(state, stable.predictor, canary, target.percent, target.percent) or (
            _until_routed(state, stable, canary, target.percent)
        )

    def before(self, cluster: Cluster, found: Mapping[str, Any], target: Target) -> Variant | None:
        """Return what served; see Mode."""
        predictor = owned(found).get("predictor") or {}
        labels = labels_of(predictor)
        version = version_of(labels)
        return None if version is None else Variant(version, labels.get(VARIANT, ""), predictor)

    def served(self, cluster: Cluster, found: Mapping[str, Any]) -> Served:
        """Return what serves; see Mode."""
        state = self._look(cluster, found)
        traffic: dict[int, int] = {}
        loaded, foreign, rest = [], [], 100
        for entry in state.canaries:
            predictor = entry["predictor"]
            percent = _weight(state, predictor, entry)
            rest -= percent
            version = version_of(labels_of(predictor))
            if version is None:
                foreign.append(f"canary {predictor.get('name')} with {percent} % of the requests")
                continue
            traffic[version] = traffic.get(version, 0) + percent
            if state.is_up(predictor, 1):
                loaded.append(version)
        version = version_of(labels_of(state.stable))
        if version is None:
            foreign.append(f"a predictor with {rest} % of the requests")
        elif state.is_up(state.stable, 1):
            traffic[version] = traffic.get(version, 0) + rest
            loaded.append(version)
        shares = {version: percent for version, percent in traffic.items() if percent}
        return Served(shares, tuple(sorted(loaded)), tuple(foreign), address_of(found))

    def _look(self, cluster: Cluster, found: Mapping[str, Any]) -> _State:
        service, spec = found["metadata"]["name"], found["spec"]
        stable = spec.get("predictor") or {}
        canaries = tuple(spec.get("canary") or ())
        names = [_deployment(service, one) for one in (stable, *(c["predictor"] for c in canaries))]
        deployments = {name: cluster.get("apps/v1", "deployments", name) for name in names}
        statuses = (found.get("status") or {}).get("canaryStatuses") or []
        return _State(
            service,
            found,
            {name: deployment for name, deployment in deployments.items() if deployment},
            _weights(cluster.get("gateway.networking.k8s.io/v1", "httproutes", service)),
            stable,
            canaries,
            {status["name"]: status for status in statuses},
        )


def _replace(state: _State, wanted: Variant) -> Apply | Wait | None:
    """Return the next step until a variant is the stable predictor."""
    if state.stable.get("name") == wanted.predictor.get("name"):
        # The same model with other settings: its Deployment replaces its pods one by one.
        return Apply(wanted.predictor)
    current = owned(state.found).get("predictor") or {}
    # A canary of this version that has requests keeps them until it has all.
    percent = next(
        (canary["trafficPercent"] for canary in state.canaries if _is(canary, wanted)),
        0,
    )
    step = _canary(state, current, wanted, percent, max(percent, _SHARE_OF_A_DEPLOY))
    return step or Apply(wanted.predictor)


def _canary(
    state: _State, stable: Mapping[str, Any], wanted: Variant, percent: int, share: int
) -> Apply | Wait | None:
    """Return the next step until a variant is the only canary, is ready, and has its percentage."""
    ready = wanted.as_canary(0, share)
    there = next((canary for canary in state.canaries if _is(canary, wanted)), None)
    if there is None:
        return Apply(stable, (ready,))
    if len(state.canaries) > 1 or not holds(there["predictor"], ready["predictor"]):
        return Apply(stable, ({**ready, "trafficPercent": there["trafficPercent"]},))
    if wanted.name not in state.statuses:
        return Wait(f"KServe to start version {wanted.version}", _NEEDS_CANARY)
    if not state.is_up(there["predictor"], ready["predictor"]["minReplicas"]):
        return Wait(f"version {wanted.version} to be ready", state.why_down(there["predictor"]))
    if there["trafficPercent"] != percent:
        return Apply(stable, ({**ready, "trafficPercent": percent},))
    return None


def _until_routed(
    state: _State, stable: Variant, canary: Variant | None, percent: int
) -> Wait | None:
    wanted = {_deployment(state.service, stable.predictor): 100 - percent}
    if canary and percent:
        wanted[_deployment(state.service, canary.predictor)] = percent
        if state.weights is None:
            return Wait("an HTTPRoute", _NEEDS_ROUTES)
    shares = {name: share for name, share in (state.weights or {}).items() if share}
    if state.weights is not None and shares != {key: one for key, one in wanted.items() if one}:
        until = f"the HTTPRoute to give {percent} % of the requests to the canary"
        return Wait(until, _NEEDS_ROUTES if percent else "")
    return None if is_ready(state.found) else Wait("the InferenceService to be ready")


def _weights(route: Mapping[str, Any] | None) -> dict[str, int] | None:
    """Return a route's percentages by service; None if there is no route."""
    rules = (route or {}).get("spec", {}).get("rules") or []
    refs = list(rules[0].get("backendRefs") or []) if rules else []
    if not refs:
        return None
    if len(refs) == 1:
        return {refs[0]["name"]: 100}
    return {one["name"]: one.get("weight", 1) for one in refs}


def _weight(state: _State, predictor: Mapping[str, Any], entry: Mapping[str, Any]) -> int:
    return (state.weights or {}).get(_deployment(state.service, predictor), 0)


def _is(entry: Mapping[str, Any], variant: Variant) -> bool:
    return bool(entry["predictor"].get("name") == variant.predictor.get("name"))


def _deployment(service: str, predictor: Mapping[str, Any]) -> str:
    """Name a predictor's Deployment and Service: kserve/kserve pkg/constants/constants.go, PredictorServiceName."""
    name = predictor.get("name")
    return f"{service}-{name}-predictor" if name else f"{service}-predictor"
