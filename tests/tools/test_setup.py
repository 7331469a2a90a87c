"""The set-up says in one sentence what the machine lacks."""

import importlib.util
import os
import stat
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def setup(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("retrainer_setup", ROOT / "tools/setup.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module.platform, "system", lambda: "Linux")
    monkeypatch.setattr(module.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(module, "glibc_version", lambda: (2, 41))
    return module


def python(monkeypatch: pytest.MonkeyPatch, module: ModuleType, *version: int) -> None:
    class Version(tuple):
        __slots__ = ()

    fake = SimpleNamespace(**{**vars(sys), "version_info": Version(version)})
    monkeypatch.setattr(module, "sys", fake)


@pytest.mark.parametrize("version", [(3, 11, 2), (3, 12, 0), (3, 13, 5)])
def test_served(monkeypatch: pytest.MonkeyPatch, setup: ModuleType, version: tuple) -> None:
    python(monkeypatch, setup, *version)
    setup.check_platform()


def test_old_glibc_for_the_newer_line(monkeypatch: pytest.MonkeyPatch, setup: ModuleType) -> None:
    python(monkeypatch, setup, 3, 13, 0)
    monkeypatch.setattr(setup, "glibc_version", lambda: (2, 36))
    with pytest.raises(setup.SetUpError) as caught:
        setup.check_platform()
    assert str(caught.value) == (
        "Python 3.13 needs glibc 2.39 or newer and this system has 2.36: use Python 3.11 here, "
        "or a system with glibc 2.39 (Debian 13, Ubuntu 24.04)"
    )


def test_another_c_library(monkeypatch: pytest.MonkeyPatch, setup: ModuleType) -> None:
    monkeypatch.setattr(setup, "glibc_version", lambda: None)
    with pytest.raises(setup.SetUpError, match="C library is not glibc"):
        setup.check_platform()


def test_missing_headers_name_the_package(
    monkeypatch: pytest.MonkeyPatch, setup: ModuleType, tmp_path: Path
) -> None:
    monkeypatch.setattr(setup.sysconfig, "get_path", lambda _: str(tmp_path))
    monkeypatch.setattr(setup, "from_debian", lambda: True)
    with pytest.raises(setup.SetUpError, match=r"its C headers .*apt-get install .*python3"):
        setup.check_tools(tmp_path / ".venv")


def test_pip_settings_reach_uv(
    monkeypatch: pytest.MonkeyPatch, setup: ModuleType, tmp_path: Path
) -> None:
    listed = "global.index-url='https://example.test/simple'\n:env:.cert='/ca.pem'\n"
    listed += ":env:.proxy=''\nglobal.timeout='9'\n"
    monkeypatch.setattr(setup.subprocess, "run", lambda *_, **__: SimpleNamespace(stdout=listed))
    for name in setup.UV_SETTINGS.values():
        monkeypatch.delenv(name, raising=False)
    settings = setup.uv_environment(tmp_path)
    settings.pop("UV_LINK_MODE", None)
    assert settings == {
        "UV_DEFAULT_INDEX": "https://example.test/simple",
        "SSL_CERT_FILE": "/ca.pem",
    }


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch, setup: ModuleType, tmp_path: Path) -> list[str]:
    """The steps of a set-up, run by the Python of the environment itself, which are named and not done."""
    done: list[str] = []
    monkeypatch.setattr(setup, "check_tools", lambda venv: None)
    monkeypatch.setattr(setup, "run", lambda what, *_: done.append(what))
    monkeypatch.setattr(setup.sys, "prefix", str(tmp_path / ".venv"))
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv/pyvenv.cfg").touch()
    monkeypatch.setattr(setup, "uv_environment", lambda venv: {})
    monkeypatch.setattr(setup, "digest", lambda locks: "locks of today")
    return done


NEW = "an empty environment"


def test_an_environment_gets_only_what_changed(
    setup: ModuleType, steps: list[str], tmp_path: Path
) -> None:
    venv = tmp_path / ".venv"
    (venv / "retrainer-setup").write_text(f"locks of yesterday\n{venv}\n")
    setup.set_up(venv, runtime=False, python_chosen=False)
    assert NEW not in steps
    assert steps[-1] == "retrainer"
    steps.clear()
    setup.set_up(venv, runtime=False, python_chosen=False)
    assert steps == []


@pytest.mark.parametrize("stamp", [None, "locks of yesterday\n/old/place/.venv\n"])
def test_an_interrupted_or_moved_environment_is_made_again(
    setup: ModuleType, steps: list[str], tmp_path: Path, stamp: str | None
) -> None:
    venv = tmp_path / ".venv"
    if stamp:
        (venv / "retrainer-setup").write_text(stamp)
    setup.set_up(venv, runtime=False, python_chosen=False)
    assert steps[0] == NEW


def test_an_environment_of_a_chosen_python_is_made_again(
    monkeypatch: pytest.MonkeyPatch, setup: ModuleType, steps: list[str], tmp_path: Path
) -> None:
    venv = tmp_path / ".venv"
    (venv / "retrainer-setup").write_text(f"locks of yesterday\n{venv}\n")
    monkeypatch.setattr(
        setup, "run", lambda what, *_: (venv.mkdir(exist_ok=True), steps.append(what))
    )
    setup.set_up(venv, runtime=False, python_chosen=True)
    assert steps[0] == NEW


def test_no_served_python_on_the_path(tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "setup.sh").write_text((ROOT / "tools/setup.sh").read_text())
    fake = tmp_path / "bin" / "python3"
    fake.parent.mkdir()
    fake.write_text('#!/bin/sh\ncase "$2" in *exit*) exit 1 ;; esac\necho 3.9\n')
    fake.chmod(fake.stat().st_mode | stat.S_IXUSR)
    for name in ("sh", "dirname"):
        os.symlink(f"/bin/{name}" if name == "sh" else f"/usr/bin/{name}", fake.parent / name)
    done = subprocess.run(
        ["/bin/sh", tools / "setup.sh"],
        env={"PATH": str(fake.parent)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "found 3.9 (python3)" in done.stderr
    assert len(done.stderr.splitlines()) == 1
