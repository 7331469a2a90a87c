"""Set up the environment that `make` works in: a venv with the locked packages and retrainer.

Asks for nothing but the standard library of a Python that retrainer serves; tools/setup.sh finds
one. What is missing on the machine is said in a sentence before anything is downloaded. A stamp in
the environment holds a digest of what it was made from, so that a second call has nothing to do.
"""

import argparse
import ast
import contextlib
import fcntl
import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / "requirements"
NEEDED_DISK = 5 * 2**30
NEWER_GLIBC = (2, 39)
OLDER_GLIBC = (2, 17)
# pip's settings that uv has its own names for.
UV_SETTINGS = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "trusted-host": "UV_INSECURE_HOST",
    "client-cert": "SSL_CLIENT_CERT",
    "cert": "SSL_CERT_FILE",
    "proxy": "ALL_PROXY",
}


class SetUpError(Exception):
    """What stands in the way, and what to do about it, in one sentence."""


def main() -> int:
    """Set up the environment, or say what it lacks.

    Returns:
        The exit code.
    """
    parser = argparse.ArgumentParser(description="Set up retrainer's environment.")
    parser.add_argument("--into", type=Path, default=ROOT / ".venv", help="the folder of the venv")
    parser.add_argument("--python-chosen", action="store_true", help="the user named this Python")
    parser.add_argument(
        "--runtime", action="store_true", help="only what runs in production, without retrainer"
    )
    arguments = parser.parse_args()
    try:
        with only_one():
            set_up(arguments.into, arguments.runtime, arguments.python_chosen)
    except SetUpError as error:
        print(f"retrainer: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nretrainer: stopped; the next call starts again", file=sys.stderr)
        return 130
    return 0


def set_up(venv: Path, runtime: bool, python_chosen: bool) -> None:
    """Make the venv unless it stands as the locks want it.

    Args:
        venv: The folder of the environment.
        runtime: Install only what runs in production, and not retrainer itself.
        python_chosen: The environment has to be this Python's, not only a served one's.
    """
    locks = lock_files(runtime)
    stamp = venv / "retrainer-setup"
    wanted = digest(locks)
    made = stamp.read_text().splitlines() if stamp.exists() else []
    if made[:1] == [wanted]:
        return
    inside = Path(sys.prefix).resolve() == venv.resolve()
    # Only one whose set-up came to its end is kept, and whose scripts start the Python that lies here.
    kept = inside and not python_chosen and made[1:] == [str(venv.resolve())]
    home = Path(sys.base_prefix, "bin", f"python{line_python()}")
    python = str(home) if inside and home.exists() else sys.executable
    check_platform()
    check_tools(venv)
    if python_chosen and venv.exists():
        remove(venv)
    version = platform.python_version()
    print(f"Setting up {shown(venv)} with Python {version}, once (about a minute, 4 GB):")
    stamp.unlink(missing_ok=True)
    # An environment that is kept only gets what changed in the locks.
    if not kept:
        run("an empty environment", [python, "-m", "venv", "--clear", str(venv)])
    run("the installer", [*pip(venv), "--require-hashes", "-r", str(REQUIREMENTS / "build.txt")])
    install(venv, locks)
    if not runtime:
        editable = ["--no-deps", "--no-build-isolation", "--editable", str(ROOT)]
        run("retrainer", [*pip(venv), *editable])
    stamp.write_text(f"{wanted}\n{venv.resolve()}\n")


def lock_files(runtime: bool) -> list[Path]:
    """The lock files of this Python's dependency line."""
    line = "py311" if sys.version_info < (3, 12) else "py313"
    names = [f"{line}.txt"] if runtime else [f"{line}.txt", f"{line}-dev.txt"]
    return [REQUIREMENTS / name for name in names]


def digest(locks: list[Path]) -> str:
    """A digest of everything that the environment is made from, and of where it lies."""
    found = hashlib.sha256(f"{ROOT} {line_python()}".encode())
    for path in [*locks, REQUIREMENTS / "build.txt", ROOT / "pyproject.toml"]:
        found.update(path.read_bytes() if path.exists() else b"")
    return found.hexdigest()


