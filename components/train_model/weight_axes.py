"""Axes of weights: where the places of a layer's last axis are in the champion."""

from dataclasses import dataclass

import numpy as np

from .feature_changes import Index


@dataclass(frozen=True)
class Axis:
    """Where the places of a last axis are in the champion.

    Attributes:
        places: For each place the champion's, or -1.
        old_width: Length of the champion's axis.
    """

    places: np.ndarray
    old_width: int

    @property
    def same(self) -> bool:
        """Whether no place has moved."""
        return len(self.places) == self.old_width and bool(
            (self.places == np.arange(self.old_width)).all()
        )


def axis_of(output: Index | Axis | None, width: int | None) -> Axis | None:
    """Return the axis of a layer's output; None if nothing on it is the champion's."""
    if isinstance(output, Index):
        return unchanged_axis(width) if output.moved is None else None
    return output


def unchanged_axis(width: int | None) -> Axis:
    """Return an axis on which every place is where the champion has it."""
    return Axis(np.arange(width or 0), width or 0)
