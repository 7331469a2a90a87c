"""Comparing two versions by what was observed of them, over all rows and by slice."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd

from ..lib.errors import RetrainerError
from ..lib.sequential_test import Values, confidence_interval, whole_blocks
from ..lib.serving.rollout_settings import RolloutSettings
from .guards import row_loss
from .observations import Reading, read_labels, read_observations, requests_of
from .watch import join_labels, metric_columns

_MOST_SLICES = 50


def compare_versions(
    section: Mapping[str, Any], baseline: int, version: int, slices: Sequence[str] = ()
) -> dict[str, Any]:
    """Compare two versions: by the loss of rows with labels where `guards.metric` is set, else by failed requests.

    Args:
        section: The section `serving.rollout`.
        baseline: Number of one version.
        version: Number of the other one.
        slices: Columns of the observations to slice by.

    Returns:
        JSON values: `what` is compared, and for each slice the rows, means, difference, its confidence sequence's
        interval (None if the difference changed while rows came), and `verdict`: `better`, `worse`, `changing` (better
        for a time, and worse for another) or `undecided`. The interval of a slice misses the difference with
        probability `alpha` at most, however often this is called while rows come.

    Raises:
        RetrainerError: If there are no rows of a version, or there is no such column.
    """
    settings = RolloutSettings.of(section)
    values, what, scale = _read_values(settings, baseline, version, tuple(slices))
    for arm, number in ((0, baseline), (1, version)):
        if not (values["arm"] == arm).any():
            raise RetrainerError(
                f"there are no observations of version {number} in '{settings.observations}'"
                + (" with labels" if "metric" in settings.guards else "")
                + ". Name versions that served, or wait for them."
            )
    for column in slices:
        if values[column].isna().all():
            raise RetrainerError(
                f"the observations have no column '{column}' to slice by. Name one that '{settings.observations}' has."
            )
    found = [("", values)]
    for column in slices:
        groups = sorted(values.groupby(column), key=lambda one: (-len(one[1]), str(one[0])))
        found += [(f"{column} = {name}", rows) for name, rows in groups[:_MOST_SLICES]]
    return {
        "baseline": baseline,
        "version": version,
        "what": what,
        "alpha": settings.alpha,
        "slices": [
            {"slice": name, **_compare(rows, settings.alpha, scale)} for name, rows in found
        ],
    }


def _read_values(
    settings: RolloutSettings, baseline: int, version: int, slices: tuple[str, ...]
) -> tuple[pd.DataFrame, str, float]:
    """Return rows in time with `arm`, `value` in [0, 1] and the slices' columns; what it is, and its scale."""
    columns = tuple(dict.fromkeys((*metric_columns(settings), *slices)))
    began = datetime.fromtimestamp(0, UTC)
    observed = read_observations(
        Reading(settings.observations, began, {}, columns), baseline, version
    )
    metric = settings.guards.get("metric")
    if metric is None:
        requests = requests_of(observed.rows)
        first = observed.rows.drop_duplicates("request_id").set_index("request_id")
        for column in slices:
            requests[column] = requests["request_id"].map(first[column])
        return requests.assign(value=requests["failed"]), "share of failed requests", 1.0
    names = tuple(dict.fromkeys((*settings.label_key, str(metric["label"]))))
    labels = read_labels(Reading(settings.labels, began, {}, names, settings.label_key))
    joined = join_labels(observed, labels, settings.label_key)
    joined = joined[joined[metric["prediction"]].notna()]
    value = row_loss(joined, metric)
    return joined.assign(value=value), f"mean {metric['loss']} loss", float(metric["max_loss"])


def _compare(rows: pd.DataFrame, alpha: float, scale: float) -> dict[str, Any]:
    arm, value = rows["arm"].to_numpy(), rows["value"].to_numpy(np.float64)
    blocks, start = [], 0
    for end in whole_blocks(len(rows)):
        chosen, of = value[start:end], arm[start:end]
        if len(np.unique(of)) == 2:
            blocks.append((Values.of(chosen[of == 0]), Values.of(chosen[of == 1])))
            start = end
    low, high = confidence_interval(blocks, alpha)
    means = [
        scale * float(value[arm == one].mean()) if (arm == one).any() else None for one in (0, 1)
    ]
    verdict = {
        (True, False): "worse",
        (False, True): "better",
        (True, True): "changing",
    }.get((low > 0, high < 0), "undecided")
    both = None not in means
    return {
        "rows_before": int((arm == 0).sum()),
        "rows_new": int((arm == 1).sum()),
        "before": means[0],
        "new": means[1],
        "difference": means[1] - means[0] if both else None,  # type: ignore[operator]
        # Bounds cross only if the difference changed while rows came: no single one fits all of them.
        "interval": [scale * low, scale * high] if low <= high else None,
        "verdict": verdict,
    }
