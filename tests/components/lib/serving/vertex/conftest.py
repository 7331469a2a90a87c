import pytest
from servers.vertex_endpoints import VertexServing

from retrainer.components.lib.serving.vertex import api


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(api, "FIRST_POLL_SECONDS", 0.01)
    with VertexServing() as running:
        yield running
