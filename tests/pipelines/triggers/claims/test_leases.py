import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from kubernetes.client import ApiClient, ApiException, Configuration, CoordinationV1Api
from servers.kubernetes import KubernetesServer
from servers.proxy import Authority, Proxy

from retrainer.components.lib.errors import RetrainerError
from retrainer.pipelines.targets.errors import RefusedError, UnavailableError
from retrainer.pipelines.triggers.claims.backends import open_claims
from retrainer.pipelines.triggers.claims.cleanup import Sweeper
from retrainer.pipelines.triggers.claims.leases import LeaseClaims


@pytest.fixture
def server():
    with KubernetesServer() as server:
        yield server


def connect(server, namespace="ml"):
    return LeaseClaims(namespace, CoordinationV1Api(ApiClient(Configuration(host=server.url))))


def test_records_follow_one_another_in_one_lease(server):
    claims = connect(server)
    assert claims.read("runs/orders-7") is None
    first = claims.write("runs/orders-7", {"by": "one"}, None)
    second = claims.write("runs/orders-7", {"by": "two"}, first)
    assert (first.number, second.number) == (1, 2)
    assert connect(server).read("runs/orders-7") == second
    (lease,) = server.leases.values()
    assert lease["metadata"]["name"].startswith("retrainer-runs-orders-7-")
    assert lease["metadata"]["labels"] == {"app.kubernetes.io/managed-by": "retrainer"}
    assert lease["spec"]["leaseTransitions"] == 1
    assert json.loads(lease["metadata"]["annotations"]["retrainer/record"]) == {"by": "two"}


def test_keys_that_no_lease_could_be_named_by_get_names_of_their_own(server):
    claims = connect(server)
    keys = ["triggers/a-.b", "triggers/a.-b", f"runs/{'x' * 128}", f"runs/{'x' * 127}y"]
    for key in keys:
        assert claims.write(key, {"key": key}, None)
    assert [claims.read(key).content["key"] for key in keys] == keys


def test_who_has_read_an_old_record_writes_nothing(server):
    one, other = connect(server), connect(server)
    first = one.write("runs/a", {"by": "one"}, None)
    assert other.write("runs/a", {"by": "two"}, None) is None
    one.write("runs/a", {"by": "one", "again": True}, first)
    assert other.write("runs/a", {"by": "two"}, first) is None


def test_of_many_writers_at_once_one_has_the_record(server):
    claims = [connect(server) for _ in range(8)]
    first = claims[0].write("runs/a", {"by": "first"}, None)
    start = threading.Barrier(8)

    def write(number):
        start.wait()
        return claims[number].write("runs/a", {"by": number}, first)

    with ThreadPoolExecutor(8) as pool:
        written = [record for record in pool.map(write, range(8)) if record]
    assert written == [claims[0].read("runs/a")]


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_write_whose_reply_was_lost_is_found_to_be_ours(server, method):
    claims = connect(server)
    first = claims.write("runs/a", {"nonce": "1"}, None) if method == "PUT" else None
    server.fail_next(after=True, status=503, method=method)
    with pytest.raises(UnavailableError):
        claims.write("runs/a", {"nonce": "2"}, first)
    assert claims.write("runs/a", {"nonce": "2"}, first) == claims.read("runs/a")


def test_a_server_that_is_away_or_busy_is_unavailable(server):
    claims = connect(server)
    for status in (429, 500, 503):
        server.fail_next(status=status)
        with pytest.raises(UnavailableError, match=f"{status}.*fails on demand"):
            claims.read("runs/a")
    server.stop()
    with pytest.raises(UnavailableError, match="can't be reached"):
        claims.read("runs/a")


def test_a_missing_permission_or_namespace_says_what_is_needed(server):
    server.forbidden.add("create")
    with pytest.raises(RefusedError, match=r"403 .*forbidden.*verbs get, create, update"):
        connect(server).write("runs/a", {}, None)
    server.forbidden.clear()
    with pytest.raises(RefusedError, match=r"404 .*namespaces \"other\" not found"):
        connect(server, "other").write("runs/a", {}, None)


def test_a_lease_that_somebody_else_wrote_is_named(server):
    claims = connect(server)
    claims.write("runs/a", {}, None)
    (lease,) = server.leases.values()
    lease["metadata"]["annotations"] = {}
    with pytest.raises(RetrainerError, match=r"the Lease 'retrainer-runs-a-.*Delete it"):
        claims.read("runs/a")


@pytest.mark.parametrize("namespace", ["", "ML", "ml/x", "a" * 64])
def test_a_namespace_that_is_none_is_refused(namespace):
    with pytest.raises(RetrainerError, match="must name a namespace"):
        open_claims(f"lease://{namespace}")


def test_the_cluster_is_that_of_the_current_context(server, tmp_path, monkeypatch):
    named = {"name": "test"}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "clusters": [{**named, "cluster": {"server": server.url}}],
        "users": [{**named, "user": {}}],
        "contexts": [{**named, "context": {"cluster": "test", "user": "test"}}],
    }
    (tmp_path / "config").write_text(json.dumps(config))
    monkeypatch.setattr(
        "kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "config")
    )
    open_claims("lease://ml")
    open_claims("lease://ml")
    assert len(server.leases) == 1


