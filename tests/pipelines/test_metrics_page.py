"""What docs/metrics.md shows is what TFMA takes."""

import re
from pathlib import Path

import pytest
import yaml

from retrainer.components.lib.evaluation.eval_config import evaluation_problems

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"
BLOCKS = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS)
def test_an_example_of_the_page_has_no_problem(block):
    evaluation = yaml.safe_load(block)["evaluation"]
    columns = ["country", "channel", "parcels"]
    assert evaluation_problems(**evaluation, label="label", columns=columns) == []