def line_python() -> str:
    """This Python's version, as in `python3.11`."""
    return "{}.{}".format(*sys.version_info)


def check_platform() -> None:
    """Refuse a Python, a C library or a machine that no dependency line serves."""
    version = line_python()
    system, machine = platform.system(), platform.machine()
    instead = "use Python 3.11 here, or a system with glibc 2.39 (Debian 13, Ubuntu 24.04)"
    python = tuple(sys.version_info[:2])
    if not (3, 11) <= python <= (3, 13):
        raise SetUpError(f"Python {version} is not served: use Python 3.11, 3.12 or 3.13")
    if system == "Darwin":
        if machine != "arm64":
            raise SetUpError("macOS is served on Arm only: use a Linux machine or container")
        if python < (3, 12):
            raise SetUpError(f"Python {version} is not served on macOS: use Python 3.12 or 3.13")
        return
    if system != "Linux" or machine != "x86_64":
        raise SetUpError(
            f"the TFX libraries have no builds for {system} on {machine}: use Linux on x86-64, "
            "or macOS on Arm"
        )
    glibc = glibc_version()
    if not glibc:
        raise SetUpError(f"this system's C library is not glibc: {instead}")
    needed = OLDER_GLIBC if python < (3, 12) else NEWER_GLIBC
    if glibc < needed:
        raise SetUpError(
            f"Python {version} needs glibc {dotted(needed)} or newer and this system has "
            f"{dotted(glibc)}: {instead}"
        )


def glibc_version() -> tuple[int, ...] | None:
    """The C library's version, or None where it is another library than glibc."""
    try:
        text = os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (ValueError, OSError):
        return None
    name, _, version = text.partition(" ")
    return tuple(int(part) for part in version.split(".")[:2]) if name == "glibc" else None


def dotted(version: tuple[int, ...]) -> str:
    """A version as people write it."""
    return ".".join(str(part) for part in version)


def check_tools(venv: Path) -> None:
    """Check for what the set-up needs beside Python; nothing is installed outside of the environment."""
    missing = missing_tools()
    if missing:
        fix = f"install them for {sys.executable}"
        if from_debian():
            fix = f"sudo apt-get install {' '.join(debian_packages(missing))}"
        raise SetUpError(f"Python {line_python()} here lacks {' and '.join(missing)}: {fix}")
    free = shutil.disk_usage(venv.parent).free
    if free < NEEDED_DISK:
        raise SetUpError(
            f"{shown(venv)} needs {NEEDED_DISK >> 30} GB and {free / 2**30:.1f} GB are free there"
        )


def missing_tools() -> dict[str, str]:
    """What this Python lacks for a venv and for building from source, with Debian's package."""
    missing = {}
    probe = [sys.executable, "-c", "import ensurepip, venv"]
    if subprocess.run(probe, stderr=subprocess.DEVNULL).returncode:
        missing["the venv module with pip"] = f"python{line_python()}-venv"
    if not Path(sysconfig.get_path("platinclude"), "Python.h").exists():
        missing["its C headers (Python.h)"] = f"python{line_python()}-dev"
    for variable, fallback in (("CC", "cc"), ("CXX", "c++")):
        command = os.environ.get(variable) or sysconfig.get_config_var(variable) or fallback
        if not shutil.which(shlex.split(command)[0]):
            missing["a C++ compiler"] = "g++"
    return missing


def debian_packages(missing: dict[str, str]) -> list[str]:
    """The Debian packages that bring what is missing."""
    return sorted(set(missing.values()))


def from_debian() -> bool:
    """Whether this Python is a Debian package's, so that apt-get can complete it."""
    return bool(shutil.which("apt-get")) and Path(sys.base_prefix) == Path("/usr")


