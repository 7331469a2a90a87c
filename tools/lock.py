"""Write the lock files in requirements/ from pyproject.toml, with hashes and no index's name.

Each dependency line has three: `<line>.txt` is what runs in production (the image installs it and
nothing else), `<line>-dev.txt` what the demo and the tests want beside it, and `<line>-light.txt`
the part of `<line>.txt` without the extra `components`, which the trigger service's image has.
`py311-lowest.txt` has the lowest versions that pyproject.toml allows on Python 3.11 (`make lowest`).
`build.txt` is what builds the few packages that come as source, and `uv`, which installs the rest.
`servers/<name>.txt` is what a server has that tests talk to, in an environment of its own; `servers/<name>.in`
names it.

Run by `make lock`, with the Python of the project's environment.
"""

import itertools
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / "requirements"
LIGHT_EXTRAS = ("gcs", "s3", "sagemaker")
RUNTIME_EXTRAS = ("components", *LIGHT_EXTRAS)
DEV_EXTRAS = (*RUNTIME_EXTRAS, "demo", "dev")
LOWEST_LINE = "py311"
LINUX = {"sys_platform": "linux", "platform_machine": "x86_64", "platform_system": "Linux"}
MACOS = {"sys_platform": "darwin", "platform_machine": "arm64", "platform_system": "Darwin"}


@dataclass(frozen=True)
class Line:
    """A dependency line: its lock's name, the Python versions and the platforms it serves."""

    name: str
    pythons: tuple[str, ...]
    platforms: tuple[dict[str, str], ...]

    def environments(self) -> Iterator[dict[str, str]]:
        """Every combination of version and platform, as a marker's environment."""
        for python in self.pythons:
            for patch, platform in itertools.product(("0", "99"), self.platforms):
                full = f"{python}.{patch}"
                yield {"python_version": python, "python_full_version": full, **platform}


LINES = (
    Line("py311", ("3.11",), (LINUX,)),
    Line("py313", ("3.12", "3.13"), (LINUX, MACOS)),
)


def main() -> None:
    """Resolve every line and write its files; versions stay where they still fit, unless `--upgrade` is given."""
    REQUIREMENTS.mkdir(exist_ok=True)
    upgrade = "--upgrade" in sys.argv
    for line in LINES:
        print(f"resolving {line.name} ...", flush=True)
        kept = [] if upgrade else pins_of(f"{line.name}.txt", f"{line.name}-dev.txt")
        runtime = resolve(line, RUNTIME_EXTRAS, kept=kept)
        write(REQUIREMENTS / f"{line.name}.txt", "What runs in production.", runtime)
        pins = [entry.split(" \\")[0] for entry in runtime]
        everything = resolve(line, DEV_EXTRAS, pins, kept)
        names = {Requirement(pin).name for pin in pins}
        beside = [e for e in everything if Requirement(e.split(" \\")[0]).name not in names]
        write(
            REQUIREMENTS / f"{line.name}-dev.txt",
            f"What the demo and the tests want beside {line.name}.txt.",
            beside,
        )
        light = resolve(line, LIGHT_EXTRAS, pins)
        write(
            REQUIREMENTS / f"{line.name}-light.txt",
            f"What of {line.name}.txt is used where no task runs: the trigger service, a scheduler's machine.",
            light,
        )
        if line.name == LOWEST_LINE:
            name = f"{line.name}-lowest.txt"
            kept = [] if upgrade else pins_of(name)
            lowest = resolve(line, DEV_EXTRAS, kept=kept, options=["--resolution", "lowest-direct"])
            what = "The lowest versions that pyproject.toml allows, with what they need."
            write(REQUIREMENTS / name, what, lowest)
    print("resolving build ...", flush=True)
    build = compile_lock(
        ["--universal", "--python-version", "3.11", "-"],
        "setuptools\nuv\nwheel\n",
        kept=[] if upgrade else pins_of("build.txt"),
    )
    write(REQUIREMENTS / "build.txt", "What builds the packages that come as source.", build)
    for wanted in sorted((REQUIREMENTS / "servers").glob("*.in")):
        lock_server(wanted, upgrade)


