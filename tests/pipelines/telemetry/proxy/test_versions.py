"""The version that TensorFlow Serving answers with."""

import pytest

from retrainer.pipelines.telemetry.proxy.versions import read_version


def listed(**states: str) -> dict:
    return {
        "model_version_status": [
            {"version": name.removeprefix("v"), "state": state} for name, state in states.items()
        ]
    }


@pytest.mark.parametrize(
    ("status", "version"),
    [
        (listed(v3="AVAILABLE"), "3"),
        # 10 is newer than 9, also where versions are text.
        (listed(v9="AVAILABLE", v10="AVAILABLE"), "10"),
        (listed(v4="LOADING", v3="AVAILABLE", v2="END"), "3"),
        (listed(v4="LOADING"), None),
        # KServe's own servers say only this.
        ({"name": "flights", "ready": True}, None),
        ({"model_version_status": "?"}, None),
        ({"model_version_status": [{"state": "AVAILABLE"}, "?"]}, None),
        ([], None),
    ],
)
def test_the_newest_loaded_version_is_read(status, version):
    assert read_version(status) == version
