"""What `pip install retrainer` brings is enough for the commands that run no task, and they load little of it.

The installation is made of links to the packages that pyproject.toml names without an extra, and to theirs; Python
sees no other.
"""

import importlib.metadata
import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import retrainer.pipelines.cli.main
from retrainer.components.lib.monitoring.incident import Detection, Group
from retrainer.components.lib.monitoring.incident_records import IncidentRecords
from retrainer.components.lib.monitoring.looks import LookRecord, Looks
from retrainer.components.lib.monitoring.signals import Kind, Outcome, Signal
from retrainer.components.lib.registry.registry import CHAMPION, Registry
from retrainer.pipelines.project.starting import init_project

MAIN = (
    "import sys; from retrainer.pipelines.cli.main import main; sys.argv[0] = 'retrainer'; main()"
)
# Runs one command after another, each in a process that needs no imports.
FORKS = """
import importlib, json, os, sys
folder, *modules = sys.argv[1:]
for name in modules:
    importlib.import_module(name)
from retrainer.pipelines.cli.main import main
for line in sys.stdin:
    child = os.fork()
    if not child:
        for name, stream in (("out", 1), ("err", 2)):
            os.dup2(os.open(f"{folder}/{name}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), stream)
        sys.argv = ["retrainer", *json.loads(line)]
        main()
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
PRELOADED = ("kfp.compiler", "retrainer.pipelines.project.checks")
CLUSTER = ("-p", "store=gs://b/store", "-p", "pattern=gs://b/{span}.csv")
VERTEX = (
    "--project",
    "acme-ml",
    "--region",
    "europe-west1",
    "--pipeline-root",
    "gs://acme-ml/root",
)
IMAGE = ("--image", f"r.example/x@sha256:{'0' * 64}")
KUBEFLOW = ("--to", "kubeflow", "--host", "http://127.0.0.1:9")


def _needed(name: str, extras: frozenset[str], seen: set[tuple[str, str]]) -> None:
    """Add a distribution and what it requires to `seen`, as name and extra."""
    for extra in extras:
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        for line in importlib.metadata.requires(name) or ():
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
                wanted = frozenset({"", *requirement.extras})
                _needed(canonicalize_name(requirement.name), wanted, seen)


def _link_distribution(name: str, folder: Path) -> None:
    """Link a distribution's files; a folder that no other distribution shares is one link."""
    distribution = importlib.metadata.distribution(name)
    for file in distribution.files or ():
        if ".." in file.parts or "__pycache__" in file.parts:
            continue
        target = folder / file
        source = Path(str(distribution.locate_file(file)))
        # Several share the folders google and google/cloud, and kfp has two distributions.
        shared = 3 if file.parts[0] == "google" else 2 if file.parts[0] == "kfp" else 1
        if len(file.parts) > shared:
            target = folder.joinpath(*file.parts[:shared])
            source = Path(str(distribution.locate_file(Path(*file.parts[:shared]))))
        if not target.is_symlink():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(source)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of installed packages."""
    folder = tmp_path_factory.mktemp("light") / "site-packages"
    seen: set[tuple[str, str]] = set()
    _needed("retrainer", frozenset({""}), seen)
    for name in sorted({name for name, _ in seen} - {"retrainer"}):
        _link_distribution(name, folder)
    # As installed, but for the tests' own checkout.
    own = folder / "retrainer"
    own.mkdir()
    pipelines = Path(retrainer.pipelines.cli.main.__file__).parents[1]
    (own / "pipelines").symlink_to(pipelines)
    (own / "components").symlink_to(pipelines.parent / "components")
    metadata = folder / "retrainer-0.1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: retrainer\nVersion: 0.1.0\n")
    return folder


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("project")
    init_project(folder)
    return folder


@pytest.fixture(scope="module")
def light(site, project, tmp_path_factory):
    """A function that runs a command with the light installation in the project's folder."""
    folder = tmp_path_factory.mktemp("printed")
    with _start(site, project, FORKS, str(folder), *PRELOADED, stdin=subprocess.PIPE) as forks:

        def run(*arguments: str) -> subprocess.CompletedProcess[str]:
            print(json.dumps(arguments), file=forks.stdin, flush=True)
            code = forks.stdout.readline()
            assert code, forks.stderr.read()
            out, err = ((folder / name).read_text() for name in ("out", "err"))
            return subprocess.CompletedProcess(arguments, int(code), out, err)

        yield run
        forks.stdin.close()


