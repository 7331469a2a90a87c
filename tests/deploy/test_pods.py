"""The pods of docs/deploy, as Kubernetes' own API server admits them, do their work in the project's images."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from servers.built_images import task_image, trigger_image
from servers.deploy_overlays import DOCUMENTS, Overlays
from servers.google_tokens import CertificateServer, SigningKey
from servers.kube_apiserver import ON_A_KUBE_APISERVER, KubeApiserver, pods_of
from servers.kubeflow_access import KubeflowOnKubernetes
from servers.kubelet import Kubelet
from servers.trigger_process import envelope, storage_message

pytestmark = [*ON_A_KUBE_APISERVER, pytest.mark.integration("docker")]

AUDIENCE = "https://retrainer.example.com/push"
ACCOUNT = "retrainer-push@acme-ml.iam.gserviceaccount.com"
# The port is the container's own in a cluster; here all share one machine's.
HERE = {"PORT": "0", "FSSPEC_GS_TOKEN": "anon"}


@pytest.fixture
def kubelet(kube_apiserver: KubeApiserver, tmp_path: Path) -> Iterator[Kubelet]:
    images = {
        "retrainer-trigger": trigger_image(),
        "retrainer": task_image(),
    }
    (tmp_path / "pods").mkdir()
    with Kubelet(kube_apiserver, tmp_path / "pods", images) as running:
        yield running


@pytest.fixture
def kubeflow(kube_apiserver: KubeApiserver, overlays: Overlays) -> Iterator[KubeflowOnKubernetes]:
    with KubeflowOnKubernetes(kube_apiserver, overlays.namespace) as server:
        yield server


def admit(
    server: KubeApiserver, namespace: str, objects: list[dict[str, Any]], count: int = 1
) -> list[Any]:
    """Apply objects and create some pods of each template, with what a cluster's controllers put beside them."""
    root = {"ca.crt": server.authority.read_text()}
    metadata = {"name": "kube-root-ca.crt", "namespace": namespace}
    known = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": root}
    for obj in (known, *objects):
        answer = server.apply(obj)
        assert answer.ok, answer.text
    pods = []
    for obj in objects:
        for pod in pods_of(obj):
            for number in range(count):
                pod["metadata"]["name"] = f"{obj['metadata']['name']}-{number}"
                made = server.create(pod)
                assert made.ok, made.text
                pods.append(made.json())
    return pods


def test_two_pods_of_the_trigger_service_start_one_run_for_a_cause(
    kube_apiserver: KubeApiserver,
    overlays: Overlays,
    kubelet: Kubelet,
    kubeflow: KubeflowOnKubernetes,
) -> None:
    pods = admit(kube_apiserver, overlays.namespace, overlays.build("ingress"), 2)
    key = SigningKey("2026-a")
    with CertificateServer(key) as certificates:
        elsewhere = {
            **HERE,
            "RETRAINER_KUBEFLOW_HOST": kubeflow.url,
            "RETRAINER_TRIGGER_CERTS_URL": certificates.certs_url,
        }
        running = [container for pod in pods for container in kubelet.run(pod, **elsewhere)]
        for container, pod in zip(running, pods, strict=True):
            (spec,) = pod["spec"]["containers"]
            container.wait_until_listening()
            for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
                while not container.probe(spec[probe]):
                    pass
        headers = {"Authorization": f"Bearer {key.token(aud=AUDIENCE, email=ACCOUNT)}"}
        body = envelope("1", *storage_message("orders/day=2026-11-20/_SUCCESS"))
        for container in running * 2:
            url = f"http://127.0.0.1:{container.port}/push"
            assert requests.post(url, body, timeout=60).status_code == 401
            assert requests.post(url, body, headers=headers, timeout=60).status_code == 204
        ((run,), (experiment,)) = kubeflow.runs, kubeflow.experiments
        assert run["display_name"].startswith("orders-2026-11-20-")
        assert run["service_account"] == "default-editor"
        assert experiment["namespace"] == overlays.namespace
        seconds = pods[0]["spec"]["terminationGracePeriodSeconds"]
        assert [container.stop(seconds) for container in running] == [0, 0]


def test_a_pod_of_the_cron_job_submits_a_run(
    kube_apiserver: KubeApiserver,
    overlays: Overlays,
    kubelet: Kubelet,
    kubeflow: KubeflowOnKubernetes,
) -> None:
    overlays.edit("project/retrain.yaml", "gs://acme-ml-retrainer/store", "memory://store")
    for pod in admit(kube_apiserver, overlays.namespace, overlays.build("cron"), 2):
        (container,) = kubelet.run(pod, RETRAINER_KUBEFLOW_HOST=kubeflow.url)
        assert container.wait() == 0, container.log()
    ((run,), (experiment,)) = kubeflow.runs, kubeflow.experiments
    assert run["display_name"].startswith("orders-20")
    assert experiment["namespace"] == overlays.namespace


@pytest.mark.parametrize("name", ["metrics", "sink"])
def test_pods_of_monitoring_are_ready(
    kube_apiserver: KubeApiserver, overlays: Overlays, kubelet: Kubelet, name: str
) -> None:
    text = (DOCUMENTS / f"monitoring/kubernetes/{name}.yaml").read_text()
    objects = list(yaml.safe_load_all(text.replace("gs://acme-ml-retrainer", "/tmp")))
    # What `kubectl create configmap retrainer-metrics` makes.
    files = {
        file: (overlays.folder / "project" / file).read_text()
        for file in ("retrain.yaml", "model.py")
    }
    files["retrain.yaml"] = files["retrain.yaml"].replace("gs://acme-ml-retrainer", "/tmp")
    made = {"apiVersion": "v1", "kind": "ConfigMap", "data": files}
    made["metadata"] = {"name": "retrainer-metrics"}
    for obj in (made, *objects):
        obj["metadata"]["namespace"] = overlays.namespace
    (pod,) = admit(kube_apiserver, overlays.namespace, [made, *objects])
    assert not [its for its in pod["spec"]["volumes"] if "projected" in its]
    (container,) = kubelet.run(pod, **HERE)
    container.wait_until_listening()
    (spec,) = pod["spec"]["containers"]
    assert container.probe(spec["livenessProbe"])
    assert container.stop(30) == 0
