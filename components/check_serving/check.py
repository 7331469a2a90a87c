"""Checking that a model serves: real rows through a process that knows nothing but TensorFlow."""

import os
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from ..lib.digests import digest_folder
from ..lib.errors import RetrainerError
from ..lib.examples import EVAL, Examples
from ..lib.folders import local_folder
from ..lib.progress import progress
from ..lib.user_errors import reason_of
from ..lib.verdicts import ServingCheck
from ..lib.words import plural
from .evaluation_cells import evaluation_cells
from .judgement import Bounds, judge
from .server import Server, ServerError


def check(
    model: str,
    examples_path: str,
    output: str,
    rows: int = 64,
    requests: int = 50,
    max_latency_ms: float = 0.0,
    timeout_seconds: float = 300.0,
    max_latency_by_batch: Mapping[str, float] | None = None,
    memory_requests: int = 200,
    max_memory_growth_mb: float = 64.0,
) -> str:
    """Serve real rows with a model in a clean process, and judge what comes back.

    Args:
        model: The model artifact, a SavedModel.
        examples_path: The examples artifact; rows are taken from its evaluation split.
        output: Folder for the serving check artifact.
        rows: How many rows to send.
        requests: How many single-row requests to time, and a fifth as many of each larger batch; 0 for none.
        max_latency_ms: The most that the 95th percentile of single-row requests may take, in milliseconds; 0 for any.
        timeout_seconds: How long loading and serving may take in all.
        max_latency_by_batch: The most that the 95th percentile of a batch may take, in milliseconds by batch size.
        memory_requests: How many single-row requests to send while memory is measured; 0 for none.
        max_memory_growth_mb: By how much memory may grow meanwhile, in MiB.

    Returns:
        The verdict. The artifact says whether the model passed; push_model refuses one that did not.

    Raises:
        RetrainerError: If a setting is out of its range, or the examples hold no rows to send.
    """
    bounds = Bounds(
        rows,
        requests,
        max_latency_ms,
        {int(size): bound for size, bound in (max_latency_by_batch or {}).items()},
        memory_requests,
        max_memory_growth_mb,
        timeout_seconds,
    )
    # It imports TensorFlow while the rows are read.
    with Server.open() as server:
        table = _first_rows(Examples.read(examples_path), rows)
        progress("loading the model as a server would")
        with local_folder(model) as folder:
            digest = digest_folder(folder)
            answer = _serve(server, folder, table, bounds)
    reason = answer.get("error") or judge(answer, bounds, len(table))
    latencies = answer.get("latency_ms") or {}
    ServingCheck(
        ok=not reason,
        reason=reason and f"serving check: {reason}",
        model_digest=digest,
        rows=len(table),
        load_seconds=answer.get("load_seconds"),
        latency_ms=latencies.get("1"),
        warnings=tuple(answer.get("warnings", ())),
        latency_ms_by_batch=latencies,
        memory_mb=answer.get("memory_mb"),
    ).write(output)
    if reason:
        return f"does not serve: {reason}"
    served = f"serves {plural(len(table), 'row')} as evaluation predicts them"
    served = "; ".join([served, *answer["warnings"]])
    if not latencies:
        return f"{served}; no request was timed"
    single = latencies["1"]
    return f"{served}; one row in {single['p50']:.1f} ms (p95 {single['p95']:.1f} ms)"


def _first_rows(examples: Examples, rows: int) -> pa.Table:
    """Read the first rows of the newest span that has any, and no more of it than a batch."""
    for part in reversed(examples.splits[EVAL]):
        for batch in part.iter_batches(rows=rows):
            if batch.num_rows:
                return pa.Table.from_batches([batch])
    raise RetrainerError(
        "the evaluation split has no rows to send to the model. Add spans, or set data.split.eval_spans so that one of "
        "them holds rows."
    )


def _serve(server: Server, folder: str, table: pa.Table, bounds: Bounds) -> dict[str, Any]:
    request = {
        "model": os.path.abspath(folder),
        "instances": table.to_pylist(),
        "evaluation": evaluation_cells(folder, table),
        "requests": bounds.requests,
        "batches": bounds.batches,
        "memory_requests": bounds.memory_requests,
    }
    try:
        answer = server.ask(request, bounds.timeout_seconds)
    except ServerError as error:
        return {"error": str(error)}
    if "raised" in answer:
        message = Exception(answer["message"])
        return {"error": f"{answer['raised']}: {reason_of(message)}"}
    return answer
