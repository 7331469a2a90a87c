"""What the deployment documents name, the code has: settings, commands, paths, ports, accounts, examples."""

import itertools
import re
import shlex
import shutil
from pathlib import Path
from typing import get_args

import click
import pytest
import yaml

from retrainer.components.lib.image import VERSION
from retrainer.pipelines.cli.main import cli
from retrainer.pipelines.cli.trigger import trigger
from retrainer.pipelines.project.config import load_config, read_config
from retrainer.pipelines.project.formats.names import TRIGGER_KEY
from retrainer.pipelines.project.sections.notify import DEFAULT_OUTCOMES, Outcome
from retrainer.pipelines.project.sections.section import Section
from retrainer.pipelines.project.sections.targets import KubeflowConfig, VertexConfig
from retrainer.pipelines.project.sections.tasks import NEVER_CACHED
from retrainer.pipelines.project.sections.triggers import TriggerServiceConfig
from retrainer.pipelines.targets.checks import check_target

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = ROOT / "docs/deploy"
README = DOCUMENTS / "README.md"
FILES = sorted(
    path
    for path in DOCUMENTS.rglob("*")
    if path.suffix in (".md", ".tf", ".hcl", ".yaml", ".py") and ".terraform" not in path.parts
)
# Every page with commands, the generated references apart.
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), README]
TERRAFORM = {path.name: path.read_text() for path in FILES if path.suffix == ".tf"}
SECTIONS: dict[str, type[Section]] = {
    "VERTEX": VertexConfig,
    "KUBEFLOW": KubeflowConfig,
    "TRIGGER": TriggerServiceConfig,
}
# Not keys of a section: the token is never in retrain.yaml.
OTHER_VARIABLES = {
    "RETRAINER_HASH_KEY",
    "RETRAINER_IMAGE",
    "RETRAINER_KUBEFLOW_TOKEN",
    "RETRAINER_STORE",
}
# Of the image: see Dockerfile.
USER = 10001


def known_variables() -> set[str]:
    keys = {
        f"RETRAINER_{name}_{key.upper()}"
        for name, section in SECTIONS.items()
        for key in section.model_fields
    }
    return keys | OTHER_VARIABLES


