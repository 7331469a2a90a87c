"""One address for several worker pools: each worker that is asked for starts in the next one.

`python spread.py PORT POOL...`. An environment of Beam names one pool.
"""

import itertools
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from apache_beam.portability.api import beam_fn_api_pb2_grpc


class _Pools(beam_fn_api_pb2_grpc.BeamFnExternalWorkerPoolServicer):
    def __init__(self, addresses: list[str]) -> None:
        self._next = itertools.cycle(
            beam_fn_api_pb2_grpc.BeamFnExternalWorkerPoolStub(grpc.insecure_channel(address))
            for address in addresses
        )
        self._of: dict[str, Any] = {}

    def StartWorker(self, request: Any, context: Any) -> Any:  # noqa: N802
        self._of[request.worker_id] = next(self._next)
        return self._of[request.worker_id].StartWorker(request)

    def StopWorker(self, request: Any, context: Any) -> Any:  # noqa: N802
        return self._of[request.worker_id].StopWorker(request)


server = grpc.server(ThreadPoolExecutor(8))
beam_fn_api_pb2_grpc.add_BeamFnExternalWorkerPoolServicer_to_server(_Pools(sys.argv[2:]), server)
server.add_insecure_port(f"[::]:{sys.argv[1]}")
server.start()
server.wait_for_termination()
