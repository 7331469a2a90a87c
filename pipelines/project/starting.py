"""Starting a project: the files that `retrainer init` writes."""

import importlib
from importlib.resources import files
from pathlib import Path

from ...components.lib.errors import RetrainerError
from ...components.lib.uris import write_atomic
from .json_schema import config_schema

FIRST_MONTHS = 10


def init_project(folder: Path, example: str = "starter") -> list[Path]:
    """Write a project that runs as it is.

    Args:
        folder: Where to; made if missing.
        example: One of `examples.EXAMPLES`.

    Returns:
        The files that were written, those of the data left out.

    Raises:
        RetrainerError: If a file of the project exists already; nothing is written then.
        OSError: If the disk is full or refuses.
    """
    package = files("retrainer.pipelines.examples") / example
    contents = {
        name: (package / name).read_text(encoding="utf-8") for name in ("retrain.yaml", "model.py")
    }
    contents["retrain.schema.json"] = config_schema()
    contents[".gitignore"] = "store/\ndata/\n"
    taken = [folder / name for name in contents if (folder / name).exists()]
    if taken:
        raise RetrainerError(
            f"'{taken[0]}' exists already and would be overwritten. Choose another folder, or move it away."
        )
    data = importlib.import_module(f"retrainer.pipelines.examples.{example}.data")
    if example != "flights":
        # It imports pandas, which no other command wants.
        from ..examples.spans import write_days

        write_days(data.make_day, data.NAME, folder / "data", data.DAYS)
    else:
        flights = data.read_flights()
        for month in range(1, FIRST_MONTHS + 1):
            data.write_month(flights, month, folder / "data")
    try:
        for name, text in contents.items():
            write_atomic(str(folder / name), text)
    except OSError:
        # Half a project would keep the next attempt from writing a whole one.
        for name in contents:
            (folder / name).unlink(missing_ok=True)
        raise
    return [folder / name for name in contents]
