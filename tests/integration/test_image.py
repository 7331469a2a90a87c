"""The container image: the pipeline in it, a container a task; images on top of it; what it is made of.

The image is what `make image` builds. Where it is missing these tests are skipped; .ci/run builds it first and sets
RETRAINER_TEST_IMAGE, and then nothing is skipped.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from servers.beam_engine import Prism
from servers.built_images import task_image
from servers.restricted import RESTRICTED, RESTRICTED_OPTIONS, docker
from tensorflow_metadata.proto.v0 import statistics_pb2

from retrainer.components.lib.digests import digest_folder
from retrainer.components.lib.image import IMAGE
from retrainer.pipelines.project.starting import init_project

pytestmark = pytest.mark.integration("docker")


@pytest.fixture(scope="module")
def image():
    return task_image()


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("flights") / "project"
    init_project(folder, "flights")
    file = folder / "retrain.yaml"
    file.write_text(file.read_text().replace("  epochs: 4\n", "  epochs: 1\n"))
    # The image's user writes here, who is nobody on this machine.
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o777 if path.is_dir() else 0o666)
    for parent in folder.parents[:2]:
        parent.chmod(0o755)
    return folder


@pytest.fixture(scope="module")
def in_containers(image, project):
    """The compiled file in kfp's own runner, each of the nine tasks in a restricted container: the run's folder."""
    script = f"""
import kfp.local
from docker.models.containers import ContainerCollection
from kfp.components import load_component_from_file
from retrainer.pipelines.cli.main import cli

# The runner hands no options of a container on, and leaves its containers behind.
run, started = ContainerCollection.run, []

def run_restricted(self, **options):
    started.append(run(self, **options, **{RESTRICTED_OPTIONS!r}))
    return started[-1]

ContainerCollection.run = run_restricted
compiled = {str(project / "pipeline.yaml")!r}
cli(["compile", {str(project)!r}, "-o", compiled], standalone_mode=False)
kfp.local.init(runner=kfp.local.DockerRunner(), pipeline_root={str(project)!r})
try:
    load_component_from_file(compiled)()
finally:
    for container in started:
        container.remove(force=True, v=True)
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "RETRAINER_IMAGE": image},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    (project / "store").rename(project / "store-of-containers")
    (folder,) = project.glob("flights-*")
    return folder


