"""Folders of versions, as TensorFlow Serving reads them: `<model>/<number>/`, each there whole or not at all."""

import json
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ...folders import local_folder, publish_folder, remove_folder, remove_leftovers
from ...uris import exists, filesystem, is_local, join, list_names, read_json
from ..interface import ServedModel, ServiceError

MARKER = "retrainer.json"
"""Within a version's folder: the digest of the model, written last. TensorFlow Serving ignores it."""
_LEFTOVER_SECONDS = 3600.0


@dataclass(frozen=True)
class VersionFolders:
    """The versions of one model.

    Attributes:
        uri: Their folder.
    """

    uri: str

    def put(self, model: ServedModel) -> None:
        """Copy a version there, unless it is there already.

        Args:
            model: The version.

        Raises:
            ServiceError: If the folder has another model, or files of somebody else, or sizes differ after the copy.
        """
        uri = join(self.uri, str(model.version))
        if self._is_there(uri, model):
            return
        with local_folder(model.uri) as source, tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch, "version")
            shutil.copytree(source, folder)
            (folder / MARKER).write_text(json.dumps({"digest": model.digest}) + "\n")
            sizes = _sizes(str(folder))
            self._check_foreign(uri, sizes)
            publish_folder(folder, uri, MARKER)
        if (found := _sizes(uri)) != sizes:
            wrong = next(iter(sorted(sizes.items() ^ found.items())))[0]
            raise ServiceError(
                f"'{join(uri, wrong)}' is not as it was copied. Another process writes to '{self.uri}', or the disk is "
                "full; nothing was deployed.",
                transient=True,
            )

    def numbers(self) -> list[int]:
        """List the versions that retrainer put there, oldest first."""
        found = (int(name) for name in list_names(self.uri) if name.isdecimal())
        return sorted(one for one in found if exists(join(self.uri, str(one), MARKER)))

    def remove_but(self, needed: Iterable[int], keep: int) -> None:
        """Remove old versions that retrainer put there.

        Args:
            needed: Versions that stay.
            keep: How many others stay, the newest first.
        """
        if is_local(self.uri):
            remove_leftovers(self.uri, _LEFTOVER_SECONDS)
        unneeded = [number for number in self.numbers() if number not in set(needed)]
        for number in unneeded[: max(0, len(unneeded) - keep)]:
            remove_folder(join(self.uri, str(number)), MARKER)

    def _is_there(self, uri: str, model: ServedModel) -> bool:
        try:
            digest = read_json(join(uri, MARKER))["digest"]
        except FileNotFoundError:
            return False
        if digest != model.digest:
            raise ServiceError(
                f"'{uri}' has another model than version {model.version} of this registry (digest {digest[:12]}, not "
                f"{model.digest[:12]}). Another store deploys there: set another serving.deploy.tf_serving.model, or "
                "remove the folder."
            )
        return True

    def _check_foreign(self, uri: str, sizes: dict[str, int]) -> None:
        """Refuse a folder without our marker, unless it is half of our own upload to a bucket."""
        there = _sizes(uri)
        if there and (is_local(uri) or there.keys() - sizes.keys()):
            raise ServiceError(
                f"'{uri}' was not put there by retrainer. Set another serving.deploy.tf_serving.model, or remove the "
                "folder."
            )


def _sizes(uri: str) -> dict[str, int]:
    """Return the size of each file of a folder, by its name within it; none if there is no folder."""
    fs, path = filesystem(uri)
    fs.invalidate_cache(path)
    try:
        files = fs.find(path, detail=True)
    except FileNotFoundError:
        return {}
    root = path.rstrip("/") + "/"
    return {name.removeprefix(root): int(file["size"]) for name, file in files.items()}
