"""What decides where the champion can't be compared, in a whole evaluation."""

import re
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from retrainer.components.evaluate_model.champion_comparison import Comparison
from retrainer.components.evaluate_model.champion_policy import apply_policy, compare_by_policy
from retrainer.components.evaluate_model.evidence.settings import ChampionPolicy, Otherwise
from retrainer.components.evaluate_model.gate import Verdict
from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.examples import Examples
from retrainer.components.lib.verdicts import Champion


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
    with pytest.raises(RetrainerError, match=r"champion version 3 .* gate\.champion\.broken"):
        run(specs(0.5), champion=corrupt)
    outcome = run(specs(0.5), champion=corrupt, gate={"champion": {"broken": broken}})
    assert re.match(words, outcome.verdict), outcome.verdict


THIRD = Champion(3, "models/3", "d")
NO_ROWS = Examples("late", {"train": (), "eval": ()}, ())
FITS: Any = SimpleNamespace(columns=[], who="champion version 3")
LACKS: Any = SimpleNamespace(columns=["hour"], who="champion version 3")
COMPARED, ALONE = Comparison(THIRD, NO_ROWS), Comparison(replace(THIRD, uri=None), NO_ROWS)
EVERY = ChampionPolicy(*[Otherwise.REFUSE] * len(fields(ChampionPolicy)))
GONE = "champion version 3 is judged with 'hour' empty: no eval row has a value"


@pytest.mark.parametrize(
    ("champion", "model", "comparison", "setting", "words"),
    [
        (Champion(), None, COMPARED, "missing", "there is no champion to compare with"),
        (THIRD, None, ALONE, "broken", "champion version 3 does not load"),
        (THIRD, LACKS, COMPARED, "column_gone", GONE),
        (THIRD, LACKS, ALONE, "column_gone", GONE),
        (THIRD, FITS, ALONE, "unfit", "champion version 3 can't be compared on these rows"),
        (THIRD, FITS, COMPARED, "", ""),
    ],
)
def test_each_setting_is_about_one_reason_not_to_compare(
    champion: Champion, model: Any, comparison: Comparison, setting: str, words: str
) -> None:
    blessed = Verdict(True, (), "auc 0.9")
    verdict = apply_policy(blessed, champion, model, NO_ROWS, comparison, EVERY)
    reason = f"{words}, and gate.champion.{setting} is refuse"
    assert verdict == (Verdict(False, (reason,), reason) if setting else blessed)
    refused = Verdict(False, ("too low",), "too low")
    verdict = apply_policy(refused, champion, model, NO_ROWS, comparison, EVERY)
    both = Verdict(False, ("too low", reason), f"too low; {reason}")
    assert verdict == (both if setting else refused)
    # By default none of them refuses.
    default = ChampionPolicy()
    assert apply_policy(blessed, champion, model, NO_ROWS, comparison, default) == blessed


def test_a_champion_without_a_column_is_compared_unless_the_values_shall_decide() -> None:
    values = ChampionPolicy(column_gone=Otherwise.VALUE_THRESHOLDS)
    for policy, exists in ((values, False), (ChampionPolicy(), True), (EVERY, True)):
        found = compare_by_policy(NO_ROWS, THIRD, LACKS, policy)
        assert found.champion.exists is exists
        assert found.champion.version == 3
    assert compare_by_policy(NO_ROWS, THIRD, FITS, values).champion == THIRD
    assert compare_by_policy(NO_ROWS, Champion(), None, values).remarks == ()
    broken = compare_by_policy(NO_ROWS, THIRD, None, values, "no graph. It is cut off.")
    assert broken.remarks == (
        "champion version 3 does not load: no graph, so the value thresholds decide alone",
    )
    assert not broken.champion.exists
