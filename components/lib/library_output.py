"""Artifacts that a library writes, on file systems that are buckets.

On Vertex AI an artifact's path is `/gcs/<bucket>/...`, a mount of gcsfuse. Its rules, from GoogleCloudPlatform/gcsfuse,
docs/semantics.md, and where it says so seen with gcsfuse 3.2.8:

- A folder can't be renamed in a bucket without hierarchical namespace ("Missing features"; seen: EMFILE).
- There are no hard links (seen: link gives EPERM). `chmod` is ignored ("Permissions and ownership").
- Renaming a file is a copy and a deletion in such a bucket, so it takes as long as writing it.
- A file that is written in any order but from start to end, or changed later, is first kept whole on the machine's own
  disk ("Staged writes"); one that is written from start to end streams to the bucket ("Streaming writes").
- An object is there when its file is closed, not after fsync ("FSync operation does not finalize the object"). A
  killed process's files are closed by the kernel: what it had written so far becomes an object like any other (seen).

Libraries rename folders (TFT), write at random (TensorFlow's checkpoints) and change what they wrote (column names in a
SavedModel). So they write on the machine's own disk, and the files are then copied, each from start to end.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def written_locally(output: str, last: str) -> Iterator[str]:
    """Let a library write an artifact to a local folder, and copy its files when it is done.

    What an earlier attempt of the task left in the artifact's folder is deleted first. Nothing is copied if the block
    raises.

    Args:
        output: The artifact's folder.
        last: The file without which no reader takes the artifact for whole, relative to its folder. It is deleted
            first and copied last, so a task that is killed meanwhile leaves nothing that looks whole.

    Yields:
        An empty local folder.
    """
    with tempfile.TemporaryDirectory(prefix="retrainer-output-") as folder:
        yield folder
        copy_files(folder, output, last)


def copy_files(folder: str, output: str, last: str) -> None:
    """Copy a folder's files one by one; see `written_locally`."""
    source, target = Path(folder), Path(output)
    with suppress(FileNotFoundError):
        (target / last).unlink()
    files = sorted(path.relative_to(source) for path in source.rglob("*") if path.is_file())
    for old in sorted(target.rglob("*")) if target.exists() else ():
        if not old.is_dir() and old.relative_to(target) not in files:
            old.unlink()
    for file in sorted(files, key=lambda file: file == Path(last)):
        os.makedirs((target / file).parent, exist_ok=True)
        shutil.copyfile(source / file, target / file)
