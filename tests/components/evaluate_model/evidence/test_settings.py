"""The gate's settings as a pipeline's parameter brings them."""

from typing import Any

import pytest

from retrainer.components.evaluate_model.evidence.settings import (
    Correction,
    GateSettings,
    PromoteOn,
    Significance,
    Slices,
)
from retrainer.components.lib.errors import RetrainerError


def test_nothing_asked_is_nothing_compared() -> None:
    assert GateSettings.read({}) == GateSettings()
    assert GateSettings.read({"require_significance": False}).significance is None


def test_true_is_the_defaults() -> None:
    assert GateSettings.read({"require_significance": True}).significance == Significance()


def test_numbers_that_went_through_kfp_are_whole_again() -> None:
    asked = {"promote_on": "gain", "draws": 50.0, "metrics": ["auc"], "margin": None}
    slices = {"min_rows": 300.0, "correction": "benjamini_hochberg"}
    settings = GateSettings.read(
        {"require_significance": asked, "cluster": "customer", "slices": slices}
    )
    assert settings == GateSettings(
        Significance(("auc",), PromoteOn.GAIN, draws=50),
        "customer",
        Slices(300, None, Correction.BENJAMINI_HOCHBERG),
    )
    assert isinstance(settings.slices.min_rows, int)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"require_signifcance": True}, "Did you mean 'require_significance'"),
        (
            {"require_significance": {"margn": 1}},
            "gate.require_significance has no setting 'margn'",
        ),
        ({"require_significance": {"promote_on": "luck"}}, "'luck'; it is no_loss or gain"),
        ({"slices": {"correction": "bonferroni"}}, "holm, benjamini_hochberg or none"),
    ],
)
def test_a_wrong_setting_is_named(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(RetrainerError, match=words):
        GateSettings.read(settings)
