"""What SageMaker, S3 and the way to them answer, in words: what failed, why, and what to do."""

import re

from ...network import advice, route
from ..interface import ServiceError
from .settings import Settings

_MOST_CHARACTERS = 400
_BUSY = (
    "InternalFailure",
    "InternalServerError",
    "RequestLimitExceeded",
    "ServiceUnavailable",
    "SlowDown",
    "ThrottlingException",
    "TooManyRequestsException",
    "Throttling",
)
_DENIED = ("AccessDenied", "AccessDeniedException", "403")
_EXPIRED = ("ExpiredToken", "ExpiredTokenException")
_UNKNOWN_ACCOUNT = (
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "InvalidSignatureException",
)
_NO_CREDENTIALS = ("NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError")
_NO_REGION = ("NoRegionError", "InvalidRegionError")
_CAPACITY = re.compile("capacity|InsufficientInstance", re.IGNORECASE)


class ApiError(ServiceError):
    """SageMaker or S3 answered with an error.

    Attributes:
        code: Its code, such as `ValidationException`.
        said: What it said.
    """

    def __init__(self, message: str, transient: bool, code: str, said: str) -> None:
        super().__init__(message, transient)
        self.code = code
        self.said = said

    @property
    def is_missing(self) -> bool:
        """Whether what was asked for does not exist."""
        return self.said.startswith("Could not find") or self.code in ("404", "NoSuchKey")

    @property
    def is_there(self) -> bool:
        """Whether what was to be created exists."""
        return self.said.startswith("Cannot create already existing")

    @property
    def is_in_progress(self) -> bool:
        """Whether the endpoint is being changed, which SageMaker does once at a time."""
        return self.said.startswith("Cannot update in-progress")


def explain(
    error: Exception, operation: str, region: str, settings: Settings
) -> ServiceError | None:
    """Translate an error of boto3.

    Args:
        error: What was raised.
        operation: What was called, such as `create_model` or `s3:PutObject`.
        region: The region, if it is known.
        settings: The endpoint's.

    Returns:
        The error; None for one that is none of boto3's.
    """
    name = type(error).__name__
    if type(error).__module__.partition(".")[0] not in ("boto3", "botocore", "s3transfer"):
        return None
    action = operation if ":" in operation else f"sagemaker:{_camel_case(operation)}"
    answer = getattr(error, "response", None)
    if isinstance(answer, dict) and (details := answer.get("Error")):
        status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        said = shortened(details.get("Message", ""))
        return _of_answer(str(details.get("Code", "")), said, status, action, region, settings)
    said = shortened(str(error)).rstrip(".")
    if name in _NO_CREDENTIALS:
        return ServiceError(
            f"there are no credentials for AWS, so endpoint '{settings.endpoint}' can't be reached ({said}). Grant "
            "this machine, or the task's service account, an IAM role, or set AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY."
        )
    if name in _NO_REGION:
        return ServiceError(
            f"no region is set for endpoint '{settings.endpoint}'. Set serving.deploy.sagemaker.region, or AWS_REGION."
        )
    if name in ("ParamValidationError", "ProfileNotFound", "UnknownServiceError"):
        return ServiceError(f"SageMaker's client refuses {action}: {said}.")
    address = f"https://{'s3' if ':' in operation else 'api.sagemaker'}.{region}.amazonaws.com"
    fix = advice(error) or " Check the region, and the network of this machine."
    return ServiceError(
        f"{action} for endpoint '{settings.endpoint}' got no answer{route(address)} ({said}).{fix}",
        transient=True,
    )


def is_capacity(reason: str) -> bool:
    """Return whether a failure's reason is that AWS has no free machines now."""
    return bool(_CAPACITY.search(reason))


def shortened(said: str) -> str:
    """Return what fits on a screen of what AWS said: some of its messages list every machine type."""
    line = " ".join(said.split())
    return line if len(line) <= _MOST_CHARACTERS else f"{line[:_MOST_CHARACTERS]} ..."


def _of_answer(
    code: str, said: str, status: int, action: str, region: str, settings: Settings
) -> ApiError:
    where = f"{action} in {region or 'AWS'} for endpoint '{settings.endpoint}'"
    if code in _EXPIRED:
        return ApiError(f"{where}: the credentials have expired ({said}).", True, code, said)
    if code in _UNKNOWN_ACCOUNT:
        return ApiError(
            f"{where}: AWS does not know these credentials ({said}). Check AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY, or the IAM role.",
            False,
            code,
            said,
        )
    if code in _DENIED or status == 403:
        fix = f"Grant this account's role {action}"
        if "PassRole" in said:
            fix = f"Grant this account's role iam:PassRole on {settings.role}"
        elif action.startswith("s3:"):
            fix += f" on {settings.model_data}"
        return ApiError(f"{where} is denied ({said}). {fix}.", False, code, said)
    if code == "ResourceLimitExceeded":
        return ApiError(
            f"{where} is over a quota ({said}). Request an increase of '{settings.instance_type} for endpoint usage' "
            "in AWS Service Quotas, remove an endpoint, or set another instance_type.",
            True,
            code,
            said,
        )
    if code in _BUSY or status >= 500:
        return ApiError(f"{where}: AWS is busy ({code}: {said}).", True, code, said)
    if code == "NoSuchBucket":
        return ApiError(
            f"{where}: there is no bucket of serving.deploy.sagemaker.model_data '{settings.model_data}'. Create it in "
            f"{region}.",
            False,
            code,
            said,
        )
    return ApiError(
        f"{where} failed: {said} ({code}).{_fix(said, region, settings)}", False, code, said
    )


def _fix(said: str, region: str, settings: Settings) -> str:
    if re.search("instance.?type", said, re.IGNORECASE):
        return (
            f" Set serving.deploy.sagemaker.instance_type, now '{settings.instance_type}', to one that SageMaker has "
            f"in {region}."
        )
    if re.search("model data|S3 object", said, re.IGNORECASE):
        return f" Grant the role {settings.role} s3:GetObject on {settings.model_data}."
    if re.search("assume.*role|role.*assume", said, re.IGNORECASE):
        return f" Let sagemaker.amazonaws.com assume the role {settings.role} (its trust policy)."
    if re.search("image|ECR", said):
        return f" Check serving.deploy.sagemaker.image, now '{settings.image}', and that the role may pull it."
    return ""


def _camel_case(operation: str) -> str:
    return "".join(part.capitalize() for part in operation.split("_"))
