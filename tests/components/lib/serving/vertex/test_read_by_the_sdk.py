"""Google's own SDK, which users have, finds on the local server what was deployed there."""

import pytest
from google.auth.credentials import AnonymousCredentials
from servers.vertex import PROJECT, REGION
from servers.vertex_serving_cases import ENDPOINT, WHOLE, model, serving

from retrainer.components.lib.registry.evaluation_summary import SliceMetrics
from retrainer.components.lib.serving.interface import Plan


@pytest.mark.slow
def test_googles_sdk_reads_versions_aliases_traffic_and_evaluations(server):
    from google.cloud import aiplatform

    united = SliceMetrics({"carrier": "UA"}, {"auc": 0.7}, 12)
    plan = Plan(model(7, WHOLE, united), model(8, WHOLE), 10)
    served = serving(server).apply(plan)
    aiplatform.init(
        project=PROJECT,
        location=REGION,
        api_endpoint=server.url,
        api_transport="rest",
        credentials=AnonymousCredentials(),
    )
    try:
        (endpoint,) = aiplatform.Endpoint.list(filter=f'display_name="{ENDPOINT}"')
        deployed = {one.display_name: one.id for one in endpoint.list_models()}
        split = {
            name.rsplit("-v", 1)[1][0]: endpoint.traffic_split[number]
            for name, number in deployed.items()
        }
        assert split == {"7": 90, "8": 10}
        assert endpoint.resource_name in served.address

        champion = aiplatform.Model(
            f"{endpoint.resource_name.partition('/endpoints')[0]}/models/orders@champion"
        )
        assert champion.version_id == "1"
        assert champion.uri == model(7).uri
        assert champion.labels["retrainer-version"] == "7"
        registry = aiplatform.models.ModelRegistry("orders")
        versions = {one.version_id: set(one.version_aliases) for one in registry.list_versions()}
        assert {"v7", "champion", "default"} <= versions["1"]
        assert {"v8", "challenger"} <= versions["2"]

        (evaluation,) = champion.list_model_evaluations()
        assert dict(evaluation.metrics) == {"auRoc": 0.81}
    finally:
        # The SDK keeps what it was initialized with for the process.
        aiplatform.initializer.global_config.__init__()
