"""What docs/metrics.md shows is what TFMA and the gate take."""

import re
from pathlib import Path

import pytest
import yaml

from retrainer.components.lib.evaluation.eval_config import evaluation_problems
from retrainer.pipelines.project.sections.data import DataConfig
from retrainer.pipelines.project.sections.gate import GateConfig

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"
OUTPUTS = ["late", "minutes", "topics"]
BLOCKS = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS)
def test_an_example_of_the_page_has_no_problem(block):
    ((name, section),) = yaml.safe_load(block).items()
    if name == "gate":
        assert GateConfig.model_validate(section).model_fields_set == set(section)
        return
    if name == "data":
        assert DataConfig(pattern="{span}", **section).outputs == OUTPUTS
        return
    assert name == "evaluation"
    columns = ["age_group", "channel", "clicks", "country", "parcels", "search_id"]
    outputs = OUTPUTS if "output_names" in block else []
    assert evaluation_problems(**section, label="label", columns=columns, outputs=outputs) == []
