"""The package holds what the folders hold, and the locks hold what the package asks for."""

import ast
import importlib.metadata
import itertools
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SOURCES = ("components", "pipelines")
LOCKS = {"py311": ("3.11",), "py313": ("3.12", "3.13")}


def source_files() -> list[Path]:
    """Every file of the two source folders that git would take."""
    return [
        path
        for source in SOURCES
        for path in sorted((ROOT / source).rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    ]


def pins(*names: str) -> dict[str, list[Requirement]]:
    """The pinned requirements of lock files by package name."""
    found: dict[str, list[Requirement]] = {}
    for name in names:
        text = (ROOT / "requirements" / f"{name}.txt").read_text()
        for line in re.findall(r"^[a-z0-9].*?(?= \\$)", text, flags=re.MULTILINE):
            requirement = Requirement(line)
            found.setdefault(canonicalize_name(requirement.name), []).append(requirement)
    return found


def test_wheel_holds_every_file(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
    # Sources are copied: building in the checkout would leave its traces there.
    copied = tmp_path / "project"
    for path in [
        *source_files(),
        *(ROOT / n for n in ("pyproject.toml", "setup.py", "README.md", "LICENSE")),
    ]:
        target = copied / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    subprocess.run([*command, "--no-build-isolation", "-w", tmp_path, copied], check=True)
    (wheel,) = tmp_path.glob("retrainer-*.whl")
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert held == {f"retrainer/{path.relative_to(ROOT).as_posix()}" for path in source_files()}


@pytest.mark.parametrize("line", LOCKS)
def test_lock_satisfies_the_project(line: str) -> None:
    extras = PROJECT["project"]["optional-dependencies"]
    cases = [
        (
            PROJECT["project"]["dependencies"]
            + extras["components"]
            + extras["gcs"]
            + extras["s3"],
            pins(line),
        ),
        (PROJECT["project"]["dependencies"] + extras["gcs"] + extras["s3"], pins(f"{line}-light")),
        (extras["demo"] + extras["dev"], pins(line, f"{line}-dev")),
    ]
    for version in LOCKS[line]:
        environment = {"python_version": version, "python_full_version": f"{version}.5"}
        for wanted, locked in cases:
            for requirement in map(Requirement, wanted):
                if requirement.marker and not requirement.marker.evaluate(environment):
                    continue
                entries = [
                    pin
                    for pin in locked.get(canonicalize_name(requirement.name), [])
                    if pin.marker is None or pin.marker.evaluate(environment)
                ]
                assert len(entries) == 1, f"{requirement} in {line}: run make lock"
                (pin,) = entries[0].specifier
                assert requirement.specifier.contains(pin.version), f"{requirement}: run make lock"


def test_the_lowest_lock_has_the_versions_that_the_project_names() -> None:
    locked = pins("py311-lowest")
    extras = PROJECT["project"]["optional-dependencies"].values()
    environment = {"python_version": "3.11", "python_full_version": "3.11.5"}
    for text in [*PROJECT["project"]["dependencies"], *itertools.chain(*extras)]:
        requirement = Requirement(text)
        if requirement.marker and not requirement.marker.evaluate(environment):
            continue
        lowest = {
            Version(spec.version)
            for spec in requirement.specifier
            if spec.operator in (">=", "~=", "==")
        }
        ((pin,),) = (entry.specifier for entry in locked[canonicalize_name(requirement.name)])
        assert lowest == {Version(pin.version)}, (
            f"{text}: the lowest version that can be installed is {pin.version}; "
            "name it in pyproject.toml, or run make lock"
        )


@pytest.mark.parametrize(
    "path", sorted((ROOT / "requirements").glob("*.txt")), ids=lambda p: p.name
)
def test_lock_has_hashes_and_names_no_index(path: Path) -> None:
    text = path.read_text()
    assert "://" not in text
    assert not re.search(r"^\s*--(?!hash)", text, flags=re.MULTILINE)
    entries = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]
    assert entries
    assert all("--hash=sha256:" in entry for entry in entries)


def test_every_import_is_declared() -> None:
    declared = {
        canonicalize_name(Requirement(text).name)
        for group in (
            PROJECT["project"]["dependencies"],
            *PROJECT["project"]["optional-dependencies"].values(),
        )
        for text in group
    }
    # These come with, and are versioned by, the TFX libraries.
    declared |= {"retrainer", "tfx-bsl", "tensorflow-metadata", "tensorflow-serving-api"}
    providers = importlib.metadata.packages_distributions()
    undeclared = set()
    for path in source_files():
        if path.suffix != ".py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level and node.module:
                names = [node.module]
            for name in names:
                top = name.partition(".")[0]
                if top in sys.stdlib_module_names or top == "google":
                    continue
                # A package of the other dependency line is not there to say what it provides.
                owners = {canonicalize_name(owner) for owner in providers.get(top, [top])}
                if not owners & declared:
                    undeclared.add(f"{path.relative_to(ROOT)}: {name}")
    assert not undeclared


def test_image_carries_the_project_version() -> None:
    version = PROJECT["project"]["version"]
    for name in ("Dockerfile", "Dockerfile.trigger"):
        assert f"ARG VERSION={version}\n" in (ROOT / name).read_text()


@pytest.mark.parametrize("line", LOCKS)
def test_the_light_lock_has_the_versions_that_everything_else_has(line: str) -> None:
    everything = {str(pin[0]) for pin in pins(line).values()}
    light = {name: str(pin[0]) for name, pin in pins(f"{line}-light").items()}
    assert set(light.values()) <= everything, "run make lock"
    assert {"aiohttp", "kfp", "kubernetes", "google-cloud-aiplatform"} <= set(light)
    assert not {
        "tensorflow",
        "apache-beam",
        "numpy",
        "pyarrow",
        "tensorflow-data-validation",
    } & set(light)
