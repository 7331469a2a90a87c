"""What decides where the champion can't be compared, in a whole evaluation."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from retrainer.components.lib.errors import RetrainerError


def specs(lower: float, change: float | None = None) -> list[dict[str, Any]]:
    threshold: dict[str, Any] = {"value_threshold": {"lower_bound": {"value": lower}}}
    if change is not None:
        threshold["change_threshold"] = {"absolute": change, "direction": "HIGHER_IS_BETTER"}
    overall = [{"slicing_specs": [{}], "threshold": threshold}]
    return [{"metrics": [{"class_name": "AUC", "per_slice_thresholds": overall}]}]


def test_without_a_champion_the_settings_may_refuse(run: Callable[..., Any]) -> None:
    outcome = run(specs(0.5), champion=None, gate={"champion": {"missing": "refuse"}})
    assert outcome.verdict == (
        "refused: there is no champion to compare with, and gate.champion.missing is refuse"
    )
    assert not outcome.blessing["blessed"]


@pytest.mark.parametrize(
    ("column_gone", "words"),
    [
        ("compare", r"blessed: .*\(champion version 3 0\.\d+, .*judged with 'tailnum' empty"),
        ("value_thresholds", r"blessed: .*not compared\).*so the value thresholds decide alone"),
        ("refuse", r"refused: .*'tailnum' empty.*and gate.champion.column_gone is refuse"),
    ],
)
def test_a_champion_whose_column_is_gone(
    run: Callable[..., Any], some_flights: pd.DataFrame, column_gone: str, words: str
) -> None:
    outcome = run(
        specs(0.5, -0.5),
        frame=some_flights.drop(columns="tailnum"),
        gate={"champion": {"column_gone": column_gone}},
    )
    assert re.match(words, outcome.verdict), outcome.verdict


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ("value_thresholds", "blessed: .*does not load: .*so the value thresholds decide alone"),
        ("refuse", "refused: champion version 3 does not load, and gate.champion.broken is refuse"),
    ],
)
def test_a_champion_that_does_not_load(
    run: Callable[..., Any], tmp_path: Path, broken: str, words: str
) -> None:
    (tmp_path / "corrupt").mkdir()
    (tmp_path / "corrupt" / "saved_model.pb").write_bytes(b"no graph")
    corrupt = str(tmp_path / "corrupt")
    with pytest.raises(RetrainerError, match="champion version 3"):
        run(specs(0.5), champion=corrupt)
    outcome = run(specs(0.5), champion=corrupt, gate={"champion": {"broken": broken}})
    assert re.match(words, outcome.verdict), outcome.verdict
