"""Three replicas of the trigger service as processes, over Leases of Kubernetes' own API server.

They have the account, the role and the settings of docs/deploy/kubeflow. Kubeflow Pipelines' API is a local server that
lets the cluster decide who may do what.
"""

import itertools
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from servers.kube_apiserver import ON_A_KUBE_APISERVER
from servers.kubeflow_access import AUDIENCE, KubeflowOnKubernetes
from servers.trigger_namespace import ACCOUNT, TriggerNamespace
from servers.trigger_process import TriggerProcess, envelope, storage_message, write_project

pytestmark = list(ON_A_KUBE_APISERVER)


@pytest.fixture
def namespace(kube_apiserver, tmp_path):
    return TriggerNamespace(kube_apiserver, tmp_path)


@pytest.fixture
def kubeflow(kube_apiserver, namespace):
    with KubeflowOnKubernetes(kube_apiserver, namespace.name) as server:
        yield server


@pytest.fixture
def replicas(namespace, kubeflow, tmp_path):
    token = tmp_path / "token"
    token.write_text(namespace.server.token(namespace.name, ACCOUNT, AUDIENCE))
    settings = {
        "KUBECONFIG": str(namespace.write_kubeconfig()),
        "RETRAINER_KUBEFLOW_HOST": kubeflow.url,
        "RETRAINER_KUBEFLOW_NAMESPACE": namespace.name,
        "RETRAINER_KUBEFLOW_TOKEN_FILE": str(token),
        "RETRAINER_TRIGGER_CLAIMS": f"lease://{namespace.name}",
    }
    file = write_project(tmp_path, "http://127.0.0.1:1")
    with ExitStack() as stack:
        made = [
            TriggerProcess("serve", file, "--insecure-no-auth", to="kubeflow", **settings)
            for _ in range(3)
        ]
        yield [stack.enter_context(replica) for replica in made]


def messages(days):
    return [envelope(day, *storage_message(f"day={day}/_SUCCESS")) for day in days]


def post_messages(replicas, bodies):
    """Post messages from eight threads, each until a replica that lives acknowledges it."""
    todo, lock = iter(bodies), threading.Lock()
    turns = itertools.cycle(range(len(replicas)))

    def work():
        while True:
            with lock:
                body = next(todo, None)
            if body is None:
                return
            while True:
                with lock:
                    replica = replicas[next(turns)]
                if replica.push(body) == 204:
                    break
                time.sleep(0.2)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    return threads


def test_three_replicas_start_one_run_for_each_cause(replicas, kubeflow, namespace):
    while not all(replica.get("/readyz").status_code == 200 for replica in replicas):
        time.sleep(0.1)
    days = [f"2026-11-{day:02}" for day in range(1, 11)]
    for thread in post_messages(replicas, messages(days) * 3):
        thread.join()
    names = [run["display_name"] for run in kubeflow.runs]
    assert sorted(name.rpartition("-")[0] for name in names) == [f"orders-{day}" for day in days]
    submitted = [
        lease
        for lease in namespace.leases()
        if '"submitted"' in lease["metadata"]["annotations"]["retrainer/record"]
    ]
    assert len(submitted) == len(days)
    assert all(replica.terminate() == 0 for replica in replicas)


def test_replicas_that_are_killed_while_they_submit_leave_one_run(replicas, kubeflow):
    # No reply to the creation of the first two runs comes as long as a replica lives: one run is there, one is not.
    for created in (True, False):
        kubeflow.fail_next(status=503, after=created, delay=60, method="POST", path="/runs$")
    bodies = messages(["2026-11-20", "2026-11-21"])
    for sent, (replica, body) in enumerate(zip(replicas[:2], bodies, strict=True), 1):
        pushing = threading.Thread(target=replica.push, args=(body,))
        pushing.start()
        while creations(kubeflow) < sent:
            time.sleep(0.02)
        replica.kill()
        pushing.join()
    assert [replicas[2].push(body) for body in bodies] == [429, 429]
    # Its claims are taken over once they are old enough.
    for thread in post_messages(replicas[2:], [*bodies, *messages(["2026-11-22"])] * 2):
        thread.join()
    days = sorted(run["display_name"].rpartition("-")[0] for run in kubeflow.runs)
    assert days == ["orders-2026-11-20", "orders-2026-11-21", "orders-2026-11-22"]


def creations(kubeflow):
    return sum(
        seen.method == "POST" and seen.path.endswith("/runs") for seen in list(kubeflow.requests)
    )


def test_messages_wait_while_the_cluster_does_not_answer(replicas, kubeflow, kube_apiserver):
    bodies = messages(["2026-11-20", "2026-11-21", "2026-11-22"])
    with kube_apiserver.silent(), ThreadPoolExecutor(3) as pool:
        answers = [
            pool.submit(replica.push, body) for replica, body in zip(replicas, bodies, strict=True)
        ]
        # One is asked to end meanwhile; what it has begun ends before it does.
        assert replicas[2].terminate() == 0
        assert [answer.result() for answer in answers] == [503, 503, 503]
    for thread in post_messages(replicas[:2], bodies * 2):
        thread.join()
    days = sorted(run["display_name"].rpartition("-")[0] for run in kubeflow.runs)
    assert days == ["orders-2026-11-20", "orders-2026-11-21", "orders-2026-11-22"]
