"""One address for several worker pools: each worker that is asked for starts in the next one.

`python spread.py PORT POOL...`. An environment of Beam names one pool. Messages are passed on as they are, so that
this starts in a moment, without Beam.
"""

import itertools
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import grpc

_SERVICE = "org.apache.beam.model.fn_execution.v1.BeamFnExternalWorkerPool"
Call = Callable[[bytes], bytes]


def _serve(port: str, addresses: list[str]) -> None:
    pools = [grpc.insecure_channel(address) for address in addresses]
    starts = itertools.cycle(_calls(pools, "StartWorker"))
    stops = _calls(pools, "StopWorker")

    def start(request: bytes, context: grpc.ServicerContext) -> bytes:
        return next(starts)(request)

    def stop(request: bytes, context: grpc.ServicerContext) -> bytes:
        # A pool passes over workers that it does not have.
        return [call(request) for call in stops][-1]

    handlers = {
        name: grpc.unary_unary_rpc_method_handler(method)
        for name, method in (("StartWorker", start), ("StopWorker", stop))
    }
    server = grpc.server(ThreadPoolExecutor(8))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(_SERVICE, handlers),))
    server.add_insecure_port(f"[::]:{port}")
    server.start()
    server.wait_for_termination()


def _calls(pools: list[grpc.Channel], method: str) -> list[Call]:
    return [pool.unary_unary(f"/{_SERVICE}/{method}") for pool in pools]


_serve(sys.argv[1], sys.argv[2:])
