"""An engine that does not answer is named with its option and address, before Beam waits for it."""

import socket
from concurrent import futures

import grpc
import pytest

from retrainer.components.lib.engine.endpoint import check_endpoint
from retrainer.components.lib.errors import RetrainerError


@pytest.fixture
def silent():
    """A port where connections are accepted and nothing is said."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


def test_a_job_service_that_answers_passes():
    server = grpc.server(futures.ThreadPoolExecutor(1))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        check_endpoint("PortableRunner", {"job_endpoint": f"127.0.0.1:{port}"})
    finally:
        server.stop(None)


@pytest.mark.parametrize("endpoint", ["127.0.0.1:1", "no-such-host.invalid:8099"])
def test_one_that_is_not_there_is_named(endpoint):
    with pytest.raises(RetrainerError, match=rf"job_endpoint is {endpoint}, and no job service"):
        check_endpoint("FlinkRunner", {"job_endpoint": endpoint}, seconds=0.3)


def test_one_that_takes_connections_and_says_nothing_is_named(silent):
    with pytest.raises(RetrainerError, match=r"within 0\.3 seconds"):
        check_endpoint("PortableRunner", {"job_endpoint": silent}, seconds=0.3)


@pytest.mark.parametrize("endpoint", ["localhost", "http://localhost:8099", "localhost:port"])
def test_what_is_no_address_is_an_error_at_once(endpoint):
    with pytest.raises(RetrainerError, match="Write host:port"):
        check_endpoint("PortableRunner", {"job_endpoint": endpoint})


def test_the_master_of_flink_and_spark_is_asked_where_no_job_service_is_named(silent):
    check_endpoint("FlinkRunner", {"flink_master": f"http://{silent}"})
    check_endpoint("SparkRunner", {"spark_master_url": f"spark://{silent}"})
    check_endpoint(
        "SparkRunner", {"spark_submit_uber_jar": True, "spark_rest_url": f"http://{silent}/v1"}
    )
    with pytest.raises(
        RetrainerError, match=r"flink_master is 127\.0\.0\.1:1, and nothing answers"
    ):
        check_endpoint("FlinkRunner", {"flink_master": "127.0.0.1:1"})
    with pytest.raises(RetrainerError, match="spark_master_url is spark://127"):
        check_endpoint("SparkRunner", {"spark_master_url": "spark://127.0.0.1:1"})


@pytest.mark.parametrize(
    ("runner", "options"),
    [
        ("", {}),
        ("DataflowRunner", {"project": "acme"}),
        ("FlinkRunner", {"flink_master": "[local]"}),
        ("SparkRunner", {"spark_master_url": "local[4]"}),
        ("PortableRunner", {"job_endpoint": "embed"}),
        ("PrismRunner", {"prism_location": "/opt/prism"}),
    ],
)
def test_what_beam_starts_itself_is_not_asked(runner, options):
    check_endpoint(runner, options)
