"""The services start with just what the documents set, and do their work."""

import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import requests
import yaml
from servers.cloud_run import CloudRun
from servers.google_tokens import SigningKey
from servers.kubeflow import KubeflowServer
from servers.pubsub import PubSubServer
from servers.trigger_process import TriggerProcess, envelope, storage_message
from servers.vertex import VertexServer

DOCUMENTS = Path(__file__).resolve().parents[2] / "docs/deploy"
STARTER = Path(__file__).resolve().parents[2] / "pipelines/examples/starter/model.py"
IMAGE = f"europe-west1-docker.pkg.dev/acme-ml/retrainer-images/orders@sha256:{'0' * 64}"
PIPELINE_ACCOUNT = "retrainer-pipeline@acme-ml.iam.gserviceaccount.com"
# Looks at something, of 20 milliseconds each, before a service that does nothing fails the test.
PATIENCE = 3000
MARKER = "orders/day=2026-11-20/_SUCCESS"


def wait_until(service: TriggerProcess, holds: Callable[[], bool]) -> None:
    for _ in range(PATIENCE):
        if holds():
            return
        assert service.process.poll() is None, "\n".join(service.lines)
        threading.Event().wait(0.02)
    pytest.fail("\n".join(service.lines))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The project of the README, as step 1 leaves it."""
    readme = (DOCUMENTS / "README.md").read_text()
    (text,) = re.findall(
        r"^```yaml\n((?:version: 1\n)?name:.*?)^```$", readme, re.MULTILINE | re.DOTALL
    )
    (tmp_path / "model.py").write_text(STARTER.read_text())
    (tmp_path / "retrain.yaml").write_text(text)
    return tmp_path / "retrain.yaml"


def test_cloud_run_service_starts_a_run_with_what_terraform_sets(project: Path) -> None:
    url = "https://retrainer-trigger-123456789012.europe-west1.run.app"
    push = "retrainer-push@acme-ml.iam.gserviceaccount.com"
    settings = {
        "RETRAINER_VERTEX_PROJECT": "acme-ml",
        "RETRAINER_VERTEX_REGION": "europe-west1",
        "RETRAINER_VERTEX_PIPELINE_ROOT": "gs://acme-ml-retrainer/store/pipeline_root",
        "RETRAINER_VERTEX_SERVICE_ACCOUNT": PIPELINE_ACCOUNT,
        "RETRAINER_TRIGGER_AUTH": "iam",
        "RETRAINER_TRIGGER_AUDIENCE": url,
        "RETRAINER_TRIGGER_PUSH_ACCOUNT": push,
        "RETRAINER_TRIGGER_DEAD_LETTER_TOPIC": "projects/acme-ml/topics/retrainer-dead-letters",
        "RETRAINER_TRIGGER_CLAIMS": str(project.parent / "claims"),
    }
    configured = re.findall(
        r"(RETRAINER_\w+)\s+=", (DOCUMENTS / "terraform/service.tf").read_text()
    )
    assert set(configured) == set(settings)
    key = SigningKey("2026-a")
    with VertexServer() as vertex:
        # The rest of the world: on Google Cloud the last alone is set.
        stand_ins = {
            "RETRAINER_VERTEX_ENDPOINT": vertex.url,
            "RETRAINER_TRIGGER_CERTS_URL": "http://127.0.0.1:1/no-certificates-are-needed",
            "PUBSUB_EMULATOR_HOST": "127.0.0.1:1",
            "K_SERVICE": "retrainer-trigger",
        }
        with TriggerProcess("serve", project, "--image", IMAGE, **settings, **stand_ins) as service:
            wait_until(service, lambda: service.get("/readyz").status_code == 200)
            with CloudRun(service.url, key, url, push) as front:
                body = envelope("1", *storage_message(MARKER))

                def push_with(token: str) -> int:
                    headers = {"Authorization": f"Bearer {token}"}
                    return requests.post(
                        f"{front.url}/push", body, headers=headers, timeout=60
                    ).status_code

                assert push_with(SigningKey("2026-a").token(aud=url, email=push)) == 401
                assert push_with(key.token(aud=url, email=PIPELINE_ACCOUNT)) == 403
                assert not vertex.jobs
                assert push_with(key.token(aud=url, email=push)) == 204
            assert service.terminate() == 0
        ((run_id, job),) = vertex.jobs.items()
    assert run_id.startswith("orders-2026-11-20-")
    assert job.service_account == PIPELINE_ACCOUNT
    assert job.runtime_config.gcs_output_directory == settings["RETRAINER_VERTEX_PIPELINE_ROOT"]
    assert IMAGE in str(job.pipeline_spec)


@pytest.mark.integration("go")
def test_service_in_the_cluster_starts_a_run_with_what_the_manifests_set(tmp_path: Path) -> None:
    deployment = yaml.safe_load((DOCUMENTS / "kubeflow/base/deployment.yaml").read_text())
    patch = yaml.safe_load((DOCUMENTS / "kubeflow/overlays/example/subscription.yaml").read_text())
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    (patched,) = patch["spec"]["template"]["spec"]["containers"]
    settings = {
        variable["name"]: variable["value"].replace("$(NAMESPACE)", "orders")
        for variable in container["env"] + patched["env"]
        if "value" in variable
    }
    (tmp_path / "token").write_text("of-the-pod")
    with KubeflowServer(token="of-the-pod", multi_user=True) as kubeflow, PubSubServer() as pubsub:
        topic = pubsub.add_topic("retrainer-messages")
        assert (
            pubsub.add_topic("retrainer-dead-letters")
            == settings["RETRAINER_TRIGGER_DEAD_LETTER_TOPIC"]
        )
        assert (
            pubsub.add_subscription("retrainer-pull", topic)
            == settings["RETRAINER_TRIGGER_SUBSCRIPTION"]
        )
        # What is elsewhere on this machine than in the pod.
        settings |= {
            "HOME": str(tmp_path),
            "RETRAINER_KUBEFLOW_HOST": kubeflow.url,
            "RETRAINER_KUBEFLOW_TOKEN_FILE": str(tmp_path / "token"),
            "RETRAINER_TRIGGER_CLAIMS": str(tmp_path / "claims"),
        }
        project = DOCUMENTS / "kubeflow/project/retrain.yaml"
        with TriggerProcess("pull", project, "--to", "kubeflow", **settings) as service:
            wait_until(service, lambda: service.get("/readyz").status_code == 200)
            data, attributes = storage_message(MARKER)
            pubsub.publish(topic, data, **attributes)
            wait_until(service, lambda: bool(kubeflow.runs))
            assert service.terminate() == 0
        ((run,), (experiment,)) = kubeflow.runs, kubeflow.experiments
    assert run["display_name"].startswith("orders-2026-11-20-")
    assert run["service_account"] == "default-editor"
    assert experiment["namespace"] == "orders"


def test_cron_job_submits_one_run_for_its_day_however_often_it_is_tried(tmp_path: Path) -> None:
    job = yaml.safe_load((DOCUMENTS / "kubeflow/overlays/cron/cronjob.yaml").read_text())
    (container,) = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    settings = {
        variable["name"]: variable["value"].replace("$(NAMESPACE)", "orders")
        for variable in container["env"]
        if "value" in variable
    }
    (tmp_path / "token").write_text("of-the-pod")
    project = shutil.copytree(DOCUMENTS / "kubeflow/project", tmp_path / "config")
    retrain = project / "retrain.yaml"
    # A store that this machine can write to.
    retrain.write_text(
        retrain.read_text().replace("gs://acme-ml-retrainer/store", "memory://store")
    )
    shell, option, command = container["args"]
    assert "/config/retrain.yaml" in command
    with KubeflowServer(token="of-the-pod", multi_user=True) as kubeflow:
        settings |= {
            "HOME": str(tmp_path),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "RETRAINER_KUBEFLOW_HOST": kubeflow.url,
            "RETRAINER_KUBEFLOW_TOKEN_FILE": str(tmp_path / "token"),
        }
        for _ in range(2):
            done = subprocess.run(
                [shell, option, command.replace("/config", str(project))],
                env={**os.environ, **settings},
                capture_output=True,
                text=True,
            )
            assert done.returncode == 0, done.stdout + done.stderr
        ((run,), (experiment,)) = kubeflow.runs, kubeflow.experiments
    assert run["display_name"].startswith("orders-20")
    assert experiment["namespace"] == "orders"
