"""Claims as Leases of Kubernetes' own API server, by the account and the role that docs/deploy has for them."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from kubernetes.config import incluster_config
from servers.kube_apiserver import ON_A_KUBE_APISERVER
from servers.trigger_namespace import ACCOUNT, TriggerNamespace

from retrainer.pipelines.targets.errors import RefusedError, UnauthenticatedError
from retrainer.pipelines.triggers.claims.backends import open_claims
from retrainer.pipelines.triggers.claims.leases import LeaseClaims
from retrainer.pipelines.triggers.claims.ledger import CLAIM_SECONDS, Busy, Claim, Ledger
from retrainer.pipelines.triggers.claims.store import KEEP

pytestmark = list(ON_A_KUBE_APISERVER)


@pytest.fixture
def namespace(kube_apiserver, tmp_path):
    return TriggerNamespace(kube_apiserver, tmp_path)


def test_records_follow_one_another_in_one_lease(namespace):
    claims = namespace.open_claims()
    assert claims.read("runs/orders-7") is None
    first = claims.write("runs/orders-7", {"by": "one"}, None)
    second = claims.write("runs/orders-7", {"by": "two"}, first)
    assert (first.number, second.number) == (1, 2)
    assert namespace.open_claims().read("runs/orders-7") == second
    (lease,) = namespace.leases()
    assert lease["spec"]["leaseTransitions"] == 1
    assert json.loads(lease["metadata"]["annotations"]["retrainer/record"]) == {"by": "two"}


def test_keys_that_no_lease_could_be_named_by_get_names_of_their_own(namespace):
    claims = namespace.open_claims()
    keys = ["triggers/a-.b", "triggers/a.-b", f"runs/{'x' * 128}", f"runs/{'x' * 127}y"]
    for key in keys:
        assert claims.write(key, {"key": key}, None)
    assert [claims.read(key).content["key"] for key in keys] == keys


def test_who_has_read_an_old_record_writes_nothing(namespace):
    one, other = namespace.open_claims(), namespace.open_claims()
    first = one.write("runs/a", {"by": "one"}, None)
    assert other.write("runs/a", {"by": "two"}, None) is None
    one.write("runs/a", {"by": "one", "again": True}, first)
    assert other.write("runs/a", {"by": "two"}, first) is None
    assert other.read("runs/a").content == {"by": "one", "again": True}


@pytest.mark.parametrize("first", [True, False])
def test_of_many_writers_at_once_one_has_the_record(namespace, first):
    claims = [namespace.open_claims() for _ in range(8)]
    for round_ in range(20):
        key = f"runs/{round_}"
        before = None if first else claims[0].write(key, {"by": "first"}, None)
        start = threading.Barrier(8)

        def write(number, key=key, before=before, start=start):
            start.wait()
            return claims[number].write(key, {"by": number}, before)

        with ThreadPoolExecutor(8) as pool:
            written = [record for record in pool.map(write, range(8)) if record]
        assert written == [claims[0].read(key)]


def test_a_lease_that_somebody_deleted_is_written_again_by_one_of_its_readers(namespace):
    claims = [namespace.open_claims() for _ in range(2)]
    first = claims[0].write("runs/a", {"by": "one"}, None)
    namespace.delete(*namespace.leases())
    assert claims[0].read("runs/a") is None
    written = claims[0].write("runs/a", {"by": "two"}, first)
    assert written.number == 2
    assert claims[1].write("runs/a", {"by": "three"}, first) is None
    assert claims[1].write("runs/a", {"by": "three"}, None) is None
    assert claims[1].read("runs/a") == written


def test_a_claim_that_somebody_deletes_is_still_one_run(namespace):
    ledgers = [Ledger(namespace.open_claims()) for _ in range(3)]
    mine = ledgers[0].claim("orders-7")
    assert isinstance(mine, Claim)
    assert isinstance(ledgers[1].claim("orders-7"), Busy)
    namespace.delete(*namespace.leases())
    # It is a new one's now; the first owner's record of it is refused, and the new owner finds the run.
    assert ledgers[1].claim("orders-7").first
    assert ledgers[0].claims.write("runs/orders-7", {"state": "submitted"}, mine.record) is None
    assert isinstance(ledgers[2].claim("orders-7"), Busy)


def test_a_claim_is_taken_over_by_one_when_its_owner_is_silent_whatever_the_clocks_say(namespace):
    now = [0.0, 5e6, -5e6]
    ledgers = [
        Ledger(namespace.open_claims(), lambda number=number: now[number]) for number in range(3)
    ]
    assert isinstance(ledgers[0].claim("orders-7"), Claim)
    (lease,) = namespace.leases()
    # The owner's clock is a year behind.
    lease["spec"]["renewTime"] = "2025-11-26T00:00:00.000000Z"
    namespace.edit(lease)
    for its in ledgers[1:]:
        assert its.claim("orders-7").seconds == CLAIM_SECONDS
    now[1] += CLAIM_SECONDS - 1
    assert isinstance(ledgers[1].claim("orders-7"), Busy)
    now[1] += 1
    taken = ledgers[1].claim("orders-7")
    assert isinstance(taken, Claim)
    assert not taken.first
    now[2] += CLAIM_SECONDS
    assert isinstance(ledgers[2].claim("orders-7"), Busy)


def test_leases_that_nobody_has_written_to_for_long_are_deleted_page_by_page(
    namespace, monkeypatch
):
    monkeypatch.setattr("retrainer.pipelines.triggers.claims.leases._PAGE_SIZE", 2)
    claims, now = namespace.open_claims(), datetime.now(UTC)
    for name in "abcde":
        claims.write(f"runs/{name}", {"by": name}, None)
    for lease in namespace.leases():
        if "-e-" not in lease["metadata"]["name"]:
            old = now - KEEP - timedelta(minutes=1)
            lease["spec"]["renewTime"] = f"{old:%Y-%m-%dT%H:%M:%S.%f}Z"
            namespace.edit(lease)
    others = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": "somebodys", "namespace": namespace.name},
        "spec": {"renewTime": "2020-01-01T00:00:00.000000Z"},
    }
    assert namespace.server.create(others).ok
    assert claims.sweep(now - timedelta(days=1)) == 0
    assert claims.sweep(now) == 4
    left = [lease["metadata"]["name"] for lease in namespace.leases()]
    assert [name.split("-")[2:3] for name in left] == [["e"], []]


def test_a_lease_that_is_written_to_while_old_ones_are_deleted_stays(namespace, monkeypatch):
    claims = namespace.open_claims()
    claims.write("runs/a", {"by": "one"}, None)
    (lease,) = namespace.leases()
    lease["spec"]["renewTime"] = "2020-01-01T00:00:00.000000Z"
    namespace.edit(lease)
    delete = claims._delete

    def write_first(metadata):
        other = namespace.open_claims()
        assert other.write("runs/a", {"by": "two"}, other.read("runs/a"))
        return delete(metadata)

    monkeypatch.setattr(claims, "_delete", write_first)
    assert claims.sweep(datetime.now(UTC)) == 0
    assert claims.read("runs/a").content == {"by": "two"}


def test_another_namespace_and_a_missing_one_are_refused_with_what_is_needed(namespace):
    claims, other = namespace.open_claims(), TriggerNamespace(namespace.server, namespace._folder)
    for name in (other.name, "nowhere"):
        elsewhere = LeaseClaims(name, claims._api)
        with pytest.raises(RefusedError, match=rf"'{name}': 403 .*verbs get, create, update"):
            elsewhere.write("runs/a", {}, None)


def test_a_namespace_that_is_being_deleted_takes_no_claim(namespace):
    claims = namespace.open_claims()
    first = claims.write("runs/a", {"by": "one"}, None)
    namespace.delete(*namespace.leases())
    assert namespace.server.send("DELETE", f"/api/v1/namespaces/{namespace.name}").ok
    for before in (None, first):
        with pytest.raises(RefusedError, match="is being terminated") as refused:
            claims.write("runs/a", {"by": "two"}, before)
        assert "This account needs" not in str(refused.value)


@pytest.fixture
def token_file(namespace, tmp_path, monkeypatch):
    """Make this process one in a pod of the account, and return the file with its token."""
    file = tmp_path / "token"
    file.write_text(namespace.server.token(namespace.name, ACCOUNT))
    host, port = namespace.server.url.removeprefix("https://").split(":")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", host)
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", port)

    class Loader(incluster_config.InClusterConfigLoader):
        def __init__(self, **options):
            files = {
                "token_filename": str(file),
                "cert_filename": str(namespace.server.authority),
            }
            super().__init__(**{**options, **files})
            # The file is read again after a minute.
            self._token_refresh_period = timedelta(0)

    monkeypatch.setattr(incluster_config, "InClusterConfigLoader", Loader)
    return file


def test_a_pod_reaches_its_own_cluster_and_reads_a_renewed_token(namespace, token_file):
    claims = open_claims(f"lease://{namespace.name}")
    assert claims.write("runs/a", {"by": "one"}, None)
    token_file.write_text("of-before")
    with pytest.raises(UnauthenticatedError, match=r"401 Unauthorized.*Mount the token"):
        claims.read("runs/a")
    token_file.write_text(namespace.server.token(namespace.name, ACCOUNT))
    assert claims.read("runs/a").content == {"by": "one"}
