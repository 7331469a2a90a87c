"""Check the deployment documents without a cloud and without a cluster: what Terraform and Kubernetes would refuse.

Usage: python tools/deploy/check.py   (needs go; without terraform, only the manifests are checked)

Both checks are Go programs that are built from modules: Terraform's Google provider, cut down to its schemas, and
Kustomize with the types of the Kubernetes API. The first build takes two minutes on one core.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

TOOLS = Path(__file__).resolve().parent
DOCUMENTS = TOOLS.parents[1] / "docs" / "deploy"
OVERLAYS = DOCUMENTS / "kubeflow" / "overlays"
MADE_BY_HAND = ("Secret/google-credentials", "Secret/retrainer-trigger-tls")
"""What the overlays refer to and a person makes, because it is secret."""
# What go says if a module, or a newer go that one asks for, can't be had; everything else is a fault of ours.
_LACKING = re.compile(
    r"dial tcp|proxyconnect|i/o timeout|handshake timeout|: (403|429|5\d\d) |requires go >= |GOPROXY=off"
)


class LackingError(Exception):
    """A program can't be built here, because its modules can't be downloaded or this go is too old."""


def build(name: str, into: Path) -> Path:
    """Build one of the programs beside this file.

    Args:
        name: `manifests`, or `provider`, which gets the name that Terraform looks for.
        into: Folder to put it in.

    Returns:
        The program.

    Raises:
        LackingError: If its modules can't be downloaded, or this go is too old for them.
        subprocess.CalledProcessError: If it does not compile.
    """
    program = into / ("terraform-provider-google" if name == "provider" else name)
    environment = {**os.environ, "GOFLAGS": "-mod=readonly -buildvcs=false", "GOWORK": "off"}
    for command in (["go", "mod", "download"], ["go", "build", "-o", str(program), "."]):
        done = subprocess.run(
            command, cwd=TOOLS / name, env=environment, capture_output=True, text=True
        )
        if done.returncode and _LACKING.search(done.stderr):
            raise LackingError(done.stderr.strip().splitlines()[-1])
        if done.returncode:
            print(done.stderr, file=sys.stderr)
            done.check_returncode()
    return program


def check_manifests(program: Path, overlays: Sequence[Path]) -> list[str]:
    """Check Kustomize overlays.

    Args:
        program: What `build("manifests", ...)` gave.
        overlays: Folders with a kustomization.yaml.

    Returns:
        The faults; none if all is right.
    """
    command = [str(program), "-outside", ",".join(MADE_BY_HAND), *map(str, overlays)]
    return subprocess.run(command, capture_output=True, text=True).stderr.splitlines()


def check_terraform(provider: Path, folder: Path) -> list[str]:
    """Check a Terraform configuration: its form, against the provider's schemas, and its own tests.

    Args:
        provider: What `build("provider", ...)` gave.
        folder: The configuration; nothing is written to it.

    Returns:
        The faults; none if all is right.
    """
    with tempfile.TemporaryDirectory(prefix="retrainer-terraform-") as scratch:
        copy = Path(scratch) / "configuration"
        shutil.copytree(folder, copy, ignore=shutil.ignore_patterns(".terraform*", "*.tfstate*"))
        settings = Path(scratch) / "terraform.rc"
        settings.write_text(
            "provider_installation {\n"
            f'  dev_overrides {{ "hashicorp/google" = {json.dumps(str(provider.parent))} }}\n'
            "}\n"
        )
        environment = {
            **os.environ,
            "TF_CLI_CONFIG_FILE": str(settings),
            "CHECKPOINT_DISABLE": "1",
            "TF_IN_AUTOMATION": "1",
        }

        def terraform(*arguments: str) -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                ["terraform", *arguments], cwd=copy, env=environment, capture_output=True, text=True
            )

        unformatted = terraform("fmt", "-check", "-recursive")
        faults = [f"{name}: not as terraform fmt writes it" for name in unformatted.stdout.split()]
        if unformatted.returncode and not faults:
            faults = unformatted.stderr.splitlines()
        validated = json.loads(terraform("validate", "-json").stdout)
        faults += [
            _tell(diagnostic)
            for diagnostic in validated["diagnostics"]
            # The one warning that is ours: the provider is not the registry's.
            if diagnostic["summary"] != "Provider development overrides are in effect"
        ]
        if not validated["valid"]:
            return faults
        tested = terraform("test", "-no-color")
        if tested.returncode:
            faults += [line for line in (tested.stdout + tested.stderr).splitlines() if line]
    return faults


def _tell(diagnostic: dict) -> str:
    place = diagnostic.get("range")
    where = f"{place['filename']}:{place['start']['line']}: " if place else ""
    return f"{where}{diagnostic['summary']}: {diagnostic.get('detail', '')}".rstrip(": ")


def main() -> int:
    """Check all that is in docs/deploy.

    Returns:
        The exit code: 1 if there is a fault.
    """
    with tempfile.TemporaryDirectory(prefix="retrainer-deploy-") as scratch:
        faults = check_manifests(build("manifests", Path(scratch)), sorted(OVERLAYS.iterdir()))
        if shutil.which("terraform"):
            provider = build("provider", Path(scratch))
            faults += check_terraform(provider, DOCUMENTS / "terraform")
        else:
            print("terraform is not installed: docs/deploy/terraform is not checked")
    print("\n".join(faults), file=sys.stderr, end="\n" if faults else "")
    print(f"Deployment documents: {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
