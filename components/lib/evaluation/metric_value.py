"""A metric's value on one slice."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Value:
    """A metric on one slice.

    Attributes:
        value: The value; NaN where the metric is undefined.
        interval: Its confidence interval, where TFMA computed one.
        undefined: Why no model could have a value on these rows, such as `8 rows, all with label
            0`; empty if it has one, or if it is NaN through the model's own predictions.
    """

    value: float
    interval: tuple[float, float] | None = None
    undefined: str = ""
