"""The section `retraining` of retrain.yaml, as tasks get it."""

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from .incident import Detection, Group
from .signals import Kind

DEFAULT_SIGNALS = (str(Kind.ESTIMATED), str(Kind.REALISED), str(Kind.CONCEPT))
"""Signals that say that answers are worse. That a column moved says nothing of the kind, and is often harmless."""
PERSON = "needs_a_person"


@dataclass(frozen=True)
class RetrainingSettings:
    """What an incident leads to.

    Attributes:
        signals: Kinds of signals, or names (`kind/subject`), with `*` and `?`, that retrain.
        min_new_labelled_rows: How many rows with a label there must be that the champion was not trained on.
        otherwise: What follows where there are fewer: `needs_a_person`, or `wait`.
        confirm_looks: After how many looks that find none of the signals under the new champion an incident is
            resolved; if one of them is detected before, the retrain did not help.
        run_timeout_seconds: After how long a run that has recorded no end is given up.
    """

    signals: tuple[str, ...] = DEFAULT_SIGNALS
    min_new_labelled_rows: int = 1
    otherwise: str = PERSON
    confirm_looks: int = 3
    run_timeout_seconds: int = 86_400

    @classmethod
    def of(cls, section: Mapping[str, Any]) -> "RetrainingSettings":
        """Read the section; its keys that are not about incidents are ignored.

        Args:
            section: The section, whose numbers may be floating point, as KFP hands them over.
        """
        known = {
            name: int(section[name])
            for name in ("min_new_labelled_rows", "confirm_looks", "run_timeout_seconds")
            if section.get(name) is not None
        }
        return cls(
            tuple(map(str, section.get("signals") or DEFAULT_SIGNALS)),
            otherwise=str(section.get("otherwise") or PERSON),
            **known,
        )

    def retrains(self, detection: Detection) -> bool:
        """Return whether a signal leads to a retrain. Broken data never does."""
        if Group.of(detection.kind) == Group.DATA:
            return False
        return any(
            fnmatchcase(detection.name if "/" in wanted else detection.kind, wanted)
            for wanted in self.signals
        )
