import json

import fsspec
import pytest
from click.testing import CliRunner
from servers.kubeflow import KubeflowServer
from servers.storage import StorageServer
from servers.vertex import VertexServer

from retrainer.components.lib.errors import RetrainerError
from retrainer.pipelines.cli.main import cli
from retrainer.pipelines.project.starting import init_project

REMOTE = """
image: europe-west1-docker.pkg.dev/acme-ml/images/retrainer@sha256:{digest}
pipeline_root: gs://acme-ml/root
targets:
  vertex:
    project: acme-ml
    region: europe-west1
    labels: {{team: search}}
"""


@pytest.fixture
def bucket(monkeypatch):
    """Cloud Storage, for everything at gs://."""
    with StorageServer() as server:
        options = {"token": "anon", "endpoint_url": server.url}
        monkeypatch.setitem(fsspec.config.conf, "gs", options)
        yield server


@pytest.fixture
def project(tmp_path, bucket):
    """A project whose data and store are on a bucket."""
    folder = tmp_path / "project"
    init_project(folder)
    file = folder / "retrain.yaml"
    text = file.read_text().replace("pattern: data/", "pattern: gs://acme-ml/data/")
    assert "gs://acme-ml/data" in text
    file.write_text(text + "store: gs://acme-ml/store\n" + REMOTE.format(digest="0" * 64))
    return folder


@pytest.fixture
def vertex(monkeypatch):
    with VertexServer() as server:
        monkeypatch.setenv("RETRAINER_VERTEX_ENDPOINT", server.url)
        yield server


@pytest.fixture
def kubeflow(monkeypatch):
    with KubeflowServer() as server:
        monkeypatch.setenv("RETRAINER_KUBEFLOW_HOST", server.url)
        yield server


@pytest.fixture
def retrainer():
    """Run the command line in this process: its output, or the error that it ends with."""

    def run(*arguments, code=0):
        result = CliRunner().invoke(cli, [str(argument) for argument in arguments])
        if isinstance(result.exception, RetrainerError):
            raise result.exception
        assert result.exit_code == code, result.output + repr(result.exception)
        return result.stdout

    return run


@pytest.fixture
def sent():
    """The bodies of the requests that change something."""

    def of(server):
        return [json.loads(seen.body) for seen in server.requests if seen.body]

    return of
