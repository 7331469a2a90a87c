"""On which servers a test of KServe runs."""

import pytest

_REAL = [pytest.mark.cluster, pytest.mark.integration("go", "openssl")]

on_a_kube_apiserver_too = pytest.mark.parametrize(
    "bench",
    [
        "knative",
        "standard",
        pytest.param("knative on a kube-apiserver", marks=_REAL),
        pytest.param("standard on a kube-apiserver", marks=_REAL),
    ],
    indirect=True,
)
"""Also where Kubernetes' own code keeps the InferenceServices; it is built in minutes."""
