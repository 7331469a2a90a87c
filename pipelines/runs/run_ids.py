"""Names of runs: how they are made, and what each place takes.

Runs that a message or a file causes are named after their cause (`targets.names.to_run_id`); all others here.
"""

import secrets
from datetime import UTC, datetime

from ...components.lib.errors import RetrainerError
from ...components.lib.runs.run_records import RUN_FOLDER
from ..project.formats.names import MAX_NAME, check_run_id

# 20 bits: of two runs that start in the same second, one pair in a million gets the same name, and is refused then.
_RANDOM_DIGITS = 5


def new_run_id(pipeline: str) -> str:
    """Name a run that a person asked for.

    Args:
        pipeline: The pipeline's name, by the rule of names that every target takes.

    Returns:
        `<pipeline>-<YYYYMMDD>-<HHMMSS>-<5 hexadecimal digits>`, the time in UTC; at most 128 characters, of which a
        long pipeline's name is cut. Every target takes it. Two people who start a run in the same second get two names.
    """
    random = secrets.token_hex(_RANDOM_DIGITS)[:_RANDOM_DIGITS]
    tail = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{random}"
    return check_run_id(f"{pipeline[: MAX_NAME - len(tail) - 1].rstrip('-')}-{tail}")


def check_local_run_id(run_id: str) -> str:
    """Check the name of a run on this machine, which becomes a folder's.

    Returns:
        The name.

    Raises:
        RetrainerError: If it can't be a folder's name everywhere.
    """
    if not RUN_FOLDER.fullmatch(run_id):
        raise RetrainerError(
            f"'{run_id}' is not a valid run name. Use up to 128 letters, digits, '.', '_' and '-', the first a "
            "letter or digit."
        )
    return run_id