def _start(site, project, code: str, *arguments: str, **options) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-S", "-W", "ignore", "-c", code, *arguments],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(site)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def _modules_after(site, project, *command: str) -> set[str]:
    """Run a command in a process of its own and list the modules that it has loaded."""
    code = (
        f"import atexit, sys; atexit.register(lambda: print(*sys.modules, file=sys.stderr)); {MAIN}"
    )
    with _start(site, project, code, *command) as process:
        _, errors = process.communicate()
    assert process.returncode == 0, errors
    return set(errors.splitlines()[-1].split())


def test_the_installation_has_no_library_of_tasks(site):
    there = {path.name for path in site.iterdir()}
    assert {"click", "kfp", "kubernetes", "pydantic"} <= there
    heavy = {"tensorflow", "apache_beam", "keras", "numpy", "pandas", "pyarrow", "tfx_bsl"}
    assert not heavy & there


@pytest.mark.parametrize(
    "command",
    [
        ("config", "json-schema"),
        ("spans", "list"),
        ("models", "list"),
        ("metrics", "write"),
        ("compile", "--output", "pipeline.yaml"),
        ("submit", "--to", "vertex", "--dry-run", *CLUSTER, *VERTEX, *IMAGE),
        ("submit", "--dry-run", *CLUSTER, *KUBEFLOW, *IMAGE),
        ("trigger", "serve", "--help"),
    ],
)
def test_a_command_that_runs_no_task_works_in_a_light_installation(light, command):
    done = light(*command)
    assert done.returncode == 0, done.stderr
    assert "not installed" not in done.stderr


def test_the_registry_is_managed_in_a_light_installation(light, project, tmp_path):
    model = tmp_path / "model"
    model.mkdir()
    (model / "saved_model.pb").write_text("graph")
    registry = Registry(str(project / "store" / "models"))
    for number in (1, 2, 3):
        registry.add(str(model), f"d{number}", {})
        registry.move_alias(CHAMPION, number, number - 1 or None, {})
    for command in (
        ("show", "champion"),
        ("rollback", "--why", "too many refunds"),
        ("promote", "1", "--why", "a try"),
        ("delete", "3", "--yes"),
        ("retire",),
    ):
        done = light("models", *command)
        assert done.returncode == 0, done.stderr
    assert [one.version for one in registry.versions()] == [1, 2]


def test_what_monitoring_found_is_shown_in_a_light_installation(light, project):
    signal = Signal(Kind.DATA, "hour", Outcome.BREACHED, "every row has the value 7", 0.0, 0.05)
    looks = Looks(str(project / "store"))
    looks.add(LookRecord("key", "2026-11-01", 1, "2026-11-02T00:00:00+00:00", (signal,)))
    looks.fold({})
    done = light("monitor", "status")
    assert done.returncode == 0, done.stderr
    assert "every row has the value 7" in done.stdout


def test_incidents_are_shown_and_resolved_in_a_light_installation(light, project):
    found = Detection("data/hour", "1", "every row has the value 7")
    records = IncidentRecords(str(project / "store"))
    records.open(Group.DATA, 1, [found], datetime(2026, 11, 2, tzinfo=UTC))
    shown = light("monitor", "incidents", "v1-data-1")
    assert "every row has the value 7" in shown.stdout, shown.stderr
    done = light("monitor", "resolve", "v1-data-1", "--why", "a holiday")
    assert "is resolved" in done.stdout, done.stderr


@pytest.mark.parametrize(
    "command",
    [("run",), ("demo",), ("schema", "diff"), ("init", "another"), ("models", "compare", "1", "2")],
)
def test_a_command_that_needs_the_components_names_the_extra(light, project, command):
    done = light(*command)
    assert done.returncode == 1
    assert 'pip install "retrainer[components]"' in done.stderr
    assert "Traceback" not in done.stderr
    assert not (project / "another").exists()


def test_what_serves_is_logged_in_a_light_installation(light):
    # All imports are made before the address is checked.
    done = light("serve-log", "--target", "nowhere", "--log", "logs")
    assert done.returncode == 1
    assert "--target is 'nowhere'" in done.stderr


@pytest.mark.parametrize("command", [("--help",), ("runs", "list"), ("config", "check")])
def test_looking_at_things_loads_no_client_of_a_service(site, project, command):
    # Both are entered without being run; a client that is run loads hundreds of modules below them.
    loaded = _modules_after(site, project, *command) - {"kubernetes", "kubernetes.client"}
    # What the namespace packages' .pth files make is there before any command.
    assert not {
        name
        for name in loaded
        if name.partition(".")[0] in ("kfp", "kfp_server_api", "kubernetes", "requests", "aiohttp")
        or name.startswith(("google.api", "google.auth", "google.cloud.", "tensorflow", "tfx"))
    }