def blocks(language: str, page: Path = README) -> list[str]:
    """The fenced blocks of a page in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)


def command_lines() -> list[list[str]]:
    """Every `retrainer` command that a document shows, split as a shell would."""
    lines = []
    for block in (block for page in PAGES for block in blocks("console", page)):
        joined = block.replace("\\\n", " ")
        for line in joined.splitlines():
            # `pause|resume` stands for a command of each name, `&` for the background.
            if line.startswith("$ retrainer "):
                words = shlex.split(line.removeprefix("$ ").removesuffix(" &"), comments=True)
                choices = [word.split("|") for word in words]
                lines.extend(map(list, itertools.product(*choices)))
    for path in FILES:
        if path.suffix == ".yaml":
            for arguments in re.findall(r"args: \[(retrainer, .*?)\]", path.read_text()):
                lines.append(arguments.split(", "))
    for arguments in re.findall(r'args\s*= \["retrainer", (.*?)\]', TERRAFORM["service.tf"]):
        lines.append(["retrainer", *(text.strip('"') for text in arguments.split(", "))])
    return lines


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(DOCUMENTS)))
def test_every_environment_variable_is_a_setting(path: Path) -> None:
    named = set(re.findall(r"RETRAINER_[A-Z_]*[A-Z]", path.read_text()))
    assert named <= known_variables()


def test_documents_show_commands() -> None:
    assert len(command_lines()) >= 40


@pytest.mark.parametrize("line", command_lines(), ids=" ".join)
def test_every_command_parses(line: list[str]) -> None:
    command: click.Command = cli
    arguments = line[1:]
    while isinstance(command, click.Group):
        context = click.Context(command)
        name, *arguments = arguments
        found = command.get_command(context, name)
        assert found, f"there is no command {name!r} in {line}"
        command = found
    # Parses flags and choices without calling anything.
    command.make_context(command.name, arguments)


def leaf_commands(group: click.Group, *path: str) -> set[tuple[str, ...]]:
    """Every command below a group, as the words that call it."""
    found: set[tuple[str, ...]] = set()
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        here = (*path, name)
        if isinstance(command, click.Group):
            found |= leaf_commands(command, *here)
        elif not command.hidden:
            found.add(here)
    return found


def test_the_page_of_commands_has_every_command_and_make_target() -> None:
    page = (ROOT / "docs/commands.md").read_text().replace("\\|", "|")
    named = set()
    for code in re.findall(r"`([^`]+)`", page):
        words = [word.split("|") for word in code.removeprefix("retrainer ").split()]
        named |= {one[:depth] for one in itertools.product(*words) for depth in (1, 2, 3)}
    assert leaf_commands(cli) <= named
    targets = set(re.findall(r"^([a-z]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {("make", target) for target in targets - {"help", "clean"}} <= named


def test_retrain_yaml_of_the_readme_is_right() -> None:
    examples = [block for block in blocks("yaml") if "\nname:" in block]
    assert examples
    for number, text in enumerate(examples):
        read_config(text, f"example {number}")


def test_the_example_of_two_environments_runs_as_it_is_and_elsewhere(tmp_path, monkeypatch) -> None:
    page = (ROOT / "docs/settings.md").read_text()
    (text,) = [block for block in re.findall(r"```yaml\n(.*?)```", page, re.S) if "${" in block]
    (tmp_path / "retrain.yaml").write_text(text)
    shutil.copy(ROOT / "pipelines/examples/starter/model.py", tmp_path)
    assert load_config(tmp_path).config.tasks.train_model.accelerator is None
    for setting in ("STORE=gs://acme-ml/store", "PROJECT=acme-ml", "ACCELERATOR=NVIDIA_TESLA_T4"):
        assert setting in page
        monkeypatch.setenv(*setting.split("="))
    monkeypatch.setenv("ORDERS", "gs://acme-ml/orders/day={span:%Y-%m-%d}/*.parquet")
    loaded = load_config(tmp_path)
    assert loaded.config.data.pattern.startswith("gs://acme-ml/orders/day={span:")
    assert check_target(loaded) == []


def test_project_of_the_manifests_is_right() -> None:
    loaded = load_config(DOCUMENTS / "kubeflow/project/retrain.yaml")
    assert "preprocessing_fn" in loaded.module_source


def test_model_of_the_manifests_is_the_starters() -> None:
    starter = ROOT / "pipelines/examples/starter/model.py"
    assert (DOCUMENTS / "kubeflow/project/model.py").read_text() == starter.read_text()


def test_the_page_of_notifications_has_every_outcome() -> None:
    page = ROOT / "docs/notifications.md"
    rows = re.findall(r"^\| `(\w+)` \|", page.read_text(), re.MULTILINE)
    assert set(rows) == set(get_args(Outcome))
    # YAML 1.1 takes `on` for true.
    (shown, *_) = blocks("yaml", page)
    assert tuple(yaml.load(shown, yaml.BaseLoader)["notify"]["on"]) == DEFAULT_OUTCOMES


def test_the_page_of_targets_names_the_tasks_that_are_never_cached() -> None:
    (listed,) = re.findall(
        r"change the world\s+\(([^)]*)\)\s+are never cached", (ROOT / "docs/targets.md").read_text()
    )
    assert set(re.findall(r"`(\w+)`", listed)) == set(NEVER_CACHED)


def test_images_are_of_this_version() -> None:
    named = {
        tag
        for path in FILES
        for tag in re.findall(r"\bretrainer(?:-trigger)?:(\d[\w.]*)", path.read_text())
    }
    assert named == {VERSION}


def test_user_is_that_of_the_image() -> None:
    for name in ("Dockerfile", "Dockerfile.trigger"):
        text = (ROOT / name).read_text()
        assert f"--uid {USER} " in text
        assert f"\nUSER {USER}\n" in text
    pod = yaml.safe_load((DOCUMENTS / "kubeflow/base/deployment.yaml").read_text())
    security = pod["spec"]["template"]["spec"]["securityContext"]
    assert {security[key] for key in ("runAsUser", "runAsGroup", "fsGroup")} == {USER}


def test_port_and_paths_are_those_of_the_service() -> None:
    source = "".join(path.read_text() for path in (ROOT / "pipelines/triggers").rglob("*.py"))
    options = {option.name: option for option in trigger.commands["serve"].params}
    assert options["port"].default == 8080
    assert "container_port = 8080" in TERRAFORM["service.tf"]
    deployment = (DOCUMENTS / "kubeflow/base/deployment.yaml").read_text()
    assert "containerPort: 8080" in deployment
    paths = set(re.findall(r'path\s*[=:] "?(/[a-z]+)', TERRAFORM["service.tf"] + deployment))
    assert paths == {"/healthz", "/readyz"}
    assert "/push" in TERRAFORM["messages.tf"]
    for path in (*paths, "/push"):
        assert f'"{path}"' in source


def test_role_covers_what_claims_in_leases_need() -> None:
    (role, _) = yaml.safe_load_all((DOCUMENTS / "kubeflow/base/role.yaml").read_text())
    (verbs,) = (rule["verbs"] for rule in role["rules"] if "leases" in rule["resources"])
    source = (ROOT / "pipelines/triggers/claims/leases.py").read_text()
    calls = set(re.findall(r"_api\.([a-z]+)_namespaced_lease", source))
    named = {"read": "get", "replace": "update"}
    assert {named.get(call, call) for call in calls} == set(verbs)


def test_terraform_names_its_variables_in_the_example() -> None:
    declared = set(re.findall(r'^variable "(\w+)"', TERRAFORM["variables.tf"], re.MULTILINE))
    example = (DOCUMENTS / "terraform/terraform.tfvars.example").read_text()
    set_there = set(re.findall(r"^(?:# )?(\w+)\s+= ", example, re.MULTILINE))
    assert set_there <= declared
    required = {
        name
        for name in declared
        if "default" not in TERRAFORM["variables.tf"].split(f'variable "{name}"')[1].split("\n}")[0]
    }
    assert required <= set_there


def test_scheduler_sets_the_attribute_that_triggers_read() -> None:
    assert f'"{TRIGGER_KEY}" = var.schedule_trigger' in TERRAFORM["schedule.tf"]
