"""The settings of a SageMaker endpoint, as the service's code takes them."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True)
class VPC:
    """Where containers are attached to a network.

    Attributes:
        subnets: Ids of subnets.
        security_groups: Ids of security groups.
    """

    subnets: tuple[str, ...]
    security_groups: tuple[str, ...]


@dataclass(frozen=True)
class DataCapture:
    """Where requests and answers are logged.

    Attributes:
        uri: Folder in S3.
        percent: Share of the requests.
        kms_key: Key that encrypts the logs; None for the bucket's own.
    """

    uri: str
    percent: int
    kms_key: str | None


@dataclass(frozen=True)
class Settings:
    """The section `serving.deploy.sagemaker`; what each setting means is described there."""

    endpoint: str
    role: str
    image: str
    model_data: str
    region: str | None
    instance_type: str
    instance_count: int
    environment: Mapping[str, str]
    startup_timeout_seconds: int | None
    vpc: VPC | None
    network_isolation: bool
    kms_key: str | None
    data_capture: DataCapture | None
    tags: Mapping[str, str]
    take_over: bool
    timeout_seconds: float

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> "Settings":
        """Read the section as JSON values, in which what is null may be missing."""
        given: dict[str, Any] = {field.name: values.get(field.name) for field in fields(cls)}
        if vpc := given["vpc"]:
            given["vpc"] = VPC(tuple(vpc["subnets"]), tuple(vpc["security_groups"]))
        if capture := given["data_capture"]:
            kms_key = capture.get("kms_key")
            given["data_capture"] = DataCapture(capture["uri"], capture["percent"], kms_key)
        return cls(**given)
