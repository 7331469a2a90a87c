"""Names of settings in errors: what reads rows for training names those of `data`, which `predict` may override."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from ..lib.errors import RetrainerError

_OVERRIDDEN = re.compile(r"\bdata\.(pattern|query|marker|format)\b")


@contextmanager
def settings_named() -> Iterator[None]:
    """Let errors name the setting of `predict` first, where it has one of the same name as `data`."""
    try:
        yield
    except RetrainerError as error:
        error.args = (_OVERRIDDEN.sub(r"predict.\1 (or data.\1, without it)", str(error)),)
        raise
