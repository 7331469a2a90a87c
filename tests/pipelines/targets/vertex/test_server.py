"""The local server that stands for Vertex AI refuses what the service refuses."""

import subprocess
import sys
from pathlib import Path

import pytest
import requests
import servers.vertex
from servers.vertex import PARENT, VertexServer

SPEC = {
    "schemaVersion": "2.1.0",
    "pipelineInfo": {"name": "orders"},
    "root": {"inputDefinitions": {"parameters": {"span": {"parameterType": "STRING"}}}},
}
JOB = {"pipelineSpec": SPEC, "runtimeConfig": {"gcsOutputDirectory": "gs://acme-ml/root"}}
SCHEDULE = {
    "displayName": "nightly",
    "cron": "TZ=UTC 0 2 * * *",
    "maxConcurrentRunCount": "1",
    "createPipelineJobRequest": {"parent": PARENT, "pipelineJob": JOB},
}


@pytest.fixture(scope="module")
def server():
    with VertexServer() as running:
        yield running


@pytest.mark.parametrize(
    ("query", "changes"),
    [
        ("pipelineJobId=Orders", {}),
        ("pipelineJobId=orders&pipelineJobName=x", {}),
        ("", {"pipelineSpecs": {}}),
        ("", {"pipelineSpec": {}}),
        ("", {"labels": {"Team": "x"}}),
        ("", {"labels": {"team": "x" * 64}}),
        ("", {"displayName": "x" * 129}),
        ("", {"serviceAccount": "me"}),
        ("", {"network": "default"}),
        ("", {"encryptionSpec": {"kmsKeyName": "projects/p/locations/us/keyRings/r/cryptoKeys/k"}}),
        ("", {"templateUri": "gs://acme-ml/pipeline.yaml"}),
        ("", {"runtimeConfig": {}}),
        ("", {"runtimeConfig": {**JOB["runtimeConfig"], "parameterValues": {"spam": "1"}}}),
        ("", {"runtimeConfig": {**JOB["runtimeConfig"], "parameterValues": {"span": 1}}}),
    ],
)
def test_a_wrong_job_is_refused(server, query, changes):
    address = f"{server.url}/v1/{PARENT}/pipelineJobs?{query}"
    answer = requests.post(address, json={**JOB, **changes}, timeout=60)
    assert answer.status_code == 400
    assert answer.json()["error"]["status"] == "INVALID_ARGUMENT"
    assert not server.jobs


@pytest.mark.parametrize(
    "changes",
    [
        {"displayName": ""},
        {"cron": "0 2 * *"},
        {"maxConcurrentRunCount": "0"},
        {"createPipelineJobRequest": {"parent": "projects/other", "pipelineJob": JOB}},
        {"createPipelineJobRequest": {"parent": PARENT, "pipelineJob": {}}},
    ],
)
def test_a_wrong_schedule_is_refused(server, changes):
    address = f"{server.url}/v1/{PARENT}/schedules"
    answer = requests.post(address, json={**SCHEDULE, **changes}, timeout=60)
    assert answer.status_code == 400
    assert not server.schedules


def test_jobs_are_listed_by_label_newest_first_and_cancelled():
    with VertexServer() as server:
        server.page_size = 1
        address = f"{server.url}/v1/{PARENT}/pipelineJobs"
        for name, team in {"a": "x", "b": "y", "c": "x"}.items():
            job = {**JOB, "labels": {"team": team}}
            requests.post(f"{address}?pipelineJobId={name}", json=job, timeout=60)
        names, token = [], ""
        while not names or token:
            query = {"filter": 'labels.team="x"', "pageToken": token}
            page = requests.get(address, params=query, timeout=60).json()
            names += [job["name"].rpartition("/")[2] for job in page["pipelineJobs"]]
            token = page.get("nextPageToken", "")
        assert names == ["c", "a"]
        assert requests.post(f"{address}/a:cancel", json={}, timeout=60).status_code == 200
        state = requests.get(f"{address}/a", timeout=60).json()["state"]
        assert state == server.jobs["a"].state != server.jobs["c"].state


def test_alone_it_counts_what_it_creates():
    command = [sys.executable, str(Path(servers.vertex.__file__)), "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        url = process.stdout.readline().split()[-1]
        for _ in range(2):
            address = f"{url}/v1/{PARENT}/pipelineJobs?pipelineJobId=orders-1"
            requests.post(address, json=JOB, timeout=60)
        counted = requests.get(f"{url}/stats", timeout=60).json()
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()
    assert counted == {"created": 1, "requests": 2, "duplicates": 1}
