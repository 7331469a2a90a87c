import dataclasses

import pytest
from servers.vertex import PARENT
from servers.vertex_serving_cases import ENDPOINT, VPC, WHOLE, model, serving

from retrainer.components.lib.serving.interface import Plan, ServiceError


def by_version(split):
    return {int(name.split("-v")[1].split("-")[0]): percent for name, percent in split.items()}


def test_a_rollout_from_the_first_model_to_the_next_one(server):
    service = serving(server)
    assert service.status().notes == (f"there is no endpoint '{ENDPOINT}' in {PARENT} yet.",)

    first = service.apply(Plan(model(7)))
    assert (first.traffic, first.loaded, first.foreign) == ({7: 100}, (7,), ())
    assert first.address == f"{server.url}/v1/{server.named(ENDPOINT).name}:predict"

    for percent in (0, 10, 50):
        served = service.apply(Plan(model(7), model(8), percent))
        assert served.traffic == Plan(model(7), model(8), percent).traffic
        assert served.loaded == (7, 8)
        # By these the service's logs call them.
        assert sorted(served.ids.values()) == [7, 8]
    assert server.registry.aliases("orders")["challenger"] == "2"

    last = service.apply(Plan(model(8)))
    assert (last.traffic, last.loaded) == ({8: 100}, (8,))
    assert serving(server).status() == last
    splits = [by_version(one) for one in server.splits]
    assert splits == [{7: 100}, {7: 90, 8: 10}, {7: 50, 8: 50}, {8: 100}]
    aliases = server.registry.aliases("orders")
    assert (aliases["champion"], aliases["default"]) == ("2", "2")
    assert "challenger" not in aliases


def test_a_service_that_names_projects_by_number_is_understood(server):
    server.numbers, server.operations.seconds = True, 0.01
    service = serving(server)
    service.apply(Plan(model(7, WHOLE)))
    service.apply(Plan(model(7, WHOLE), model(8, WHOLE), 10))
    served = service.apply(Plan(model(8, WHOLE)))
    assert (served.traffic, served.loaded, served.foreign) == ({8: 100}, (8,), ())
    assert "/projects/123456/" in served.address
    assert server.registry.aliases("orders")["champion"] == "2"
    assert len(server.registry.versions["orders"]) == 2


def test_the_same_plan_again_changes_nothing(server):
    service = serving(server)
    service.apply(Plan(model(7), model(8), 25))
    before = len(server.requests)
    assert serving(server).apply(Plan(model(7), model(8), 25)).traffic == {7: 75, 8: 25}
    assert {one.method for one in server.requests[before:]} == {"GET"}


def test_a_rollback_puts_the_version_before_back(server):
    service = serving(server)
    service.apply(Plan(model(7)))
    service.apply(Plan(model(8)))
    service.apply(Plan(model(7)))
    assert service.status().traffic == {7: 100}
    # Both versions were uploaded once.
    assert sorted(server.registry.versions["orders"]) == ["1", "2"]
    assert server.registry.aliases("orders")["champion"] == "1"


def test_a_rollback_in_the_middle_of_a_canary_takes_it_off(server):
    service = serving(server)
    service.apply(Plan(model(7), model(8), 10))
    served = service.apply(Plan(model(7)))
    assert (served.traffic, served.loaded) == ({7: 100}, (7,))
    assert by_version(server.splits[-1]) == {7: 100}
    assert "challenger" not in server.registry.aliases("orders")


def test_another_canary_takes_the_place_of_the_first_in_one_step(server):
    service = serving(server)
    service.apply(Plan(model(7), model(8), 50))
    served = service.apply(Plan(model(7), model(9), 5))
    assert served.traffic == {7: 95, 9: 5}
    assert [by_version(one) for one in server.splits[-2:]] == [{7: 50, 8: 50}, {7: 95, 9: 5}]


def test_no_champion_removes_ours_and_keeps_the_endpoint(server):
    service = serving(server)
    service.apply(Plan(model(7), model(8), 10))
    foreign = server.put_foreign(ENDPOINT, "theirs", 0)
    served = service.apply(Plan(None))
    assert (served.traffic, served.loaded) == ({}, ())
    assert [one.id for one in server.named(ENDPOINT).deployed_models] == [foreign]
    assert "champion" not in server.registry.aliases("orders")


