"""docs/deploy/kubeflow in a namespace of its own, built by Kustomize's own library."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import yaml

DOCUMENTS = Path(__file__).resolve().parents[2] / "docs/deploy"
_NAMESPACE = re.compile(r"^(namespace:) orders$", re.MULTILINE)


class Overlays:
    """A copy of the overlays, with another namespace, as a reader of the README makes it.

    Attributes:
        folder: The copy.
        namespace: The namespace.
    """

    def __init__(self, folder: Path, program: Path, namespace: str) -> None:
        """Make the copy.

        Args:
            folder: Where to.
            program: tools/deploy/manifests, built.
            namespace: The namespace.
        """
        self.folder = Path(shutil.copytree(DOCUMENTS / "kubeflow", folder / "kubeflow"))
        self.namespace, self._program = namespace, program
        for file in self.folder.glob("overlays/*/kustomization.yaml"):
            file.write_text(_NAMESPACE.sub(rf"\1 {namespace}", file.read_text()))

    def edit(self, file: str, old: str, new: str) -> None:
        """Replace a text that is in a file."""
        text = (self.folder / file).read_text()
        assert old in text
        (self.folder / file).write_text(text.replace(old, new))

    def build(self, overlay: str) -> list[dict[str, Any]]:
        """Build an overlay.

        Args:
            overlay: The name of its folder.

        Returns:
            Its objects.
        """
        command = [str(self._program), "-print", str(self.folder / "overlays" / overlay)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return list(yaml.load_all(done.stdout, Loader=yaml.CSafeLoader))