def test_without_a_cluster_how_to_reach_one_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "none")
    )
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(RetrainerError, match="set KUBECONFIG"):
        open_claims("lease://ml")


def test_leases_that_nobody_has_written_to_for_long_are_deleted(server, monkeypatch):
    monkeypatch.setattr("retrainer.pipelines.triggers.claims.leases._PAGE_SIZE", 2)
    claims = connect(server)
    for name in "abcde":
        claims.write(f"runs/{name}", {"by": name}, None)
    old = "2026-01-01T00:00:00.000000Z"
    for (_, name), lease in server.leases.items():
        if "-e-" not in name:
            lease["spec"]["renewTime"] = old
    first = next(iter(server.leases.values()))
    server.leases["ml", "somebodys"] = {**first, "metadata": {"name": "somebodys"}}
    assert claims.sweep(datetime(2026, 2, 10, tzinfo=UTC)) == 0
    assert claims.sweep(datetime(2026, 2, 20, tzinfo=UTC)) == 4
    assert {name.split("-")[2] if "-" in name else name for _, name in server.leases} == {
        "e",
        "somebodys",
    }


def test_a_list_that_the_server_has_dropped_ends_the_sweep(server, monkeypatch):
    claims = connect(server)
    claims.write("runs/a", {"by": "a"}, None)

    def gone(token):
        raise ApiException(status=410, reason="Gone")

    monkeypatch.setattr(claims, "_list", gone)
    assert claims.sweep(datetime(2126, 1, 1, tzinfo=UTC)) == 0
    assert len(server.leases) == 1


def test_a_lease_without_a_time_of_renewal_is_as_old_as_its_creation(server):
    claims = connect(server)
    for name in "ab":
        claims.write(f"runs/{name}", {"by": name}, None)
    for lease, created in zip(server.leases.values(), ("2026-01-01", "2026-02-19"), strict=True):
        lease["spec"].pop("renewTime")
        lease["metadata"]["creationTimestamp"] = f"{created}T00:00:00Z"
    assert claims.sweep(datetime(2026, 2, 20, tzinfo=UTC)) == 1
    assert [name.split("-")[2] for _, name in server.leases] == ["b"]


@pytest.mark.parametrize("verb", ["list", "delete"])
def test_leases_that_may_not_be_deleted_stay(server, verb, caplog):
    caplog.set_level("INFO")
    claims = connect(server)
    claims.write("runs/a", {"by": "a"}, None)
    next(iter(server.leases.values()))["spec"]["renewTime"] = "2026-01-01T00:00:00.000000Z"
    server.forbidden = {verb}
    Sweeper(claims).sweep()
    assert "old claims were not deleted" in caplog.text
    server.forbidden.clear()
    Sweeper(claims).sweep()
    assert "1 old claims were deleted" in caplog.text


KUBECONFIG = """\
apiVersion: v1
kind: Config
current-context: acme
clusters: [{name: acme, cluster: {server: "http://kube.acme.example"}}]
contexts: [{name: acme, context: {cluster: acme, user: me}}]
users: [{name: me, user: {token: t}}]
"""


def test_a_cluster_elsewhere_is_reached_through_the_proxy(server, tmp_path, monkeypatch):
    file = tmp_path / "config"
    file.write_text(KUBECONFIG)
    # The package takes the path when it is imported.
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(file))
    monkeypatch.setattr(Configuration, "_default", None)
    with Proxy(Authority(tmp_path)) as proxy:
        proxy.ways["kube.acme.example"] = server.port
        monkeypatch.setenv("http_proxy", proxy.url)
        assert LeaseClaims("ml").write("runs/orders-7", {"by": "one"}, None)
        assert proxy.seen[0].startswith("POST http://kube.acme.example/")


def test_a_record_that_was_first_and_is_deleted_before_it_is_read_is_not_ours(server, monkeypatch):
    claims = connect(server)
    claims.write("runs/a", {"by": "one"}, None)
    read = claims.read

    def delete_first(key):
        server.leases.clear()
        return read(key)

    monkeypatch.setattr(claims, "read", delete_first)
    assert claims.write("runs/a", {"by": "two"}, None) is None


def test_a_lease_that_another_replica_deleted_since_it_was_read_is_written_again_by_one(server):
    one, other = connect(server), connect(server)
    first = one.write("runs/a", {"by": "one"}, None)
    server.leases.clear()
    assert one.write("runs/a", {"by": "two"}, first).number == 2
    assert other.write("runs/a", {"by": "three"}, first) is None
    server.leases.clear()
    server.namespaces.clear()
    with pytest.raises(RefusedError, match=r"namespaces \"ml\" not found"):
        one.write("runs/a", {"by": "two"}, first)


def test_a_lease_that_is_written_to_while_old_ones_are_deleted_stays(server, monkeypatch):
    claims = connect(server)
    claims.write("runs/a", {"by": "one"}, None)
    (lease,) = server.leases.values()
    lease["spec"]["renewTime"] = "2026-01-01T00:00:00.000000Z"
    delete = claims._delete

    def write_first(metadata):
        lease["metadata"]["resourceVersion"] = "another"
        return delete(metadata)

    monkeypatch.setattr(claims, "_delete", write_first)
    assert claims.sweep(datetime(2026, 11, 1, tzinfo=UTC)) == 0
    assert len(server.leases) == 1