def lock_server(wanted: Path, upgrade: bool) -> None:
    """Lock the environment of a server that tests talk to.

    Args:
        wanted: What it has, `<name>.in`.
        upgrade: Take the newest versions.
    """
    name = f"servers/{wanted.stem}.txt"
    print(f"resolving {name} ...", flush=True)
    kept = [] if upgrade else pins_of(name)
    entries = compile_lock(["--universal", "--python-version", "3.11", str(wanted)], kept=kept)
    write(
        REQUIREMENTS / name,
        "What a server in the tests has, in an environment of its own.",
        entries,
    )


def pins_of(*names: str) -> list[str]:
    """List the pins of lock files, as `name==version ; marker`."""
    texts = [path.read_text() for name in names if (path := REQUIREMENTS / name).exists()]
    return [pin for text in texts for pin in re.findall(r"^(\S+==.*?) \\$", text, re.MULTILINE)]


def resolve(
    line: Line,
    extras: Iterable[str],
    constraints: Iterable[str] = (),
    kept: Iterable[str] = (),
    options: Iterable[str] = (),
) -> list[str]:
    """Lock the project with these extras on one line.

    Args:
        line: The dependency line.
        extras: The extras of pyproject.toml to include.
        constraints: Pins that hold, as `name==version ; marker`.
        kept: Pins that are taken where they fit.
        options: More options of `uv pip compile`.

    Returns:
        One entry a package: its pin and its hashes, a marker only where the line's environments
        differ.
    """
    after = f"3.{int(line.pythons[-1].split('.')[1]) + 1}"
    markers = [
        f"sys_platform == '{platform['sys_platform']}' "
        f"and platform_machine == '{platform['platform_machine']}' "
        f"and python_full_version >= '{line.pythons[0]}' and python_full_version < '{after}'"
        for platform in line.platforms
    ]
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "pyproject.toml"
        text = (ROOT / "pyproject.toml").read_text()
        project.write_text(f"{text}\n[tool.uv]\nenvironments = {markers!r}\n")
        pins = Path(folder) / "constraints.txt"
        pins.write_text("\n".join(constraints))
        arguments = ["--universal", "--python-version", line.pythons[0], "-c", str(pins), *options]
        for extra in extras:
            arguments += ["--extra", extra]
        entries = compile_lock([*arguments, str(project)], cwd=folder, kept=kept)
    return [without_needless_marker(entry, line) for entry in entries]


def compile_lock(
    arguments: list[str], stdin: str = "", cwd: str | None = None, kept: Iterable[str] = ()
) -> list[str]:
    """Run `uv pip compile` and split what it writes into one entry a package."""
    command = [sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--no-header"]
    command += ["--no-annotate", "--no-emit-index-url", "--generate-hashes", *arguments]
    with tempfile.NamedTemporaryFile("w+", suffix=".txt") as lock:
        # uv prefers the versions that it finds in its output file.
        lock.write("\n".join(kept))
        lock.flush()
        command += ["--output-file", lock.name]
        if subprocess.run(
            command, input=stdin, stdout=subprocess.DEVNULL, text=True, cwd=cwd
        ).returncode:
            sys.exit("uv could not resolve the requirements; it says why above")
        text = Path(lock.name).read_text()
    return re.findall(r"^\S.*?(?=^\S|\Z)", text, flags=re.MULTILINE | re.DOTALL)


def without_needless_marker(entry: str, line: Line) -> str:
    """Drop an entry's marker if it holds in every environment of the line."""
    head, hashes = entry.split(" \\", 1)
    requirement = Requirement(head)
    marker = requirement.marker
    if marker is None or all(marker.evaluate(dict(e)) for e in line.environments()):
        head = head.split(" ;")[0]
    return f"{head} \\{hashes}"


def write(path: Path, what: str, entries: Iterable[str]) -> None:
    """Write one lock file."""
    head = f"# {what} Written by `make lock`; do not edit.\n"
    path.write_text(head + "".join(entries))
    print(f"  {path.relative_to(ROOT)}: {sum(1 for _ in entries)} packages")


if __name__ == "__main__":
    main()
