"""An InferenceService as a service that models are deployed to."""

import time
from collections.abc import Mapping
from typing import Any

from ..interface import Plan, Served, ServedModel, ServiceError
from .cluster import GROUP, ChangedError, Cluster
from .knative import PERCENT
from .manifests import PIPELINE, VERSION, Variant, is_ours, labels_of, manifest, owned, variant
from .model_copy import copy_model, storage_uri
from .modes import read_mode
from .pods import pod_reasons
from .settings import KServeSettings
from .standard import Standard
from .steps import Apply, Mode, Target, Wait, condition, managers_of

POLL_SECONDS = 2.0
GRACE_SECONDS = 60.0
"""How long the cluster may say that something will not become ready, before it is believed."""
_UNKNOWN_FIELD = "field not declared in schema"


class NotReadyError(ServiceError):
    """A version did not become ready."""


class KServeService:
    """The InferenceService that `serving.deploy.kserve` names."""

    def __init__(self, settings: KServeSettings, pipeline: str) -> None:
        """Take the settings, and the pipeline's name; nothing is sent yet."""
        self._settings, self._pipeline = settings, pipeline
        self._cluster = Cluster(settings)

    def apply(self, plan: Plan) -> Served:
        """Make a plan so; see ServingService."""
        if plan.shadow:
            raise ServiceError(
                "KServe copies no requests, so a rollout can't begin with a shadow there. Remove the shadow step from "
                "serving.rollout."
            )
        found = self._read()
        stable = plan.stable or plan.canary
        if stable is None:
            return self._remove(found)
        if found:
            found = self._claim(found)
        mode = read_mode(self._cluster, self._settings, found)
        for model in {stable.version: stable, **_of(plan.canary)}.values():
            copy_model(model)
        canary = plan.canary if plan.stable else None
        try:
            return self._deploy(mode, found, stable, canary, plan.percent)
        except ServiceError as error:
            if not isinstance(mode, Standard) or _UNKNOWN_FIELD not in str(error):
                raise
            if canary:
                raise ServiceError(
                    "this KServe has no `spec.canary`, which a rollout in the standard mode needs: install KServe 0.20 "
                    "or newer, use the knative mode, or remove serving.rollout."
                ) from error
            # Before 0.20: one Deployment, which replaces its pods one by one.
            mode.named = False
            return self._deploy(mode, self._read(), stable, None, 0)

    def status(self) -> Served:
        """Look at what serves; see ServingService."""
        found = self._read()
        if found is None:
            return Served()
        served = read_mode(self._cluster, self._settings, found).served(self._cluster, found)
        said = condition(found, "Ready")
        if said.get("status") == "True":
            return served
        why = said.get("message") or said.get("reason") or "its controller reports nothing"
        note = f"The InferenceService '{self._settings.service}' is not ready: {why}."
        return Served(
            served.traffic, served.loaded, served.foreign, served.address, (*served.notes, note)
        )

    def _deploy(
        self,
        mode: Mode,
        found: dict[str, Any] | None,
        stable: ServedModel,
        canary: ServedModel | None,
        percent: int,
    ) -> Served:
        target = Target(
            self._variant(stable, mode), self._variant(canary, mode) if canary else None, percent
        )
        before = mode.before(self._cluster, found, target) if found else None
        try:
            found = self._reach(mode, target, self._settings.timeout_seconds)
        except NotReadyError as error:
            raise self._restored(mode, before, error) from error
        return mode.served(self._cluster, found)

    def _reach(self, mode: Mode, target: Target, seconds: float) -> dict[str, Any]:
        """Go step by step to a target: every step is derived from what the cluster says, and from nothing else."""
        deadline, broken_since = time.monotonic() + seconds, None
        while True:
            found = self._read()
            step = mode.step(self._cluster, found, target)
            if step is None:
                assert found is not None
                return found
            now = time.monotonic()
            if isinstance(step, Apply) and now < deadline:
                self._change(step, found, mode)
                continue
            broken = step.broken if isinstance(step, Wait) else ""
            broken_since = (broken_since or now) if broken else None
            if now >= deadline or (broken_since and now - broken_since >= GRACE_SECONDS):
                raise self._not_ready(step, target, now >= deadline)
            time.sleep(POLL_SECONDS)

    def _change(self, step: Apply, found: dict[str, Any] | None, mode: Mode) -> None:
        body = manifest(
            self._settings,
            self._cluster.namespace,
            self._pipeline,
            step.predictor,
            list(step.canary),
            found,
            mode.spelling,
        )
        try:
            self._cluster.apply(body)
        except ChangedError:
            # The controller writes its status at any time; whatever it was, the next step starts from it.
            time.sleep(min(POLL_SECONDS, 0.2))

    def _not_ready(self, step: Apply | Wait, target: Target, late: bool) -> NotReadyError:
        version = (target.canary or target.stable).version
        until = step.until if isinstance(step, Wait) else "a change of the InferenceService"
        reasons = [step.broken] if isinstance(step, Wait) and step.broken else []
        reasons += pod_reasons(self._cluster, self._settings.service, version)
        why = (
            "; ".join(dict.fromkeys(reason.rstrip(".") for reason in reasons))
            or "KServe gives no reason"
        )
        waited = f" for {self._settings.timeout_seconds:g} s" if late else ""
        return NotReadyError(
            f"KServe's InferenceService '{self._settings.service}': waited{waited} for {until}, in vain: {why}."
        )

    def _restored(self, mode: Mode, before: Variant | None, error: NotReadyError) -> ServiceError:
        """Go back to what served, and say so."""
        if before is None:
            return ServiceError(f"{error} Nothing that retrainer deployed served there before.")
        try:
            self._reach(mode, Target(before), self._settings.timeout_seconds)
        except ServiceError as other:
            return ServiceError(f"{error} Going back to version {before.version} failed: {other}")
        return ServiceError(f"{error} Version {before.version} serves all requests, as before.")

    def _variant(self, model: ServedModel, mode: Mode) -> Variant:
        return variant(model, storage_uri(model, self._settings), self._settings, mode.named)

    def _read(self) -> dict[str, Any] | None:
        return self._cluster.get(GROUP, "inferenceservices", self._settings.service)

    def _claim(self, found: dict[str, Any]) -> dict[str, Any]:
        """Check that an InferenceService is this pipeline's, with no canary of somebody else."""
        name = self._settings.service
        pipeline = (found["metadata"].get("labels") or {}).get(PIPELINE)
        if is_ours(found) and pipeline != self._pipeline:
            raise ServiceError(
                f"the InferenceService '{name}' belongs to the pipeline '{pipeline}'. Name another service in "
                "serving.deploy.kserve."
            )
        foreign = _foreign_canary(found)
        if not foreign:
            return found
        if not self._settings.take_over:
            raise ServiceError(
                f"the InferenceService '{name}' has a canary that {foreign} started. Finish or remove it, or set "
                "serving.deploy.kserve.take_over: true."
            )
        # What is to be removed must be ours first.
        spec, ours = found["spec"], owned(found)
        predictor = dict(ours.get("predictor") or {})
        if PERCENT in spec.get("predictor", {}):
            predictor[PERCENT] = spec["predictor"][PERCENT]
        body = manifest(
            self._settings,
            self._cluster.namespace,
            self._pipeline,
            predictor,
            spec.get("canary") or [],
            found,
            "",
        )
        try:
            return self._cluster.apply(body)
        except ChangedError as error:
            raise self._changed(error) from error

    def _remove(self, found: dict[str, Any] | None) -> Served:
        """Delete the InferenceService: no version serves."""
        if found is None:
            return Served()
        if not is_ours(found):
            raise ServiceError(
                f"no version is in service, and the InferenceService '{self._settings.service}' was not made by "
                "retrainer: delete it by hand."
            )
        self._claim(found)
        try:
            self._cluster.delete(found)
        except ChangedError as error:
            raise self._changed(error) from error
        return Served(notes=(f"The InferenceService '{self._settings.service}' was deleted.",))

    def _changed(self, error: ChangedError) -> ServiceError:
        return ServiceError(
            f"the InferenceService '{self._settings.service}' changed meanwhile: {error}.", True
        )


def _of(model: ServedModel | None) -> Mapping[int, ServedModel]:
    return {model.version: model} if model else {}


def _foreign_canary(found: Mapping[str, Any]) -> str:
    """Return who started a canary that is not retrainer's; empty if nobody did."""
    spec = found["spec"]
    names: list[str] = []
    if spec.get("predictor", {}).get(PERCENT) is not None:
        names += managers_of(found, "predictor", PERCENT)
    canaries = spec.get("canary") or []
    names += managers_of(found, "canary") if canaries else []
    unknown = [canary for canary in canaries if VERSION not in labels_of(canary["predictor"])]
    return ", ".join(dict.fromkeys(names)) or ("somebody else" if unknown else "")
