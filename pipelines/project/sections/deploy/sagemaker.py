"""The section of `serving.deploy` on Amazon SageMaker."""

from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints

from ..section import Section

# What SageMaker takes: its API reference, CreateEndpoint and CreateModel.
_Name = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}$")]
_Role = Annotated[
    str, StringConstraints(pattern=r"^arn:aws[a-z\-]*:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+$")
]
_S3 = Annotated[str, StringConstraints(pattern=r"^s3://[a-z0-9][a-z0-9.\-]{2,62}(/[^/].*)?/?$")]
_Tag = Annotated[str, StringConstraints(max_length=256)]


class SageMakerVPC(Section):
    """The network that containers are attached to."""

    subnets: list[str] = Field(min_length=1, max_length=16, description="Ids of subnets.")
    security_groups: list[str] = Field(
        min_length=1, max_length=5, description="Ids of security groups."
    )


class SageMakerDataCapture(Section):
    """Requests and answers that SageMaker writes to S3."""

    uri: _S3 = Field(description="Folder that they are written to, `s3://...`.")
    percent: int = Field(100, ge=1, le=100, description="Percentage of the requests to write.")
    kms_key: str | None = Field(
        None, description="KMS key that encrypts them; null: the bucket's default."
    )


class SageMakerDeployment(Section):
    """Amazon SageMaker: an endpoint with a variant for each version."""

    splits: ClassVar[bool] = True
    shadows: ClassVar[bool] = True

    endpoint: _Name = Field(description="Name of the endpoint; created if missing.")
    role: _Role = Field(
        description="ARN of the IAM role that containers run as: it reads the model in S3, pulls the image and writes "
        "logs."
    )
    image: str = Field(
        pattern=r"^\S+$",
        max_length=255,
        description="Container image in ECR, in the endpoint's region, that serves TensorFlow models, such as AWS's "
        "`tensorflow-inference`.",
    )
    model_data: _S3 = Field(
        description="Folder in S3, in the endpoint's region, that `model.tar.gz` of each version is uploaded to."
    )
    region: str | None = Field(None, description="AWS region; null: that of the environment.")
    instance_type: str = Field(
        "ml.m5.large", pattern=r"^ml\.[a-z0-9\-]+\.[a-z0-9\-]+$", description="Machine type."
    )
    instance_count: int = Field(
        1, ge=1, description="Machines that a version starts with; a policy may scale it later."
    )
    environment: dict[str, str] = Field(
        default_factory=dict, description="Environment variables of the container."
    )
    startup_timeout_seconds: int | None = Field(
        None,
        ge=60,
        le=3600,
        description="Maximum time for a container to download the model, and again to start; null: SageMaker's "
        "default.",
    )
    vpc: SageMakerVPC | None = Field(
        None, description="Network to attach containers to; none if null."
    )
    network_isolation: bool = Field(
        False, description="Whether containers have no network access of their own."
    )
    kms_key: str | None = Field(
        None, description="KMS key that encrypts the machines' disks; null: AWS's own."
    )
    data_capture: SageMakerDataCapture | None = Field(
        None, description="Requests and answers to write to S3; none if null."
    )
    tags: dict[Annotated[str, StringConstraints(min_length=1, max_length=128)], _Tag] = Field(
        default_factory=dict,
        max_length=40,
        description="More tags of endpoint, configurations and models.",
    )
    take_over: bool = Field(
        False,
        description="Whether to replace variants of the endpoint that retrainer did not deploy. If false, those with "
        "requests are an error, and the others stay.",
    )
    timeout_seconds: float = Field(
        3600.0, gt=0, description="Maximum time to wait until a change of the endpoint is done."
    )
