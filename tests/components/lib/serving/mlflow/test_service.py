import itertools
import json
import subprocess

import pytest
from servers import own_environment
from servers.local_http import Fault
from servers.mlflow import FakeMLflow, real_server

from retrainer.components.lib.registry.evaluation_summary import SliceMetrics
from retrainer.components.lib.serving.interface import Plan, ServedModel, ServiceError
from retrainer.components.lib.serving.services import open_service

READ = """
import json, sys
from mlflow import MlflowClient
client = MlflowClient(sys.argv[1])
found = {}
for alias in ("champion", "challenger"):
    try:
        version = client.get_model_version_by_alias(sys.argv[2], alias)
    except Exception as error:
        found[alias] = None
        continue
    run = client.get_run(version.run_id).data
    found[alias] = {
        "source": version.source, "tags": version.tags, "metrics": run.metrics, "params": run.params,
        "uri": client.get_model_version_download_uri(sys.argv[2], version.version),
    }
experiment = client.get_experiment_by_name(sys.argv[2])
found["versions"] = len(client.search_model_versions(f"name = '{sys.argv[2]}'"))
found["runs"] = len(client.search_runs([experiment.experiment_id]))
print(json.dumps(found))
"""


def model(number, **more):
    metrics = {"auc": 0.8 + number / 100, "nothing": float("nan")}
    evaluation = (
        SliceMetrics({}, metrics, 100),
        SliceMetrics({"carrier": "U=A, (x)"}, {"auc": 0.7}, 10),
        SliceMetrics({"carrier": ".."}, {"auc": 0.6}, 10),
        *(SliceMetrics({"row": str(row)}, {"auc": 0.5}, 1) for row in range(1500)),
    )
    info = {
        "run": f"run-{number}",
        "span": "2026-03",
        "train_spans": ["2026-01", "2026-02"],
        "hyperparameters": {"units": 8, "long": "x" * 900},
        **more,
    }
    uri = f"s3://acme/store/models/versions/{number:06d}/model"
    return ServedModel(number, uri, f"digest-{number}", info, evaluation)


@pytest.fixture
def fake():
    with FakeMLflow() as server:
        yield server


@pytest.fixture
def service(fake):
    def service(**more):
        return open_service("mlflow", {"tracking_uri": fake.url, **more}, "tips")

    return service


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    with real_server(tmp_path_factory.mktemp("mlflow")) as url:
        yield url


@pytest.mark.slow
def test_mlflows_own_client_reads_from_its_own_server_what_was_registered(real):
    name = "winter tips"
    service = open_service("mlflow", {"tracking_uri": real}, name)
    assert service.status().traffic == {}
    assert service.apply(Plan(model(1))).traffic == {1: 100}
    result = service.apply(Plan(model(1), canary=model(2), percent=10))
    assert (result.traffic, result.loaded, result.splits) == ({1: 100}, (1, 2), False)
    assert service.apply(Plan(model(1), canary=model(2), percent=10)) == result

    def read():
        done = subprocess.run(
            [
                own_environment.python("mlflow"),
                "-c",
                READ.replace("'{sys.argv[2]}'", '\\"{sys.argv[2]}\\"'),
                real,
                name,
            ],
            capture_output=True,
            text=True,
            check=True,
        )
        return json.loads(done.stdout)

    found = read()
    champion, challenger = found["champion"], found["challenger"]
    assert champion["source"] == champion["uri"] == model(1).uri
    assert champion["tags"] == {
        "retrainer.version": "1",
        "retrainer.digest": "digest-1",
        "retrainer.pipeline": name,
        "retrainer.run": "run-1",
        "retrainer.span": "2026-03",
    }
    assert champion["metrics"]["auc"] == pytest.approx(0.81)
    assert "nothing" not in champion["metrics"]
    assert champion["metrics"]["slices/carrier/U_A_ _x_/auc"] == 0.7
    assert champion["metrics"]["slices/row/1499/auc"] == 0.5
    assert champion["params"]["units"] == "8"
    assert champion["params"]["train_spans"] == "2026-01, 2026-02"
    assert challenger["tags"]["retrainer.version"] == "2"
    assert (found["versions"], found["runs"]) == (2, 2)
    # Promoted, then rolled back: the aliases move, and nothing is registered again.
    assert service.apply(Plan(model(2))).traffic == {2: 100}
    assert service.apply(Plan(model(1))).loaded == (1,)
    found = read()
    assert (found["champion"]["tags"]["retrainer.version"], found["challenger"]) == ("1", None)
    assert (found["versions"], found["runs"]) == (2, 2)
    assert service.apply(Plan(None)).traffic == {}


