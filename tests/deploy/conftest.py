"""The programs that check the deployment documents, built once a session."""

import importlib.util
import itertools
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from servers.deploy_overlays import Overlays
from servers.kube_apiserver import KubeApiserver

ROOT = Path(__file__).resolve().parents[2]


def load_tool(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        f"deploy_{name}", ROOT / "tools/deploy" / f"{name}.py"
    )
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def check() -> ModuleType:
    return load_tool("check")


@pytest.fixture(scope="session")
def replay() -> ModuleType:
    return load_tool("replay")


def built(check: ModuleType, name: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    try:
        return check.build(name, tmp_path_factory.mktemp(name))
    except check.LackingError as error:
        pytest.skip(f"{name} can't be built here: {error}")


@pytest.fixture(scope="session")
def provider(check: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(check, "provider", tmp_path_factory)


@pytest.fixture(scope="session")
def manifests(check: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(check, "manifests", tmp_path_factory)


@pytest.fixture(scope="session")
def namespaces(kube_apiserver: KubeApiserver) -> Callable[..., str]:
    """Return what makes a namespace; none is deleted, as no controller would finish that."""
    numbers = itertools.count()

    def make(*accounts: str) -> str:
        name = f"team-{next(numbers)}"
        kube_apiserver.add_namespace(name, *accounts)
        return name

    return make


@pytest.fixture
def overlays(tmp_path: Path, manifests: Path, namespaces: Callable[..., str]) -> Overlays:
    return Overlays(tmp_path, manifests, namespaces("default-editor"))