def install(venv: Path, locks: list[Path]) -> None:
    """Install the locks, with uv, or with pip where uv does not get through."""
    options = ["--require-hashes", "--no-build-isolation"]
    files = [str(lock) for lock in [REQUIREMENTS / "build.txt", *locks]]
    # It also removes what the locks no longer have, but for pip itself.
    uv = [str(venv / "bin/uv"), "pip", "sync", "--python", str(venv / "bin/python")]
    # As pip does: where nobody may write beside the packages, or PYTHONDONTWRITEBYTECODE is set, each start of
    # TensorFlow would take twice as long.
    uv.append("--compile-bytecode")
    what = f"the packages of {' and '.join(str(lock.relative_to(ROOT)) for lock in locks)}"
    try:
        run(what, [*uv, *options, *files], uv_environment(venv))
    except SetUpError as error:
        print(f"{error}\nuv could not install them; pip tries, which takes some minutes")
        run(what, [*pip(venv), *options, *(part for file in files for part in ("-r", file))])


def uv_environment(venv: Path) -> dict[str, str]:
    """The settings that pip has here, under uv's names."""
    # Links between file systems do not work, and uv warns where it falls back to copies.
    settings = {"UV_LINK_MODE": "copy"} if different_disks(venv) else {}
    listed = subprocess.run(
        [str(venv / "bin/pip"), "config", "list"], capture_output=True, text=True
    ).stdout
    for line in listed.splitlines():
        key, _, value = line.partition("=")
        name = UV_SETTINGS.get(key.rpartition(".")[2])
        if name and (text := str(ast.literal_eval(value)).strip()):
            settings[name] = text.replace("\n", " ")
    if "SSL_CERT_FILE" not in settings and "SSL_CERT_FILE" not in os.environ:
        settings["UV_SYSTEM_CERTS"] = "true"
    # uv separates links by commas, pip by spaces.
    if "UV_FIND_LINKS" in settings:
        links = settings["UV_FIND_LINKS"].split()
        settings["UV_FIND_LINKS"] = ",".join(x for x in links if "://" in x or Path(x).exists())
    return {name: value for name, value in settings.items() if name not in os.environ}


def different_disks(venv: Path) -> bool:
    """Whether uv's cache lies on another file system than the environment."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    try:
        return cache.stat().st_dev != venv.stat().st_dev
    except OSError:
        return False


def pip(venv: Path) -> list[str]:
    """The beginning of a pip command that installs into the venv."""
    return [str(venv / "bin/python"), "-m", "pip", "install", "--disable-pip-version-check"]


def run(what: str, command: list[str], environment: dict[str, str] | None = None) -> None:
    """Run a step with its name and its duration on one line; its output shows if it fails.

    Args:
        what: The step, in words.
        command: The program and its arguments.
        environment: Variables to set for it.

    Raises:
        SetUpError: The command failed; its whole output has been printed.
    """
    started = time.monotonic()
    with tempfile.TemporaryFile() as output, progress_line(what, started):
        done = subprocess.run(
            command,
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **(environment or {})},
        )
        output.seek(0)
        said = output.read().decode(errors="replace")
    if done.returncode:
        print(said, file=sys.stderr, end="" if said.endswith("\n") else "\n")
        raise SetUpError(f"installing {what} failed; its output is above")
    print(f"  {what}: {time.monotonic() - started:.0f} s", flush=True)


@contextlib.contextmanager
def progress_line(what: str, started: float) -> Iterator[None]:
    """On a terminal, show what is running and for how long until it ends."""
    if not sys.stdout.isatty():
        yield
        return
    ended = threading.Event()

    def tick() -> None:
        while not ended.wait(0.2):
            print(f"\r  {what} ... {time.monotonic() - started:.0f} s", end="", flush=True)

    ticker = threading.Thread(target=tick, daemon=True)
    ticker.start()
    try:
        yield
    finally:
        ended.set()
        ticker.join()
        print("\r\033[K", end="")


@contextlib.contextmanager
def only_one() -> Iterator[None]:
    """Let a second set-up of this checkout wait for the first to end."""
    folder = os.open(ROOT, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def remove(venv: Path) -> None:
    """Remove an environment, and nothing that is none."""
    if not (venv / "pyvenv.cfg").exists():
        raise SetUpError(f"{shown(venv)} is in the way and is no environment: move it")
    shutil.rmtree(venv)


def shown(path: Path) -> str:
    """A path as seen from the checkout."""
    with contextlib.suppress(ValueError):
        return str(path.relative_to(ROOT))
    return str(path)


if __name__ == "__main__":
    sys.exit(main())
