"""A check: a function over a window's analysis, and the kinds of findings that it reports."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..finding_kinds import FindingKind
from ..findings import Finding
from ..limits import Settings

if TYPE_CHECKING:
    # It loads TFDV, and `config check` reads the kinds of findings without it.
    from ..analysis import Analysis


@dataclass(frozen=True)
class Check:
    """A check of a window.

    Attributes:
        run: Returns what it finds.
        kinds: The kinds of findings that it returns.
    """

    run: Callable[[Analysis, Settings], Sequence[Finding]]
    kinds: tuple[FindingKind, ...]
