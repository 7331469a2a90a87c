"""Faults of SageMaker, of the way to it, and of others at the same endpoint; after each the same plan again serves."""

import itertools
import os
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from servers.sagemaker import BUCKET, SageMakerServer

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.serving.interface import Plan, Served, ServedModel, ServiceError
from retrainer.components.lib.serving.sagemaker import clients

Open = Callable[..., Any]
Models = dict[int, ServedModel]
ROLLOUT = ({"v1": 100}, {"v1": 90, "v2": 10}, {"v1": 0, "v2": 100}, {"v2": 100})


def _rollout(models: Models) -> list[Plan]:
    return [Plan(models[1]), Plan(models[1], models[2], 10), Plan(models[2])]


def _config(aws: Open) -> str:
    return str(aws("sagemaker").describe_endpoint(EndpointName="flights")["EndpointConfigName"])


def _splits(server: SageMakerServer) -> list[dict[str, float]]:
    return [one["split"] for one in server.splits]


@pytest.mark.parametrize(
    "operation",
    [
        "s3:PUT",
        "CreateModel",
        "CreateEndpointConfig",
        "CreateEndpoint",
        "UpdateEndpoint",
        "UpdateEndpointWeightsAndCapacities",
        "DeleteEndpointConfig",
        "DeleteModel",
    ],
)
def test_a_lost_reply_is_no_fault_and_makes_nothing_twice(
    server: SageMakerServer, models: Models, opened: Open, aws: Open, operation: str
) -> None:
    service = opened()
    first, canary, last = _rollout(models)
    service.apply(first)
    if operation == "CreateEndpoint":
        server.reset()
        server.lose_reply(operation)
        service.apply(first)
    else:
        server.lose_reply(operation)
    assert service.apply(canary).traffic == {1: 90, 2: 10}
    served = service.apply(last)
    assert served.traffic == {2: 100}
    assert served.notes == ()
    assert all(split in ROLLOUT for split in _splits(server))
    assert len(aws("sagemaker").list_models()["Models"]) == 1
    assert len(aws("sagemaker").list_endpoint_configs()["EndpointConfigs"]) == 1


@pytest.mark.slow
@pytest.mark.parametrize("step", [0, 1, 2])
def test_killed_at_any_call_the_next_deployment_goes_on(
    server: SageMakerServer, models: Models, opened: Open, aws: Open, step: int
) -> None:
    plans = _rollout(models)
    for moment in itertools.count(1):
        server.reset()
        for plan in plans[:step]:
            opened().apply(plan)
        server.set(splits=[])
        killed = _killed_at(moment, opened(), plans[step])
        assert all(split in ROLLOUT for split in _splits(server))
        assert opened().apply(plans[step]).traffic == plans[step].traffic
        assert all(split in ROLLOUT for split in _splits(server))
        assert server.calls.count("CreateEndpoint") <= 2
        versions = len({*plans[step].traffic})
        assert len(aws("sagemaker").list_models()["Models"]) == versions
        assert len(aws("sagemaker").list_endpoint_configs()["EndpointConfigs"]) == 1
        assert len(aws("sagemaker").list_endpoints()["Endpoints"]) == 1
        if not killed:
            # Sent and received, each call.
            assert moment > 12
            return


def _killed_at(moment: int, service: Any, plan: Plan) -> bool:
    """Apply a plan in a process that is killed at a moment: before a call is sent, or after its answer came."""
    child = os.fork()
    if child == 0:
        try:
            moments = itertools.count(1)

            def die(**_: Any) -> None:
                if next(moments) == moment:
                    os.kill(os.getpid(), signal.SIGKILL)

            events = service._clients._session.events
            events.register("before-send", die)
            events.register("response-received", die)
            service.apply(plan)
        except BaseException:
            os._exit(1)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status):
        return True
    assert os.WEXITSTATUS(status) == 0
    return False