@pytest.fixture(scope="module")
def in_one_process(image, project, in_containers):
    """The same by `retrainer run`, on the same line: the run's record."""
    done = docker(
        "run", "--rm", "--network", "none", *RESTRICTED, "--volume", f"{project}:{project}", image,
        "retrainer", "run", project / "retrain.yaml", "--run-id", "local", "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def test_each_of_the_nine_tasks_runs_in_a_restricted_container(in_containers):
    assert len(list(in_containers.glob("*/executor_output.json"))) == 9


def _executor_output(folder, task):
    return json.loads((folder / task / "executor_output.json").read_text())


@pytest.mark.parametrize(
    "task", ["ingest-spans", "compute-statistics", "evaluate-model", "push-model"]
)
def test_a_container_a_task_and_a_local_run_come_to_the_same_verdict(
    in_containers, in_one_process, task
):
    verdict = _executor_output(in_containers, task)["parameterValues"]["verdict"]
    assert verdict == in_one_process["tasks"][task]["outputs"]["verdict"]


def test_the_manifests_are_the_same_to_the_byte(in_containers, in_one_process):
    local = in_one_process["tasks"]["ingest-spans"]["output_artifacts"]["examples"]
    assert digest_folder(in_containers / "ingest-spans" / "examples") == local["digest"]


def test_the_statistics_are_the_same(in_containers, in_one_process):
    uri = in_one_process["tasks"]["compute-statistics"]["output_artifacts"]["statistics"]["uri"]
    here, there = in_containers / "compute-statistics" / "statistics", Path(uri)
    files = sorted(file.relative_to(here) for file in here.rglob("*") if file.is_file())
    assert files == sorted(file.relative_to(there) for file in there.rglob("*") if file.is_file())
    assert len(files) > 3
    for file in files:
        if file.suffix == ".pb":
            assert _statistics(here / file) == _statistics(there / file), file
        else:
            assert (here / file).read_bytes() == (there / file).read_bytes()


def _statistics(file):
    content = statistics_pb2.DatasetFeatureStatisticsList.FromString(file.read_bytes())
    for feature in content.datasets[0].features:
        # TFDV counts values beyond its 1,024 most frequent by a sketch whose rare ones differ from call to call.
        if feature.string_stats.unique > 1024:
            del feature.string_stats.rank_histogram.buckets[1024:]
            for bucket in feature.string_stats.rank_histogram.buckets:
                bucket.ClearField("label")
    return content


def test_an_image_with_a_model_and_a_package_is_two_lines_more(image, project, tmp_path):
    (tmp_path / "model.py").write_text((project / "model.py").read_text())
    package = tmp_path / "shop"
    package.mkdir()
    (package / "pyproject.toml").write_text(
        '[project]\nname = "shop"\nversion = "1"\ndependencies = ["numpy"]\n'
        '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
    )
    (package / "shop.py").write_text("PRICE = 3\n")
    (tmp_path / "Dockerfile").write_text(
        f"FROM {image}\n"
        "COPY --chown=retrainer . ./\n"
        "RUN pip install --quiet --no-build-isolation --no-index ./shop\n"
    )
    built = docker("build", "--quiet", "--network", "none", tmp_path)
    assert built.returncode == 0, built.stdout + built.stderr
    own = built.stdout.strip()
    try:
        code = "import model, shop; print(model.preprocessing_fn.__name__, shop.PRICE)"
        said = docker("run", "--rm", "--workdir", "/", own, "python", "-W", "ignore", "-c", code)
        assert said.stdout.split() == ["preprocessing_fn", "3"], said.stderr
    finally:
        docker("image", "rm", "--force", own)


def test_the_image_says_what_it_is(image):
    config = json.loads(docker("image", "inspect", image).stdout)[0]["Config"]
    labels = {key.rpartition(".")[2]: value for key, value in config["Labels"].items()}
    assert labels["licenses"] == "Apache-2.0"
    assert labels["version"] == IMAGE.rpartition(":")[2]
    assert len(labels["revision"]) == 40
    said = docker("run", "--rm", image, "sh", "-c", "id -u; which gcc g++ cc; retrainer --version")
    assert said.stdout.splitlines() == ["10001", f"retrainer, version {labels['version']}"]


def test_its_user_is_a_number_that_the_kubelet_can_tell_from_root(image):
    # With runAsNonRoot and no runAsUser it refuses a name (kubernetes/kubernetes, pkg/kubelet/kuberuntime/
    # security_context.go, verifyRunAsNonRoot: "image has non-numeric user").
    user = json.loads(docker("image", "inspect", image).stdout)[0]["Config"]["User"]
    assert int(user.partition(":")[0]) > 0


def test_a_user_without_a_name_finds_a_home_and_the_model_beside_it(image):
    code = "import getpass, os, tempfile; print(getpass.getuser(), os.path.expanduser('~'), os.getcwd())"
    said = docker("run", "--rm", *RESTRICTED, image, "python", "-c", code)
    assert said.stdout.split() == ["retrainer", "/tmp", "/home/retrainer"], said.stderr


PIPELINE = """
import sys
from importlib.metadata import version
import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.testing.util import assert_that, equal_to

with beam.Pipeline(options=PipelineOptions(sys.argv[1:])) as pipeline:
    found = pipeline | beam.Create([1, 2]) | beam.Map(lambda one: (one, version("retrainer")))
    assert_that(found, equal_to([(1, version("retrainer")), (2, version("retrainer"))]))
print("done")
"""


@pytest.mark.slow
@pytest.mark.integration("go")
def test_an_engine_starts_workers_from_it_by_its_entry_point(image, tmp_path):
    # Prism starts a container as Flink and Dataflow do: with options of Beam's boot and no command.
    with Prism(tmp_path / "prism.log") as prism:
        options = ["--runner=PortableRunner", f"--job_endpoint={prism.address}"]
        options += ["--environment_type=DOCKER", f"--environment_config={image}"]
        program = ["python", "-c", PIPELINE, *options]
        done = docker("run", "--rm", "--network=host", *RESTRICTED, image, *program)
    assert done.stdout.endswith("done\n"), done.stderr[-3000:] + prism.text()[-3000:]


def test_it_is_a_pool_of_workers_where_an_engine_asks_for_one(image):
    started = docker("run", "--detach", *RESTRICTED, image, "--worker_pool")
    assert started.returncode == 0, started.stderr
    container = started.stdout.strip()
    connect = "import socket; socket.create_connection(('localhost', 50000), 1)"
    try:
        for _ in range(120):
            tried = docker("exec", container, "python", "-c", connect)
            if not tried.returncode:
                break
            time.sleep(0.5)
        assert tried.returncode == 0, docker("logs", container).stderr
    finally:
        docker("rm", "--force", container)
