import threading
from concurrent.futures import ThreadPoolExecutor

import fsspec.config
import pytest
from servers.storage import StorageServer

from retrainer.components.lib.errors import RetrainerError
from retrainer.pipelines.triggers.claims.backends import open_claims
from retrainer.pipelines.triggers.claims.files import FileClaims

pytest.importorskip("gcsfs", reason="gcsfs is not installed")


@pytest.fixture
def server(monkeypatch):
    with StorageServer() as server:
        options = {"token": "anon", "endpoint_url": server.url}
        monkeypatch.setitem(fsspec.config.conf, "gs", options)
        yield server


def test_records_on_a_bucket_follow_one_another(server):
    one, other = open_claims("gs://acme/store/claims"), open_claims("gs://acme/store/claims")
    assert one.read("runs/a") is None
    first = one.write("runs/a", {"by": "one"}, None)
    assert other.read("runs/a") == first
    assert other.write("runs/a", {"by": "two"}, None) is None
    second = other.write("runs/a", {"by": "two"}, first)
    assert one.read("runs/a") == second
    assert one.write("runs/a", {"by": "one", "again": True}, first) is None


def test_of_many_writers_at_once_one_has_the_record(server):
    claims = [FileClaims("gs://acme/store/claims") for _ in range(8)]
    start = threading.Barrier(8)

    def write(number):
        start.wait()
        return claims[number].write("runs/a", {"by": number}, None)

    with ThreadPoolExecutor(8) as pool:
        written = [record for record in pool.map(write, range(8)) if record]
    assert written == [claims[0].read("runs/a")]


def test_a_write_whose_reply_was_lost_is_ours(server):
    claims = FileClaims("gs://acme/store/claims")
    server.fail_next(after=True, status=503, method="POST")
    # gcsfs sends it again by itself, and learns that the object exists.
    assert claims.write("runs/a", {"nonce": "1"}, None)
    assert len([seen for seen in server.requests if seen.method == "POST"]) == 2


def test_a_bucket_that_writes_over_objects_is_refused_at_start(server):
    server.careless = True
    with pytest.raises(RetrainerError, match=r"gs://acme/claims.*two replicas"):
        open_claims("gs://acme/claims")


def test_a_bucket_that_refuses_is_named_with_the_fix(server):
    server.fail_next(status=403, method="POST")
    with pytest.raises(RetrainerError) as caught:
        open_claims("gs://acme/claims")
    assert "storage.objectUser there. Check trigger_service.claims" in str(caught.value)
    assert "Error:" not in str(caught.value)
