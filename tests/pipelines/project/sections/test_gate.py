"""The section `gate` of retrain.yaml."""

from typing import Any

import pytest
from pydantic import ValidationError

from retrainer.components.evaluate_model.evidence.settings import (
    ChampionPolicy,
    Correction,
    GateSettings,
    Otherwise,
    Significance,
    Slices,
)
from retrainer.pipelines.project.sections.gate import GateConfig


def test_nothing_asked_adds_nothing_to_the_pipeline() -> None:
    assert GateConfig().evaluation_settings() == {}


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ({"require_significance": True}, GateSettings(Significance())),
        (
            {
                "require_significance": {"margin": 0.002, "draws": 50, "metrics": ["auc"]},
                "cluster": "customer_id",
                "slices": {"correction": "benjamini_hochberg", "max_gap": 0.1},
            },
            GateSettings(
                Significance(("auc",), margin=0.002, draws=50),
                "customer_id",
                Slices(max_gap=0.1, correction=Correction.BENJAMINI_HOCHBERG),
            ),
        ),
    ],
)
def test_evaluate_model_reads_what_the_section_says(
    section: dict[str, Any], expected: GateSettings
) -> None:
    settings = GateConfig.model_validate(section).evaluation_settings()
    assert GateSettings.read(settings) == expected


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ({"cluster": "customer_id"}, "need require_significance"),
        ({"slices": {"max_gap": 0.1}}, "need require_significance"),
        (
            {"require_significance": {"margin": 0.1, "relative_margin": 0.1}},
            "exclude each other; remove one",
        ),
        ({"require_significance": {"draws": 5}}, "greater than or equal to 20"),
        ({"require_significance": {"confidence": 95}}, "less than 1"),
    ],
)
def test_what_can_not_be_is_refused(section: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        GateConfig.model_validate(section)


def test_what_is_asked_about_the_champion_needs_no_comparison() -> None:
    settings = GateConfig.model_validate({"champion": {"broken": "refuse"}}).evaluation_settings()
    read = GateSettings.read(settings)
    assert read.significance is None
    assert read.champion == ChampionPolicy(broken=Otherwise.REFUSE)
