"""Set up .venv-lowest: the lowest versions that pyproject.toml allows, on Python 3.11.

Run by `make lowest`, with the Python of .venv, whose uv installs. The packages that come as source
are built beside the environment: its setuptools need not work with its packaging.
"""

import importlib
import sys

# tools/setup.py; mypy would take the setup.py beside pyproject.toml.
setup = importlib.import_module("setup")

LOCK = setup.REQUIREMENTS / "py311-lowest.txt"
VENV = setup.ROOT / ".venv-lowest"


def main() -> int:
    """Set up the environment.

    Returns:
        The exit code.
    """
    home = setup.ROOT / ".venv"
    settings = {"UV_PYTHON_DOWNLOADS": "never", **setup.uv_environment(home)}
    uv = str(home / "bin/uv")
    into = ["--python", str(VENV / "bin/python")]
    into += ["--build-constraint", str(setup.REQUIREMENTS / "build.txt")]
    print(f"Setting up {setup.shown(VENV)} with the lowest versions:")
    try:
        empty = [uv, "venv", "--allow-existing", "--python", "3.11", str(VENV)]
        setup.run("an environment with Python 3.11", empty, settings)
        locked = [uv, "pip", "sync", *into, "--require-hashes", str(LOCK)]
        setup.run(f"the packages of {setup.shown(LOCK)}", locked, settings)
        editable = [uv, "pip", "install", *into, "--no-deps", "--editable", str(setup.ROOT)]
        setup.run("retrainer", editable, settings)
    except setup.SetUpError as error:
        print(f"retrainer: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
