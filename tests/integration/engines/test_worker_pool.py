"""Components on an engine whose workers are other processes, in another folder, without the user's model.py."""

import pytest
from servers.engine_work import COMPONENTS

pytestmark = [pytest.mark.integration("go"), pytest.mark.slow]


@pytest.mark.parametrize("component", COMPONENTS)
def test_what_a_component_makes_there_is_what_it_makes_here(work, engine, component):
    assert work.run(component, engine) == work.run(component)
