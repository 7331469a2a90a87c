"""What every test gets: quiet libraries, and integration tests that skip with their reason."""

import os
import shutil

import pytest

# Before anything imports TensorFlow.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
# Before anything imports gcsfs, which else asks Google what kind of bucket each one is, whatever its endpoint.
os.environ.setdefault("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker in item.iter_markers("integration"):
        for program in marker.args:
            if not shutil.which(program):
                pytest.skip(f"{program} is not installed")


@pytest.fixture(autouse=True)
def no_legacy_keras(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hand no switch on that TFT sets in the process which imports it."""
    monkeypatch.delenv("TF_USE_LEGACY_KERAS", raising=False)