def test_models_of_others_stay_and_are_shown(server):
    service = serving(server)
    service.apply(Plan(model(7)))
    server.put_foreign(ENDPOINT, "theirs", 0)
    served = service.apply(Plan(model(8)))
    assert served.traffic == {8: 100}
    (shown,) = served.foreign
    assert shown.startswith("theirs (deployed model ")


def test_traffic_of_others_is_taken_only_with_the_setting(server):
    service = serving(server)
    service.apply(Plan(model(7)))
    server.put_foreign(ENDPOINT, "theirs", 40)
    with pytest.raises(ServiceError, match=r"theirs .*40 %.*take_over: true") as caught:
        service.apply(Plan(model(8)))
    assert not caught.value.transient
    assert server.split_of(ENDPOINT)["theirs"] == 40
    assert sorted(server.registry.versions["orders"]) == ["1"]
    assert serving(server, take_over=True).apply(Plan(model(8))).traffic == {8: 100}
    assert "theirs" in {one.display_name for one in server.named(ENDPOINT).deployed_models}


@pytest.mark.parametrize(
    ("plan", "changes", "words"),
    [
        (Plan(model(7), model(8), 0, shadow=True), {}, "no shadow traffic"),
        (Plan(model(7), model(8), 10), {"network": VPC}, "can't split traffic"),
        (Plan(None, model(8), 10), {}, "no stable version"),
    ],
)
def test_plans_that_the_service_can_not_make_are_refused_before_anything_is_sent(
    server, plan, changes, words
):
    with pytest.raises(ServiceError, match=words) as caught:
        serving(server, **changes).apply(plan)
    assert not caught.value.transient
    assert not server.requests


def test_a_private_endpoint_replaces_its_one_model_only_where_a_gap_is_allowed(server):
    service = serving(server, network=VPC)
    served = service.apply(Plan(model(7)))
    assert served.traffic == {7: 100}
    assert "one model" in served.notes[0]
    with pytest.raises(ServiceError, match="replace_with_gap: true"):
        service.apply(Plan(model(8)))
    assert service.status().traffic == {7: 100}
    with_gap = serving(server, network=VPC, replace_with_gap=True)
    assert with_gap.apply(Plan(model(8))).traffic == {8: 100}
    assert with_gap.apply(Plan(None)).loaded == ()


def test_a_private_endpoint_with_a_model_of_others_is_not_emptied(server):
    service = serving(server, network=VPC, replace_with_gap=True)
    service.apply(Plan(model(7)))
    service.apply(Plan(None))
    server.put_foreign(ENDPOINT, "theirs", 0)
    with pytest.raises(ServiceError, match="theirs"):
        service.apply(Plan(model(7)))
    assert len(server.named(ENDPOINT).deployed_models) == 1


def test_private_service_connect_splits_traffic(server):
    service = serving(server, psc_projects=["acme-apps"])
    served = service.apply(Plan(model(7), model(8), 10))
    assert served.traffic == {7: 90, 8: 10}
    assert "Private Service Connect" in served.notes[0]
    config = server.named(ENDPOINT).private_service_connect_config
    assert list(config.project_allowlist) == ["acme-apps"]


def test_a_setting_that_does_not_fit_the_endpoint_is_named(server):
    serving(server).apply(Plan(model(7)))
    with pytest.raises(ServiceError, match=r"has no VPC.*network is set"):
        serving(server, network=VPC).apply(Plan(model(7)))


def test_a_dedicated_name_is_the_address(server):
    served = serving(server, dedicated_dns=True).apply(Plan(model(7)))
    name = server.named(ENDPOINT).name
    assert served.address == (
        f"https://{name.rpartition('/')[2]}.europe-west1-123.prediction.vertexai.goog/v1/{name}:predict"
    )


def test_a_store_elsewhere_is_refused(server):
    here = dataclasses.replace(model(7), uri="s3://acme/models/7")
    with pytest.raises(ServiceError, match=r"s3://acme/models/7.*Cloud Storage only"):
        serving(server).apply(Plan(here))
