"""p-values of many tests."""

import numpy as np
import pytest

from retrainer.components.evaluate_model.evidence.corrections import adjust
from retrainer.components.evaluate_model.evidence.settings import Correction


def test_holm_as_published() -> None:
    # R: p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm")
    found = adjust(np.array([0.01, 0.04, 0.03, 0.005]), Correction.HOLM)
    assert found.tolist() == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_benjamini_and_hochberg_as_published() -> None:
    # R: p.adjust(c(0.01, 0.04, 0.03, 0.005), "BH")
    found = adjust(np.array([0.01, 0.04, 0.03, 0.005]), Correction.BENJAMINI_HOCHBERG)
    assert found.tolist() == pytest.approx([0.02, 0.04, 0.04, 0.02])


@pytest.mark.parametrize("correction", Correction)
def test_one_test_needs_no_correction_and_none_gives_none(correction: Correction) -> None:
    assert adjust(np.array([0.2]), correction).tolist() == pytest.approx([0.2])
    assert adjust(np.array([]), correction).tolist() == []


def test_no_chance_is_above_one() -> None:
    assert adjust(np.array([0.9, 0.8]), Correction.HOLM).tolist() == [1, 1]
