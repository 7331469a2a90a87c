"""Whether an engine answers, before a pipeline is built for it: Beam itself waits five minutes for a job service."""

import re
import socket
from collections.abc import Mapping
from typing import Any

from ..errors import RetrainerError
from .runners import FLINK, SPARK

SECONDS = 10.0
"""How long an engine has to answer."""

_EMBEDDED = "embed"
_ADDRESS = re.compile(r"(?:[a-z]+://)?(?P<host>\[[^\]]+\]|[^/:\[\]]+):(?P<port>\d{1,5})(?:/.*)?")


def check_endpoint(runner: str, options: Mapping[str, Any], seconds: float = SECONDS) -> None:
    """Check that an engine answers.

    Args:
        runner: The runner's class.
        options: Its options by name.
        seconds: How long to wait.

    Raises:
        RetrainerError: If it does not; the option and its address are named.
    """
    if endpoint := str(options.get("job_endpoint") or ""):
        if endpoint != _EMBEDDED:
            _check_job_service(endpoint, seconds)
        return
    option = {FLINK: "flink_master", SPARK: "spark_master_url"}.get(runner)
    if runner == SPARK and options.get("spark_submit_uber_jar"):
        option = "spark_rest_url"
    if option and (found := _ADDRESS.fullmatch(str(options.get(option) or ""))):
        host, port = found["host"].strip("[]"), int(found["port"])
        try:
            socket.create_connection((host, port), timeout=seconds).close()
        except OSError as error:
            raise RetrainerError(
                f"{option} is {options[option]}, and nothing answers there: {error}. Check the address, and whether "
                f"the engine runs and its network lets this machine in."
            ) from error


def _check_job_service(endpoint: str, seconds: float) -> None:
    if not _ADDRESS.fullmatch(endpoint) or "://" in endpoint:
        raise RetrainerError(
            f"job_endpoint is '{endpoint}'. Write host:port of a job service, such as beam-jobs:8099."
        )
    import grpc  # type: ignore[import-untyped]

    channel = grpc.insecure_channel(endpoint)
    try:
        grpc.channel_ready_future(channel).result(timeout=seconds)
    except grpc.FutureTimeoutError as error:
        raise RetrainerError(
            f"job_endpoint is {endpoint}, and no job service answers there within {seconds:g} seconds. Check the "
            "address, and whether the job server runs and its network lets this machine in."
        ) from error
    finally:
        channel.close()
