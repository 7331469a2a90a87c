"""What KServe's controller, Knative and Kubernetes make of an InferenceService: a restatement of KServe 0.20's code.

- Knative mode: reconcilers/knative/ksvc_reconciler.go, createKnativeService; inference_service_status.go,
  PropagateStatus.
- Standard mode: components/predictor.go, reconcileCanaryDeployments; since the release after 0.20.0
  reconcilers/ingress/httproute_reconciler.go, applyCanaryWeights.
"""

import copy
import threading
from collections.abc import Callable
from typing import Any

from servers import kserve_schema as rules
from servers.kserve_cluster import ISVC, KServeCluster

SOURCE = "internal.serving.kserve.io/storage-initializer-sourceuri"


class KServeController:
    """Reconciles the InferenceServices of a cluster, until it is stopped.

    Attributes:
        broken: Models that can't be loaded: a part of their `storageUri`, and why.
        weights: Whether requests are split by an HTTPRoute, as in the releases after 0.20.0.
        gateway: Whether there is an HTTPRoute at all.
        canaries: Whether `spec.canary` is known.
        splits: Every split of the requests by version that a client could have seen, in order.
    """

    def __init__(self, cluster: KServeCluster) -> None:
        self.cluster = cluster
        self.broken: dict[str, str] = {}
        self.weights = self.gateway = self.canaries = True
        self.paused = False
        self.splits: list[dict[str, int]] = []
        self._last: dict[str, int] = {}
        self._routes: dict[str, Any] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "KServeController":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(10)

    def _run(self) -> None:
        while not self._stop.wait(0.005):
            with self.cluster.lock:
                if self.paused:
                    continue
                for key, isvc in list(self.cluster.objects.items()):
                    if key[0] == ISVC:
                        self._reconcile(isvc)

    def _reconcile(self, isvc: dict[str, Any]) -> None:
        annotation = isvc["metadata"].get("annotations", {}).get(rules.MODE)
        status = copy.deepcopy(isvc.get("status", {}))
        mode = status.get("deploymentMode") or annotation or self.cluster.default_mode
        status["deploymentMode"] = rules.SPELLINGS[mode]
        act: Callable[..., dict[str, int]] = (
            self._knative if rules.SPELLINGS[mode] == "Knative" else self._standard
        )
        split = {name: share for name, share in act(isvc, status).items() if share}
        if split and split != self._last:
            self._last = split
            self.splits.append(split)
        if status != isvc.get("status"):
            metadata = isvc["metadata"]
            self.cluster.put(
                ISVC, metadata["namespace"], metadata["name"], {**isvc, "status": status}
            )

    def _failure(self, predictor: dict[str, Any]) -> str:
        uri = predictor["model"]["storageUri"]
        return next((why for part, why in self.broken.items() if part in uri), "")

    # Knative

    def _knative(self, isvc: dict[str, Any], status: dict[str, Any]) -> dict[str, int]:
        metadata, predictor = isvc["metadata"], dict(isvc["spec"]["predictor"])
        percent = predictor.pop("canaryTrafficPercent", None)
        component = status.setdefault("components", {}).setdefault("predictor", {})
        route = self._routes.setdefault(
            metadata["uid"], {"template": None, "number": 0, "ready": ""}
        )
        if route["template"] != predictor:
            route["template"] = predictor
            route["number"] += 1
            self._revision(isvc, predictor, f"{metadata['name']}-predictor-{route['number']:05d}")
            # Its pods take a moment.
            route["steps"] = 3
        created = f"{metadata['name']}-predictor-{route['number']:05d}"
        failure = self._failure(predictor)
        route["steps"] = max(0, route["steps"] - 1)
        if not failure and not route["steps"]:
            route["ready"] = created
        ready, rolled_out = route["ready"], component.get("latestRolledoutRevision", "")
        traffic = [{"latestRevision": True, "revisionName": ready, "percent": 100}]
        if percent is not None and rolled_out:
            traffic[0]["percent"] = percent
            if percent < 100:
                traffic.append(
                    {
                        "latestRevision": False,
                        "revisionName": rolled_out,
                        "percent": 100 - percent,
                        "tag": "prev",
                    }
                )
        self._propagate(component, traffic if ready else [], created, ready)
        status["conditions"] = [self._ready(bool(ready) and ready == created, failure)]
        status["modelStatus"] = self._model_status(failure)
        status["url"] = f"http://{metadata['name']}.{metadata['namespace']}.example.com"
        return self._shares(metadata["namespace"], component["traffic"])

    def _propagate(
        self, component: dict[str, Any], traffic: list[dict[str, Any]], created: str, ready: str
    ) -> None:
        sums: dict[str, int] = {}
        for entry in traffic:
            sums[entry["revisionName"]] = sums.get(entry["revisionName"], 0) + entry["percent"]
        for entry in traffic:
            if entry["revisionName"] == ready and entry["latestRevision"]:
                if component.get("latestRolledoutRevision") != ready:
                    if entry["percent"] == 100:
                        component["previousRolledoutRevision"] = component.get(
                            "latestRolledoutRevision", ""
                        )
                        component["latestRolledoutRevision"] = ready
                elif (
                    ready == created
                    and entry["percent"] < 100
                    and sums[ready] == 100
                    and component.get("previousRolledoutRevision")
                ):
                    component["latestRolledoutRevision"] = component["previousRolledoutRevision"]
        component |= {
            "latestCreatedRevision": created,
            "latestReadyRevision": ready,
            "traffic": traffic,
        }

    def _revision(self, isvc: dict[str, Any], predictor: dict[str, Any], name: str) -> None:
        annotations = {**predictor.get("annotations", {}), SOURCE: predictor["model"]["storageUri"]}
        metadata = {"labels": dict(predictor.get("labels", {})), "annotations": annotations}
        self.cluster.put("revisions", isvc["metadata"]["namespace"], name, {"metadata": metadata})

    def _shares(self, namespace: str, traffic: list[dict[str, Any]]) -> dict[str, int]:
        shares: dict[str, int] = {}
        for entry in traffic:
            revision = self.cluster.objects["revisions", namespace, entry["revisionName"]]
            version = revision["metadata"]["labels"].get("retrainer/version", "foreign")
            shares[version] = shares.get(version, 0) + entry["percent"]
        return shares

    # Standard

    def _standard(self, isvc: dict[str, Any], status: dict[str, Any]) -> dict[str, int]:
        metadata, spec = isvc["metadata"], isvc["spec"]
        stable = spec["predictor"]
        canaries = spec.get("canary", []) if self.canaries else []
        names = {self._name(isvc, stable)}
        self._deployment(isvc, stable, stable.get("minReplicas", 1))
        statuses = []
        for entry in canaries:
            predictor = {**stable, **entry["predictor"]}
            predictor["labels"] = {
                **stable.get("labels", {}),
                **entry["predictor"].get("labels", {}),
            }
            names.add(self._name(isvc, predictor))
            self._deployment(isvc, predictor, entry["predictor"].get("minReplicas", 0))
            ready = self._available(isvc, predictor) > 0
            statuses.append(
                {
                    "name": predictor["name"],
                    "ready": ready,
                    "trafficPercent": entry["trafficPercent"],
                }
            )
        for kind, namespace, name in list(self.cluster.objects):
            owner = self.cluster.objects[kind, namespace, name]["metadata"].get("owner")
            if kind == "deployments" and owner == metadata["name"] and name not in names:
                del self.cluster.objects[kind, namespace, name]
        if self.canaries:
            status["canaryStatuses"] = statuses
        up = self._available(isvc, stable) > 0
        status["conditions"] = [self._ready(up, self._failure(stable))]
        status["modelStatus"] = self._model_status(self._failure(stable))
        status["url"] = f"http://{metadata['name']}.{metadata['namespace']}.example.com"
        refs = self._refs(isvc, stable, canaries, statuses)
        if self.gateway:
            route = {"spec": {"rules": [{"backendRefs": refs}]}}
            key = ("httproutes", metadata["namespace"], metadata["name"])
            if self.cluster.objects.get(key, {}).get("spec") != route["spec"]:
                self.cluster.put(*key, route)
        shares: dict[str, int] = {}
        for ref in refs:
            found = self.cluster.objects["deployments", metadata["namespace"], ref["name"]]
            version = found["running"] or "outage"
            shares[version] = shares.get(version, 0) + ref.get("weight", 100)
        return {} if list(shares) == ["outage"] and not self._last else shares

    def _refs(self, isvc: Any, stable: Any, canaries: Any, statuses: Any) -> list[dict[str, Any]]:
        ready = [entry for entry, said in zip(canaries, statuses, strict=True) if said["ready"]]
        if not ready or not (self.weights and self.gateway):
            return [{"name": self._name(isvc, stable)}]
        rest = 100 - sum(entry["trafficPercent"] for entry in ready)
        refs = [{"name": self._name(isvc, stable), "weight": rest}]
        return refs + [
            {"name": self._name(isvc, one["predictor"]), "weight": one["trafficPercent"]}
            for one in ready
        ]

    def _deployment(self, isvc: dict[str, Any], predictor: dict[str, Any], replicas: int) -> None:
        metadata, name = isvc["metadata"], self._name(isvc, predictor)
        key = ("deployments", metadata["namespace"], name)
        labels = dict(predictor.get("labels", {}))
        template = {"metadata": {"labels": labels}, "uri": predictor["model"]["storageUri"]}
        there = self.cluster.objects.get(key)
        spec = {"replicas": replicas, "template": template}
        if there is None:
            there = {
                "metadata": {"generation": 1, "owner": metadata["name"]},
                "spec": spec,
                "running": "",
                "steps": 3,
            }
        elif there["spec"] != spec:
            metadata_of = {**there["metadata"], "generation": there["metadata"]["generation"] + 1}
            steps = 3 if there["spec"]["template"] != template else there["steps"]
            there = {**there, "metadata": metadata_of, "spec": spec, "steps": steps}
        failure = self._failure(predictor)
        steps = max(0, there["steps"] - 1)
        done = not steps and not failure
        running = labels.get("retrainer/version", "foreign") if done else there["running"]
        said = {
            "observedGeneration": there["metadata"]["generation"],
            "replicas": replicas,
            "updatedReplicas": replicas if done else 0,
            "availableReplicas": replicas if done or running else 0,
        }
        if failure:
            said["conditions"] = [{"type": "Progressing", "status": "False", "message": failure}]
        there = {**there, "status": said, "running": running, "steps": steps}
        if self.cluster.objects.get(key) != there:
            self.cluster.put(*key, there)

    def _available(self, isvc: dict[str, Any], predictor: dict[str, Any]) -> int:
        key = ("deployments", isvc["metadata"]["namespace"], self._name(isvc, predictor))
        return int(self.cluster.objects[key]["status"]["availableReplicas"])

    def _name(self, isvc: dict[str, Any], predictor: dict[str, Any]) -> str:
        name = predictor.get("name")
        return (
            f"{isvc['metadata']['name']}-{name}-predictor"
            if name
            else f"{isvc['metadata']['name']}-predictor"
        )

    def _ready(self, ready: bool, failure: str) -> dict[str, Any]:
        said = "True" if ready else ("False" if failure else "Unknown")
        return {"type": "Ready", "status": said, "message": failure}

    def _model_status(self, failure: str) -> dict[str, Any]:
        if not failure:
            return {"transitionStatus": "UpToDate"}
        info = {"reason": "ModelLoadFailed", "message": failure}
        return {"transitionStatus": "BlockedByFailedLoad", "lastFailureInfo": info}