def test_two_deployments_of_one_plan_at_once_both_end_well(
    server: SageMakerServer, models: Models, opened: Open
) -> None:
    opened().apply(Plan(models[1]))
    ends: list[Served | Exception] = []

    def deploy() -> None:
        try:
            ends.append(opened().apply(Plan(models[1], models[2], 10)))
        except Exception as error:
            ends.append(error)

    both = [threading.Thread(target=deploy) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert [getattr(end, "traffic", end) for end in ends] == [{1: 90, 2: 10}] * 2
    assert _splits(server) == [{"v1": 100}, {"v1": 90, "v2": 10}]


def test_a_change_that_somebody_else_makes_is_waited_for(
    server: SageMakerServer, models: Models, opened: Open, aws: Open
) -> None:
    service = opened()
    service.apply(Plan(models[1]))
    server.set(settles_after=3)
    aws("sagemaker").update_endpoint_weights_and_capacities(
        EndpointName="flights",
        DesiredWeightsAndCapacities=[{"VariantName": "v1", "DesiredInstanceCount": 3}],
    )
    assert service.apply(Plan(models[2])).traffic == {2: 100}


def test_a_variant_of_somebody_else_with_requests_is_an_error_and_is_replaced_if_allowed(
    server: SageMakerServer, models: Models, opened: Open, aws: Open
) -> None:
    service = opened()
    service.apply(Plan(models[1]))
    _add_theirs(aws, weight=1.0)
    with pytest.raises(
        ServiceError, match=r"serves 'theirs', which retrainer did not deploy.*take_over"
    ) as caught:
        service.apply(Plan(models[2]))
    assert not caught.value.transient
    assert service.status().foreign == ("theirs",)
    assert opened(take_over=True).apply(Plan(models[2])).traffic == {2: 100}
    assert service.status().foreign == ()


def test_a_variant_of_somebody_else_without_requests_stays(
    server: SageMakerServer, models: Models, opened: Open, aws: Open
) -> None:
    service = opened()
    service.apply(Plan(models[1]))
    _add_theirs(aws, weight=0.0)
    served = service.apply(Plan(models[2]))
    assert (served.traffic, served.foreign) == ({2: 100}, ("theirs",))
    with pytest.raises(ServiceError, match="'theirs'"):
        service.apply(Plan(models[2], models[3], shadow=True))
    with pytest.raises(ServiceError, match="so it is not deleted"):
        service.apply(Plan(None))


def _add_theirs(aws: Open, weight: float) -> None:
    sagemaker = aws("sagemaker")
    config = sagemaker.describe_endpoint_config(EndpointConfigName=_config(aws))
    (own,) = config["ProductionVariants"]
    model = sagemaker.describe_model(ModelName=own["ModelName"])
    sagemaker.create_model(
        ModelName="theirs",
        ExecutionRoleArn=model["ExecutionRoleArn"],
        PrimaryContainer=model["PrimaryContainer"],
    )
    theirs = {**own, "VariantName": "theirs", "ModelName": "theirs", "InitialVariantWeight": weight}
    sagemaker.create_endpoint_config(EndpointConfigName="theirs", ProductionVariants=[own, theirs])
    sagemaker.update_endpoint(EndpointName="flights", EndpointConfigName="theirs")
    while sagemaker.describe_endpoint(EndpointName="flights")["EndpointStatus"] != "InService":
        pass


@pytest.mark.parametrize("what", ["configuration", "model", "endpoint", "weights"])
def test_what_somebody_else_deletes_or_moves_is_put_back(
    server: SageMakerServer, models: Models, opened: Open, aws: Open, what: str
) -> None:
    service = opened()
    plan = Plan(models[1], models[2], 10)
    service.apply(Plan(models[1]))
    service.apply(plan)
    sagemaker = aws("sagemaker")
    if what == "configuration":
        sagemaker.delete_endpoint_config(EndpointConfigName=_config(aws))
        assert "was deleted by somebody else" in service.status().notes[0]
    elif what == "model":
        sagemaker.delete_model(ModelName=sagemaker.list_models()["Models"][0]["ModelName"])
        plan = Plan(models[1], models[3], 10)
    elif what == "endpoint":
        sagemaker.delete_endpoint(EndpointName="flights")
    else:
        sagemaker.update_endpoint_weights_and_capacities(
            EndpointName="flights",
            DesiredWeightsAndCapacities=[{"VariantName": "v2", "DesiredWeight": 900}],
        )
    assert service.apply(plan).traffic == plan.traffic


def test_a_change_that_fails_is_rolled_back_and_what_served_serves(
    server: SageMakerServer, models: Models, opened: Open
) -> None:
    service = opened()
    service.apply(Plan(models[1]))
    server.change_fails("The container for variant v2 did not pass the ping health check.")
    with pytest.raises(ServiceError) as caught:
        service.apply(Plan(models[1], models[2], 10))
    assert "rolled the change of endpoint 'flights' back" in str(caught.value)
    assert "did not pass the ping health check" in str(caught.value)
    assert "It serves v1 with 100 %" in str(caught.value)
    assert not caught.value.transient
    assert service.status().traffic == {1: 100}
    assert service.apply(Plan(models[1], models[2], 10)).traffic == {1: 90, 2: 10}


def test_a_change_that_is_rolled_back_without_a_reason_is_no_change_of_somebody_else(
    server: SageMakerServer, models: Models, opened: Open
) -> None:
    service = opened()
    service.apply(Plan(models[1]))
    server.change_fails(" ")
    with pytest.raises(ServiceError, match="back: it gives no reason"):
        service.apply(Plan(models[2]))


def test_a_change_that_somebody_else_makes_meanwhile_is_named(
    server: SageMakerServer,
    models: Models,
    opened: Open,
    aws: Open,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    service = opened()
    service.apply(Plan(models[1]))
    _add_theirs(aws, weight=0.0)
    service.apply(Plan(models[1], models[2], 10))
    server.set(settles_after=0)
    real = service._clients.sagemaker

    def then_theirs(operation: str, **parameters: Any) -> Any:
        answer = real(operation, **parameters)
        if operation == "update_endpoint":
            aws("sagemaker").update_endpoint(EndpointName="flights", EndpointConfigName="theirs")
        return answer

    monkeypatch.setattr(service._clients, "sagemaker", then_theirs)
    with pytest.raises(
        ServiceError, match=r"has the configuration 'theirs'.*It serves v1 with"
    ) as caught:
        service.apply(Plan(models[3]))
    assert caught.value.transient


def test_an_endpoint_that_could_not_be_created_is_created_by_the_next_deployment(
    server: SageMakerServer, models: Models, opened: Open
) -> None:
    service = opened()
    server.change_fails(
        "Unable to provision requested ML compute capacity: InsufficientInstanceCapacity"
    )
    with pytest.raises(ServiceError, match=r"AWS has no free ml\.m5\.large now") as caught:
        service.apply(Plan(models[1]))
    assert caught.value.transient
    assert service.status().notes[0] == "endpoint 'flights' is Failed"
    assert service.apply(Plan(models[1])).traffic == {1: 100}


def test_a_failed_endpoint_of_somebody_else_is_not_deleted(
    server: SageMakerServer, models: Models, opened: Open, aws: Open
) -> None:
    service = opened()
    service.apply(Plan(models[1]))
    server.change_fails("no reason")
    aws("sagemaker").create_endpoint(EndpointName="theirs", EndpointConfigName=_config(aws))
    with pytest.raises(ServiceError, match=r"is Failed and was not created by retrainer"):
        opened(endpoint="theirs").apply(Plan(models[1]))


def test_a_change_that_takes_too_long_is_waited_for_by_the_next_deployment(
    server: SageMakerServer, models: Models, opened: Open
) -> None:
    server.set(settles_after=30)
    with pytest.raises(ServiceError, match=r"is still Creating after 0\.05 seconds") as caught:
        opened(timeout_seconds=0.05).apply(Plan(models[1]))
    assert caught.value.transient
    assert opened().apply(Plan(models[1])).traffic == {1: 100}
    assert server.calls.count("CreateEndpoint") == 1


@pytest.mark.parametrize(
    ("operation", "code", "said", "words", "transient"),
    [
        (
            "CreateEndpoint",
            "ResourceLimitExceeded",
            "The account-level service limit 'ml.m5.large for endpoint usage' is 0 Instances",
            "Request an increase of 'ml.m5.large for endpoint usage' in AWS Service Quotas",
            True,
        ),
        (
            "CreateEndpointConfig",
            "ValidationException",
            "The requested instance type ml.m5.large is not supported in this region",
            "Set serving.deploy.sagemaker.instance_type, now 'ml.m5.large', to one that SageMaker has in eu-central-1",
            False,
        ),
        (
            "CreateModel",
            "AccessDeniedException",
            "User: arn:aws:sts::1:assumed-role/x is not authorized to perform: iam:PassRole",
            "Grant this account's role iam:PassRole on arn:aws:iam::123456789012:role/serving",
            False,
        ),
        (
            "CreateEndpoint",
            "AccessDeniedException",
            "User: arn:aws:sts::1:assumed-role/x is not authorized",
            "Grant this account's role sagemaker:CreateEndpoint",
            False,
        ),
        (
            "CreateModel",
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
            "AWS does not know these credentials",
            False,
        ),
        (
            "CreateModel",
            "ExpiredTokenException",
            "The security token included in the request is expired",
            "the credentials have expired",
            True,
        ),
        (
            "CreateModel",
            "ValidationException",
            "Requested image x not found.",
            "Check serving.deploy.sagemaker.image",
            False,
        ),
    ],
)
def test_what_aws_refuses_is_named_with_its_fix(
    server: SageMakerServer,
    models: Models,
    opened: Open,
    operation: str,
    code: str,
    said: str,
    words: str,
    transient: bool,
) -> None:
    server.fail(operation, code, said, times=99)
    with pytest.raises(ServiceError) as caught:
        opened().apply(Plan(models[1]))
    assert words in str(caught.value)
    assert said.rstrip(".") in str(caught.value)
    assert f"sagemaker:{operation} in eu-central-1 for endpoint 'flights'" in str(caught.value)
    assert caught.value.transient == transient
    server.set(faults=[])
    assert opened().apply(Plan(models[1])).traffic == {1: 100}


def test_a_machine_type_that_sagemaker_has_nowhere_is_named_on_one_screen(
    server: SageMakerServer, models: Models, opened: Open
) -> None:
    with pytest.raises(ServiceError, match=r"now 'ml\.z9\.nano'") as caught:
        opened(instance_type="ml.z9.nano").apply(Plan(models[1]))
    assert len(str(caught.value)) < 900


def test_throttling_is_waited_out(server: SageMakerServer, models: Models, opened: Open) -> None:
    server.fail("CreateModel", "ThrottlingException", "Rate exceeded")
    assert opened().apply(Plan(models[1])).traffic == {1: 100}


def test_a_bucket_that_is_missing_is_named(
    server: SageMakerServer, models: Models, opened: Open
) -> None:
    with pytest.raises(ServiceError, match=r"there is no bucket.*'s3://nowhere/models'"):
        opened(model_data="s3://nowhere/models").apply(Plan(models[1]))


def test_what_can_not_be_removed_is_a_note_and_no_failure(
    server: SageMakerServer, models: Models, opened: Open
) -> None:
    service = opened()
    service.apply(Plan(models[1]))
    server.fail("DeleteModel", "AccessDeniedException", "not authorized")
    served = service.apply(Plan(models[2]))
    assert served.traffic == {2: 100}
    assert "Grant this account's role sagemaker:DeleteModel" in served.notes[0]
    assert service.apply(Plan(models[2])).notes == ()


def test_a_damaged_version_is_not_deployed(
    server: SageMakerServer, models: Models, opened: Open, tmp_path: Path, aws: Open
) -> None:
    (tmp_path / "saved_model.pb").write_bytes(b"graph")
    with pytest.raises(RetrainerError, match=r"version 1 .* is not the model that was pushed"):
        opened().apply(Plan(replace(models[1], uri=str(tmp_path))))
    assert "Contents" not in aws("s3").list_objects_v2(Bucket=BUCKET)


def test_a_server_that_is_down_is_transient(
    server: SageMakerServer, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setattr(clients, "_ATTEMPTS", 1)
    with pytest.raises(ServiceError, match="got no answer") as caught:
        opened().status()
    assert caught.value.transient


def test_boto3_that_is_missing_is_named_with_its_extra(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(ServiceError, match=r"pip install \"retrainer\[sagemaker\]\""):
        opened().status()


def test_missing_credentials_and_region_are_named(
    server: SageMakerServer, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    with pytest.raises(ServiceError, match="no credentials for AWS") as caught:
        opened().status()
    assert not caught.value.transient
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    with pytest.raises(ServiceError, match=r"serving\.deploy\.sagemaker\.region"):
        opened().status()