@pytest.mark.slow
def test_a_model_of_a_local_folder_is_refused_by_the_real_server_with_the_fix(real):
    service = open_service("mlflow", {"tracking_uri": real}, "local")
    here = ServedModel(1, "/tmp/store/models/versions/000001/model", "d")
    with pytest.raises(
        ServiceError, match=r"takes no model of a local store.*Set store to a bucket"
    ):
        service.apply(Plan(here))


def test_a_version_is_registered_once_and_gets_the_alias(service, fake):
    result = service().apply(Plan(model(1)))
    assert (result.traffic, result.address) == ({1: 100}, "models:/tips@champion")
    (run,) = fake.runs
    assert run["metrics"]["auc"] == pytest.approx(0.81)
    assert run["metrics"]["slices/carrier/__/auc"] == 0.6
    assert len(run["params"]["long"]) == 500
    fake.calls.clear()
    service().apply(Plan(model(1)))
    # Nothing but the attempt to create what is there.
    assert fake.calls == ["registered-models/create"]


def test_slices_can_be_left_out(service, fake):
    service(slices=False).apply(Plan(model(1)))
    assert list(fake.runs[0]["metrics"]) == ["auc"]


def test_a_version_of_somebody_else_is_foreign_and_loses_the_alias(service, fake):
    fake.models["tips"] = {"aliases": {"champion": "1", "mine": "1"}, "versions": []}
    fake.models["tips"]["versions"].append({"version": "1", "tags": [], "source": "s3://x"})
    status = service().status()
    assert (status.traffic, status.foreign) == (
        {},
        ("version 1 of 'tips' in MLflow is the champion",),
    )
    assert service().apply(Plan(model(1))).traffic == {1: 100}
    assert fake.models["tips"]["aliases"] == {"champion": "2", "mine": "1"}


def _try(service, plan):
    """Apply a plan: whether its error is transient, None for no error."""
    try:
        service(slices=False).apply(plan)
    except ServiceError as error:
        return error.transient
    return None


@pytest.mark.parametrize("fault", [{"status": 0, "after": True}, {"status": 429}])
def test_a_call_that_fails_or_loses_its_reply_is_repeated_without_a_second_version(
    service, fake, fault
):
    plan = Plan(model(1), canary=model(2), percent=10)
    for number in itertools.count():
        fake.runs, fake.models, fake.experiments = [], {}, {}
        fake.requests.clear()
        fake.fault, fake.fault_at = Fault(**fault), number
        transient = _try(service, plan)
        assert transient in (True, None)
        fake.fault = None
        service(slices=False).apply(plan)
        assert [one["tags"][0]["value"] for one in fake.models["tips"]["versions"]] == ["1", "2"]
        assert len(fake.runs) == 2
        assert all(one["info"]["status"] == "FINISHED" for one in fake.runs)
        assert fake.models["tips"]["aliases"] == {"champion": "1", "challenger": "2"}
        if transient is None:
            break
    assert number > 15


def test_the_login_comes_from_mlflows_own_variables(service, fake, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "secret")
    service().status()
    assert fake.requests[-1].headers["Authorization"] == "Bearer secret"
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "ada")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "pass")
    service().status()
    assert fake.requests[-1].headers["Authorization"] == "Basic YWRhOnBhc3M="


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, r"denies registered-models/get \(status 401\). Set MLFLOW_TRACKING_USERNAME"),
        (403, r"denies registered-models/get \(status 403\)"),
        (500, r"answered registered-models/get with status 500: fails on demand\."),
    ],
)
def test_an_error_names_the_server_the_call_and_the_fix(service, fake, status, words):
    fake.fail_next(status=status)
    with pytest.raises(ServiceError, match=words) as caught:
        service().status()
    assert caught.value.transient == (status == 500)


def test_a_server_that_is_down_is_named(service, fake):
    fake.down = True
    with pytest.raises(ServiceError, match=r"MLflow at http://127.* can't be reached") as caught:
        service().status()
    assert caught.value.transient


def test_what_is_not_mlflow_is_named(fake):
    elsewhere = open_service("mlflow", {"tracking_uri": f"{fake.url}/elsewhere"}, "tips")
    with pytest.raises(ServiceError, match=r"answered registered-models/get with status 404"):
        elsewhere.status()


def test_a_port_that_nobody_listens_on_is_one_short_sentence():
    nobody = open_service("mlflow", {"tracking_uri": "http://127.0.0.1:9"}, "tips")
    with pytest.raises(ServiceError) as caught:
        nobody.status()
    assert str(caught.value) == (
        "MLflow at http://127.0.0.1:9 can't be reached: Connection refused. Check "
        "serving.deploy.mlflow.tracking_uri, and that the server runs."
    )
