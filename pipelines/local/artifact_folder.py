"""The folder of a run's artifacts, which one run has for itself.

A pipeline root may serve several stores, and only a store refuses a run id twice. So a run claims its folder by making
it, and leaves its own mark there.
"""

from contextlib import suppress
from pathlib import Path

from ...components.lib.errors import RetrainerError

_MARK = ".run"


def claim_folder(pipeline_root: str, run_id: str, uid: str, resumed: bool) -> None:
    """Claim the folder of a run's artifacts.

    Args:
        pipeline_root: Local folder of the artifacts of all runs.
        run_id: The run.
        uid: What distinguishes it from every other run, of any store.
        resumed: Whether an earlier attempt at it took the folder already.

    Raises:
        RetrainerError: If another run has it.
        OSError: If it can't be made.
    """
    folder = Path(pipeline_root, run_id)
    folder.mkdir(parents=True, exist_ok=True)
    mark = folder / _MARK
    others = any(entry.name != _MARK for entry in folder.iterdir())
    # Runs of releases without marks left none; a resumed run owns its folder.
    if mark.exists() or resumed or not others:
        with suppress(FileExistsError), mark.open("x") as file:
            file.write(uid)
        # An empty one is of a process that was killed as it wrote it.
        if mark.read_text() in (("", uid) if resumed or not others else (uid,)):
            return
    raise RetrainerError(
        f"'{folder}' holds the artifacts of another run with the name '{run_id}': of another store with the same "
        "pipeline_root, or of a run whose record was deleted. Choose another name (--run-id), or delete the folder."
    )


def release_folder(pipeline_root: str, run_id: str) -> None:
    """Release a folder that was just claimed and is still empty.

    Args:
        pipeline_root: Local folder of the artifacts of all runs.
        run_id: The run.
    """
    folder = Path(pipeline_root, run_id)
    (folder / _MARK).unlink(missing_ok=True)
    folder.rmdir()
