"""The requests that start jobs on Dataflow, Flink and Spark, as Beam's own runners make them, and what is in them.

Beam's `--dry_run` stops before the service's client is made; the description of the job is then made as that client
makes it (apache_beam/runners/dataflow/internal/apiclient.py, `create_job_description`), without what it uploads.
"""

import base64
import bz2
import pickletools
import re
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import pytest

_ENCODED = re.compile(rb"[A-Za-z0-9+/]{40,}={0,2}")
_TEXT = ("SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "UNICODE")


class Sent(BaseException):
    """Raised in place of sending.

    Attributes:
        request: What would be sent.
    """

    def __init__(self, request: "Request") -> None:
        super().__init__()
        self.request = request


@dataclass
class Request:
    """A request.

    Attributes:
        name: Name of the job.
        labels: Its labels.
        environment: The service's message of the workers.
        options: Beam's options as the workers get them.
        content: Everything that the workers read of the pipeline, unpacked.
    """

    name: str
    labels: dict[str, str]
    environment: dict[str, Any]
    options: dict[str, Any]
    content: list[bytes]

    @property
    def pool(self) -> Any:
        """The workers."""
        return self.environment["workerPools"][0]

    @property
    def modules(self) -> set[str]:
        """Top-level modules that pickles name."""
        found: set[str] = set()
        for one in self.content:
            if one[:1] == b"\x80":
                found.update(_modules(one))
        return found


def capture(patch: pytest.MonkeyPatch) -> None:
    """Let pipelines end with `Sent` where they would be sent to Dataflow."""
    import apache_beam as beam

    from retrainer.components.lib.engine import pipelines

    read, run = pipelines.pipeline_options, beam.Pipeline.run

    def captured(self: Any, *arguments: Any, **named: Any) -> Any:
        result = run(self, *arguments, **named)
        raise Sent(_read(result.job)) if hasattr(result, "job") else AssertionError("it ran here")

    patch.setattr(beam.Pipeline, "run", captured)
    # A user may not set it: it runs nothing.
    patch.setattr(
        pipelines, "pipeline_options", lambda arguments=(): read([*arguments, "--dry_run=True"])
    )
    # It lists the bucket.
    patch.setattr(
        pipelines, "shared_folder", lambda parent, name: nullcontext(f"{parent}/{name}-0")
    )


def request_of(work: Callable[[], Any]) -> Request:
    """Return the request that some work sends."""
    with pytest.raises(Sent) as sent:
        work()
    return sent.value.request


@dataclass
class Job(BaseException):
    """Raised in place of sending a job to a job service.

    Attributes:
        environments: Where its workers run.
        options: The options.
        content: Everything that the workers read of the pipeline, unpacked.
    """

    environments: list[Any]
    options: dict[str, Any]
    content: list[bytes]


def job_of(work: Callable[[], Any]) -> Job:
    """Return the job that some work sends to a job service of the portable protocol."""
    from apache_beam.runners.portability import portable_runner

    class Handle(portable_runner.JobServiceHandle):
        def submit(self, proto_pipeline: Any) -> Any:
            options = json_format.MessageToDict(self.get_pipeline_options())
            environments = list(proto_pipeline.components.environments.values())
            for one in environments:
                # They are staged by the job service's own protocol.
                del one.dependencies[:]
            content = list(_unpacked(proto_pipeline.SerializeToString()))
            raise Job(environments, options, content)

    from google.protobuf import json_format

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            portable_runner.PortableRunner,
            "create_job_service",
            lambda self, options: Handle(NoOptions(), options),
        )
        with pytest.raises(Job) as sent:
            work()
    return sent.value


class NoOptions:
    """A job service that has no options of its own."""

    def DescribePipelineOptions(self, *_: Any, **__: Any) -> Any:  # noqa: N802
        from apache_beam.portability.api import beam_job_api_pb2

        return beam_job_api_pb2.DescribePipelineOptionsResponse()


def _read(job: Any) -> Request:
    from apache_beam.runners.dataflow.internal import apiclient

    environment = apiclient.Environment(
        packages=[],
        options=job.options,
        environment_version=apiclient._FNAPI_ENVIRONMENT_MAJOR_VERSION,
        proto_pipeline_staged_url="gs://staged",
        proto_pipeline=job.proto_pipeline,
    ).proto
    for one in job.proto_pipeline.components.environments.values():
        for artifact in one.dependencies:
            # The client uploads them and puts their URLs in (`_stage_resources`).
            artifact.ClearField("type_payload")
    message, described = _plain(job.proto), _plain(environment)
    return Request(
        message["name"],
        message.get("labels", {}),
        described,
        described["sdkPipelineOptions"]["options"],
        list(_unpacked(job.proto_pipeline.SerializeToString())),
    )


def _plain(message: Any) -> Any:
    """Return a message as JSON has it: Beam 2.72 has Google's apitools for it, 2.77 its own client of Dataflow."""
    if hasattr(message, "_pb"):
        from google.protobuf import json_format

        return json_format.MessageToDict(message._pb)
    from apitools.base.py import encoding

    return encoding.MessageToPyValue(message)


def _unpacked(content: bytes) -> Iterator[bytes]:
    yield content
    for one in _ENCODED.finditer(content):
        try:
            inner = bz2.decompress(base64.b64decode(one[0]))
        except (OSError, ValueError):
            continue
        yield from _unpacked(inner)


def _modules(content: bytes) -> Iterator[str]:
    texts: list[str] = []
    memo: dict[int, str] = {}
    last = ""
    for code, value, _ in pickletools.genops(content):
        if code.name in _TEXT:
            last = str(value)
            texts.append(last)
        elif code.name == "MEMOIZE":
            memo[len(memo)] = last
        elif code.name in ("BINGET", "LONG_BINGET"):
            last = memo.get(int(value), "")
            texts.append(last)
        elif code.name == "STACK_GLOBAL":
            yield texts[-2].partition(".")[0]
            last = ""
        elif code.name == "GLOBAL":
            yield str(value).partition(" ")[0].partition(".")[0]
        else:
            last = ""
