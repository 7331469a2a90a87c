"""Components on an engine whose workers are other processes, in another folder, without the user's model.py."""

import pytest

pytestmark = [pytest.mark.integration("go"), pytest.mark.slow]


@pytest.mark.parametrize(
    "component", ["compute_statistics", "transform_features", "evaluate_model", "predict_batch"]
)
def test_what_a_component_makes_there_is_what_it_makes_here(work, engine, component):
    assert work.run(component, engine) == work.run(component)
