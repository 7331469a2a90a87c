"""KServe's minimal resource definition (its chart kserve-crd-minimal), on Kubernetes' own API server.

It takes any spec, and a spec is one value that one manager owns as a whole.
"""

import pytest
from servers import kserve_schema
from servers.kube_apiserver import ON_A_KUBE_APISERVER

from retrainer.components.lib.serving.interface import Plan, ServiceError

pytestmark = list(ON_A_KUBE_APISERVER)


@pytest.fixture
def server(kserve_apiserver):
    probe = {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": "probe", "namespace": "default"},
        "spec": {"unknown": 1},
    }

    def takes_any_spec():
        return kserve_apiserver.apply(probe, dryRun="All").ok

    assert not takes_any_spec()
    kserve_apiserver.redefine(kserve_schema.minimal_definition(), takes_any_spec)
    yield kserve_apiserver
    kserve_apiserver.redefine(kserve_schema.definition(), lambda: not takes_any_spec())


def test_a_rollout_goes_on_step_by_step_and_ends(bench):
    service = bench.open()
    service.apply(bench.plan(7))
    for percent in (10, 50):
        assert service.apply(bench.plan(7, 8, percent)).traffic == {7: 100 - percent, 8: percent}
    assert service.apply(bench.plan(8)).traffic == {8: 100}
    assert service.apply(bench.plan(8, 9, 30)).traffic == {8: 70, 9: 30}
    assert service.apply(bench.plan(8)).traffic == {8: 100}
    assert "deleted" in service.apply(Plan(None)).notes[0]


def test_somebody_elses_change_of_the_spec_is_a_conflict_until_it_is_taken_over(bench):
    bench.open().apply(bench.plan(7))

    def add_a_replica(isvc):
        isvc["spec"]["predictor"]["minReplicas"] = 2

    bench.cluster.edit(add_a_replica)
    with pytest.raises(ServiceError, match=r"somebody else manages.*kubectl-edit.*take_over"):
        bench.open().apply(bench.plan(8))
    assert bench.open().status().traffic == {7: 100}
    assert bench.open(take_over=True).apply(bench.plan(8)).traffic == {8: 100}
