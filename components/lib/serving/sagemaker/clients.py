"""Clients of SageMaker and S3, made of the environment, and each failure in words.

boto3 is an extra of its own and imported when the first call is made. It reads credentials, the region and addresses
of local servers (`AWS_ENDPOINT_URL`, `AWS_ENDPOINT_URL_SAGEMAKER`, `AWS_ENDPOINT_URL_S3`) from the environment.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

from ...errors import RetrainerError
from ...network import prepare
from ..interface import ServiceError
from .api_errors import explain
from .settings import Settings

_ATTEMPTS = 5
_CONNECT_SECONDS = 20
_READ_SECONDS = 60


class Clients:
    """The clients of one endpoint's region, made when they are first used."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def sagemaker(self, operation: str, **parameters: Any) -> Any:
        """Call an operation of SageMaker.

        Args:
            operation: Such as `create_model`.
            **parameters: Its parameters, without those that are None.

        Returns:
            The answer.

        Raises:
            ServiceError: If it fails; `ApiError` if SageMaker answered.
        """
        given = {name: value for name, value in parameters.items() if value is not None}
        with self._explained(operation):
            return getattr(self._sagemaker, operation)(**given)

    def pages(self, operation: str, key: str, **parameters: Any) -> list[Any]:
        """List what an operation of SageMaker lists.

        Args:
            operation: Such as `list_models`.
            key: Which part of the answer has the list.
            **parameters: Parameters of the operation.

        Raises:
            ServiceError: If it fails.
        """
        with self._explained(operation):
            answers = self._sagemaker.get_paginator(operation).paginate(**parameters)
            return [one for answer in answers for one in answer[key]]

    @contextmanager
    def s3(self, action: str) -> Iterator[Any]:
        """Give the client of S3; what fails within is a `ServiceError`.

        Args:
            action: What is done, as IAM names it, such as `s3:PutObject`.
        """
        with self._explained(action):
            yield self._s3

    def region(self) -> str:
        """Return the region that calls go to."""
        with self._explained("region"):
            return str(self._sagemaker.meta.region_name)

    def invocations_address(self) -> str:
        """Return where clients send their requests."""
        with self._explained("region"):
            runtime = self._open("sagemaker-runtime")
        return f"{runtime.meta.endpoint_url}/endpoints/{self._settings.endpoint}/invocations"

    @contextmanager
    def _explained(self, operation: str) -> Iterator[None]:
        try:
            yield
        except (RetrainerError, ImportError):
            raise
        except Exception as error:
            region = self._settings.region or self._known_region()
            if (known := explain(error, operation, region, self._settings)) is None:
                raise
            raise known from error

    def _known_region(self) -> str:
        client = self.__dict__.get("_sagemaker")
        return str(client.meta.region_name) if client else ""

    @cached_property
    def _sagemaker(self) -> Any:
        return self._open("sagemaker")

    @cached_property
    def _s3(self) -> Any:
        return self._open("s3")

    @cached_property
    def _session(self) -> Any:
        prepare()
        try:
            import boto3
        except ImportError as error:
            raise ServiceError(
                "serving.deploy.sagemaker needs the Python package 'boto3', which is not installed here: run "
                "'pip install \"retrainer[sagemaker]\"'."
            ) from error
        return boto3.session.Session(region_name=self._settings.region)

    def _open(self, service: str) -> Any:
        session = self._session
        from botocore.config import Config

        config = Config(
            connect_timeout=_CONNECT_SECONDS,
            read_timeout=_READ_SECONDS,
            retries={"mode": "standard", "max_attempts": _ATTEMPTS},
            user_agent_extra="retrainer",
        )
        return session.client(service, config=config)
