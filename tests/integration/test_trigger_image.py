"""The image of the trigger service: it starts runs, in a restricted container, and has no TensorFlow.

The image is what `make image` builds, or what RETRAINER_TEST_TRIGGER_IMAGE names.
"""

import json
import time

import pytest
import requests
from servers.built_images import trigger_image
from servers.restricted import RESTRICTED, docker
from servers.trigger_process import envelope, storage_message, write_project
from servers.vertex import VertexServer

from retrainer.pipelines.project.starting import init_project

pytestmark = pytest.mark.integration("docker")
START_SECONDS = 60


@pytest.fixture(scope="module")
def image():
    return trigger_image()


@pytest.fixture
def project(tmp_path):
    """A project that the container's user may read."""
    tmp_path.chmod(0o755)
    for parent in tmp_path.parents[:2]:
        parent.chmod(0o755)
    return tmp_path


@pytest.fixture
def serve(image):
    """Start the service in a restricted container: its URL, within this machine."""
    containers = []

    def start(file, *arguments):
        started = docker(
            "run", "--detach", "--network", "host", *RESTRICTED, "--env=FSSPEC_GS_TOKEN=anon",
            f"--volume={file.parent}:{file.parent}:ro", image,
            "retrainer", "trigger", "serve", file, "--listen", "127.0.0.1", "--port", "0", *arguments,
        )  # fmt: skip
        containers.append(started.stdout.strip())
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            said = docker("logs", containers[-1])
            for line in (said.stdout + said.stderr).splitlines():
                if '"port"' in line:
                    return f"http://127.0.0.1:{json.loads(line)['port']}"
            running = docker("inspect", "--format", "{{.State.Running}}", containers[-1])
            assert running.stdout.strip() == "true", said.stdout + said.stderr
            time.sleep(0.2)
        pytest.fail(said.stdout + said.stderr)

    yield start
    for container in containers:
        docker("rm", "--force", container)


def test_a_restricted_container_starts_the_run_that_a_message_asks_for(serve, project):
    with VertexServer() as vertex:
        file = write_project(project, vertex.url)
        url = serve(file, "--to", "vertex", "--insecure-no-auth")
        message = envelope("1", *storage_message("day=2026-11-20/_SUCCESS"))
        answer = requests.post(f"{url}/push", data=message, timeout=60)
        assert answer.status_code == 204, answer.text
        ((run, job),) = vertex.jobs.items()
        assert run.startswith("orders-2026-11-20-")
        assert len(job.pipeline_spec["root"]["dag"]["tasks"]) >= 9
        for path in ("/healthz", "/metrics"):
            assert requests.get(url + path, timeout=60).status_code == 200


def test_it_has_no_tensorflow_and_checks_a_file_all_the_same(image, project):
    code = (
        "import importlib.util as u; print(*[n for n in ('tensorflow', 'apache_beam', "
        "'tensorflow_data_validation', 'tensorflow_transform', 'pandas') if u.find_spec(n)])"
    )
    said = docker("run", "--rm", *RESTRICTED, image, "python", "-c", code)
    assert (said.returncode, said.stdout.split()) == (0, []), said.stderr
    file = write_project(project, "http://127.0.0.1:1")
    file.write_text(file.read_text().replace("class_name: AUC", "class_name: AUK"))
    mount = f"--volume={project}:{project}:ro"
    checked = docker("run", "--rm", *RESTRICTED, mount, image, "retrainer", "config", "check", file)
    assert checked.returncode == 1
    assert "AUK" in checked.stderr + checked.stdout
    assert "AUC" in checked.stderr + checked.stdout


@pytest.mark.parametrize("command", [["run"], ["demo"], ["schema", "diff"]])
def test_what_needs_the_libraries_is_refused_with_the_image_to_use(image, project, command):
    init_project(project / "orders")
    for path in (project / "orders").rglob("*"):
        path.chmod(0o777 if path.is_dir() else 0o666)
    where = (f"--volume={project}/orders:{project}/orders", f"--workdir={project}/orders")
    said = docker("run", "--rm", *RESTRICTED, *where, image, "retrainer", *command)
    assert said.returncode == 1, said.stdout
    assert "Traceback" not in said.stderr
    assert "which is not installed here" in said.stderr
    assert "use the image retrainer" in said.stderr


def test_its_user_is_a_number(image):
    user = json.loads(docker("image", "inspect", image).stdout)[0]["Config"]["User"]
    assert int(user.partition(":")[0]) > 0
