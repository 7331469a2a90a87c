import dataclasses

from servers.vertex_serving_cases import model, serving

from retrainer.components.lib.serving.interface import Plan


def test_versions_are_uploaded_under_one_parent_with_what_they_are(server):
    service = serving(server, labels={"team": "search"})
    service.apply(Plan(model(7), model(8), 10))
    versions = server.registry.versions["orders"]
    assert list(server.registry.versions) == ["orders"]
    first = versions["1"]
    assert first.artifact_uri == "gs://acme-ml/store/models/versions/7"
    assert dict(first.labels) == {
        "team": "search",
        "retrainer-pipeline": "orders",
        "retrainer-version": "7",
        "retrainer-digest": "0" * 16,
        "retrainer-run": "orders-run-7",
    }
    assert first.version_description == (
        f"Version 7 of retrainer's registry, digest sha256:{7:064x}, run orders-Run.7, span 2026-01-07"
    )
    image = "europe-docker.pkg.dev/vertex-ai/prediction/tf2-cpu.2-15:latest"
    assert first.container_spec.image_uri == image
    assert {"v7", "champion", "default"} <= set(first.version_aliases)
    assert {"v8", "challenger"} <= set(versions["2"].version_aliases)


def test_an_own_container_is_sent_with_its_routes(server):
    serving(
        server,
        image="europe-docker.pkg.dev/acme-ml/serve/tf:3",
        predict_route="/v1/models/m:predict",
        health_route="/v1/models/m",
        port=8501,
        env={"MODEL_NAME": "m"},
    ).apply(Plan(model(7)))
    container = server.registry.versions["orders"]["1"].container_spec
    assert container.predict_route == "/v1/models/m:predict"
    assert [one.container_port for one in container.ports] == [8501]
    assert {one.name: one.value for one in container.env} == {"MODEL_NAME": "m"}


def test_another_container_makes_another_upload_of_the_version(server):
    serving(server).apply(Plan(model(7)))
    served = serving(server, image="europe-docker.pkg.dev/acme-ml/serve/tf:4").apply(Plan(model(7)))
    assert served.traffic == {7: 100}
    aliases = server.registry.aliases("orders")
    assert (aliases["v7"], aliases["champion"]) == ("2", "2")


def test_a_version_deleted_by_hand_is_uploaded_again(server):
    service = serving(server)
    service.apply(Plan(model(7)))
    service.apply(Plan(model(8)))
    server.registry.remove("orders@v7")
    service.apply(Plan(model(7)))
    assert server.registry.aliases("orders")["v7"] == "3"


def test_a_mounted_bucket_is_named_as_cloud_storage(server):
    mounted = dataclasses.replace(model(7), uri="/gcs/acme-ml/store/models/versions/7")
    serving(server).apply(Plan(mounted))
    kept = server.registry.versions["orders"]["1"]
    assert kept.artifact_uri == "gs://acme-ml/store/models/versions/7"


def test_the_default_alias_stays_where_it_is_if_the_settings_say_so(server):
    service = serving(server, set_default=False)
    service.apply(Plan(model(7)))
    service.apply(Plan(model(8)))
    aliases = server.registry.aliases("orders")
    assert (aliases["default"], aliases["champion"]) == ("1", "2")
