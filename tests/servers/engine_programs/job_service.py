"""Beam's own job service in Python, which other machines reach, with several workers for a job.

`python job_service.py PORT HOST WORKERS`. It starts one worker for a job, unless its runner says otherwise
(`FnApiRunner` in Beam's fn_runner.py).
"""

import sys
import threading
from typing import Any

from apache_beam.runners.portability import local_job_service
from apache_beam.runners.portability.fn_api_runner import fn_runner


class _Job(local_job_service.BeamJob):
    def _invoke_runner(self) -> Any:
        self.set_state(local_job_service.beam_job_api_pb2.JobState.RUNNING)
        runner = fn_runner.FnApiRunner(provision_info=self._provision_info)
        runner._num_workers = int(sys.argv[3])
        return runner.run_via_runner_api(self._pipeline_proto, self.pipeline_options())


class _Service(local_job_service.LocalJobServicer):
    def get_bind_address(self) -> str:
        return "[::]"

    def get_service_address(self) -> str:
        return sys.argv[2]


service = _Service(beam_job_type=_Job)
service.start_grpc_server(int(sys.argv[1]))
threading.Event().wait()
