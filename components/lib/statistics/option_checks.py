"""The options of TFDV's statistics that are supported, checked without loading TFDV."""

from collections.abc import Mapping
from typing import Any

from ..errors import RetrainerError
from ..words import did_you_mean

WHOLE, NUMBER, SHARE, COLUMN, COLUMNS = (
    "a whole number of 0 or more",
    "a number of 0 or more",
    "a number between 0 and 1",
    "a column's name",
    "a list of columns' names",
)
OPTIONS = {
    "epsilon": SHARE,
    "feature_allowlist": COLUMNS,
    "frequency_threshold": WHOLE,
    "num_histogram_buckets": WHOLE,
    "num_quantiles_histogram_buckets": WHOLE,
    "num_rank_histogram_buckets": WHOLE,
    "num_top_values": WHOLE,
    "num_values_histogram_buckets": WHOLE,
    "weight_feature": COLUMN,
    "weighted_frequency_threshold": NUMBER,
}
"""What each option takes. They are those of `tfdv.StatsOptions` that are plain values and that its in-memory
accumulators honour."""


def check_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Check options by TFDV's names.

    Args:
        options: Arguments of `tfdv.StatsOptions`. KFP passes every number as a float.

    Returns:
        The options, whole numbers as integers.

    Raises:
        RetrainerError: If TFDV does not have an option, or does not support its value.
    """
    checked: dict[str, Any] = {}
    for name, value in options.items():
        if name not in OPTIONS:
            hint = did_you_mean(name, OPTIONS)
            raise RetrainerError(
                f"stats_options has '{name}', which is not supported.{hint} Supported are {', '.join(OPTIONS)}."
            )
        if not _fits(value, OPTIONS[name]):
            raise RetrainerError(f"stats_options.{name} is {value!r}; TFDV takes {OPTIONS[name]}.")
        checked[name] = int(value) if OPTIONS[name] == WHOLE else value
    weight, allowed = checked.get("weight_feature"), checked.get("feature_allowlist")
    if weight and allowed and weight not in allowed:
        raise RetrainerError(
            f"stats_options weighs rows by '{weight}', which its feature_allowlist {allowed} leaves out. "
            "Add it there."
        )
    return checked


def _fits(value: Any, kind: str) -> bool:
    if kind == COLUMN:
        return isinstance(value, str) and value != ""
    if kind == COLUMNS:
        return isinstance(value, list) and all(isinstance(one, str) for one in value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    if kind == WHOLE:
        return value >= 0 and value == value // 1
    return 0 < value < 1 if kind == SHARE else value >= 0
