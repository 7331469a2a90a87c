"""What services take as names, checked here before anything is sent.

The rules are those of Vertex AI's API reference (`PipelineJob`, `pipelineJobId`; Google Cloud's labels) and hold
for Kubeflow, too, which takes more.
"""

import hashlib
import re
from collections.abc import Mapping

from ....components.lib.errors import RetrainerError

NAME_RULE = r"^[a-z][a-z0-9-]{0,127}$"
"""A pipeline's name, and a run's id."""
TRIGGER_KEY = "retrainer-trigger"
"""Label of a run, and attribute of a message: names the trigger that started it, or that it is for."""
MAX_NAME = 128
MAX_LABELS = 64
_LABEL_KEY = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_LABEL_VALUE = re.compile(r"[a-z0-9_-]{0,63}")


def check_run_id(run_id: str) -> str:
    """Check a run's id.

    Returns:
        The id.

    Raises:
        RetrainerError: If a service would refuse it.
    """
    if not re.fullmatch(NAME_RULE, run_id):
        raise RetrainerError(
            f"the run id '{run_id}' would be refused: lower case letters, digits and dashes, a letter first, "
            f"at most {MAX_NAME} characters ({len(run_id)} here)."
        )
    return run_id


def check_labels(labels: Mapping[str, str]) -> None:
    """Check labels.

    Raises:
        ValueError: If Google Cloud would refuse one, with the rule.
    """
    if len(labels) > MAX_LABELS:
        raise ValueError(f"{len(labels)} labels, and a resource takes {MAX_LABELS}")
    for key, value in labels.items():
        if not _LABEL_KEY.fullmatch(key):
            raise ValueError(
                f"the label '{key}' would be refused: lower case letters, digits, '_' and '-', a letter first, at most "
                f"63 characters ({len(key)} here)"
            )
        if not _LABEL_VALUE.fullmatch(value):
            raise ValueError(
                f"the value '{value}' of label '{key}' would be refused: lower case letters, digits, '_' and '-', at "
                f"most 63 characters ({len(value)} here)"
            )


def to_run_id(pipeline: str, readable: str, *parts: str) -> str:
    """Derive a run's id from its cause: equal parts give equal ids, others another.

    Args:
        pipeline: The pipeline's name, which the id starts with.
        readable: What a person should see in it; what an id can't hold becomes a dash.
        parts: Everything that distinguishes this cause from others.

    Returns:
        `<pipeline>-<readable>-<12 hexadecimal digits>`, at most 128 characters.
    """
    digest = hashlib.sha256("\0".join((pipeline, readable, *parts)).encode()).hexdigest()[:12]
    slug = re.sub(r"[^a-z0-9]+", "-", readable.lower()).strip("-")
    head = f"{pipeline}-{slug}" if slug else pipeline
    return f"{head[: MAX_NAME - len(digest) - 1].rstrip('-')}-{digest}"
