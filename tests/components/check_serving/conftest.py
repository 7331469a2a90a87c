import pytest
from servers import serving_here as serving_here_

from retrainer.components.check_serving import check


@pytest.fixture
def serving_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Check in this process, which has TensorFlow loaded."""
    monkeypatch.setattr(check, "Server", serving_here_.ServerHere)
