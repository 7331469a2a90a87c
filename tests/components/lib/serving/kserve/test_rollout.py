"""Whole rollouts on KServe, with both kinds of canary."""

import pytest
from servers.rollout_lives import BAD, GOOD, go_back, serve_in_steps

# KServe's schema is read from its own Go module.
pytestmark = pytest.mark.integration("go")


@pytest.fixture
def life(bench, rollout_on):
    settings = {
        "service": "taxi",
        "kubeconfig": bench.kubeconfig,
        "timeout_seconds": 20,
        "store_uri": "pvc://models/store",
    }
    return rollout_on(kserve=settings)


def _check(bench, version, splits):
    assert [{int(v): p for v, p in one.items() if p} for one in bench.splits()] == splits
    assert bench.open().status().loaded == (version,)
    spec = bench.cluster.isvc()["spec"]
    assert "canary" not in spec
    assert "canaryTrafficPercent" not in spec["predictor"] or (
        spec["predictor"]["canaryTrafficPercent"] == 100
    )


def test_a_good_version_goes_step_by_step_to_all_requests(bench, life):
    serve_in_steps(life)
    _check(bench, 2, GOOD)


def test_a_bad_version_goes_back(bench, life):
    go_back(life)
    _check(bench, 1, BAD)
