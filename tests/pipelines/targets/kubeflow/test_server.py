"""What the tests' server refuses, so that a test which passes against it says something."""

import pytest
import requests
from servers.kubeflow import KubeflowServer


@pytest.fixture(scope="module")
def api():
    with KubeflowServer() as server:
        yield f"{server.url}/apis/v2beta1"


@pytest.mark.parametrize(
    ("path", "body", "says"),
    [
        ("experiments", {"display_name": "e", "nmae": "x"}, 'unknown field "nmae"'),
        ("experiments", {"display_name": 7}, "display_name is a int and not a str"),
        ("experiments", {}, "display_name is empty"),
        ("runs", {"display_name": "r", "labels": {}}, 'unknown field "labels"'),
        ("runs", {"display_name": "r", "state": "DONE"}, "state is 'DONE'"),
        ("runs", {"display_name": "r", "run_id": "mine"}, "run_id is set by the service"),
        ("runs", {"display_name": "r", "experiment_id": "x"}, "Experiment x not found"),
        ("recurringruns", {"display_name": "r", "catchup": True}, 'unknown field "catchup"'),
    ],
)
def test_wrong_bodies_are_refused(api, path, body, says):
    answer = requests.post(f"{api}/{path}", json=body, timeout=60)
    assert answer.status_code in (400, 404)
    assert says in answer.json()["message"]
    assert answer.json()["code"] in (3, 5)


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("name=x", "unknown query parameter name"),
        ("filter=x", "failed to parse valid filter"),
        ('filter={"predicates":[{"key":"colour","operation":"EQUALS"}]}', "filtering on field"),
        ('filter={"predicates":[{"key":"name","operation":"LIKE"}]}', "operation"),
        ("sort_by=colour", "Cannot sort on field colour"),
    ],
)
def test_wrong_queries_are_refused(api, query, says):
    requests.post(f"{api}/experiments", json={"display_name": "e"}, timeout=60)
    answer = requests.get(f"{api}/experiments?{query}", timeout=60)
    assert answer.status_code == 400
    assert says in answer.json()["message"]


@pytest.mark.parametrize(
    ("cron", "right"),
    [
        ("0 30 6 * * 1-5", True),
        ("0 */10 * ? JAN-mar sun", True),
        ("30 6 * * 1-5", False),
        ("TZ=UTC 0 30 6 * * 1-5", False),
        ("CRON_TZ=UTC 30 6 * * 1-5", False),
        ("0 30 6 * * 7", False),
        ("0 60 6 * * *", False),
    ],
)
def test_cron_expressions_are_read_as_the_service_reads_them(api, cron, right):
    experiments = requests.get(f"{api}/experiments", timeout=60).json()["experiments"]
    if not experiments:
        made = requests.post(f"{api}/experiments", json={"display_name": "c"}, timeout=60)
        experiments = [made.json()]
    body = {
        "display_name": "nightly",
        "experiment_id": experiments[0]["experiment_id"],
        "pipeline_spec": {"pipelineInfo": {"name": "orders"}},
        "max_concurrency": "1",
        "trigger": {"cron_schedule": {"cron": cron}},
    }
    answer = requests.post(f"{api}/recurringruns", json=body, timeout=60)
    assert (answer.status_code == 200) is right
