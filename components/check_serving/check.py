"""Checking that a model serves: real rows through a process that knows nothing but TensorFlow."""

import os
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import numpy as np
import pyarrow as pa

from ..lib.digests import digest_folder
from ..lib.errors import RetrainerError
from ..lib.examples import Examples, SpanPart
from ..lib.folders import local_folder
from ..lib.progress import progress
from ..lib.saved_models.model_signature import read_signature
from ..lib.saved_models.newest_rows import first_rows, newest_part, source_of
from ..lib.saved_models.scored_rows import MOST_ROWS, ScoredRows
from ..lib.user_code.user_errors import reason_of
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
    memory_requests: int = 10_000,
    max_memory_growth_mb: float = 8.0,
    tolerance: float = 1e-4,
    max_memory_mb: float = 0.0,
    max_latency_p50_ms: float = 0.0,
    max_latency_p99_ms: float = 0.0,
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
        tolerance: How far equal predictions may be apart, relative to them.
        max_memory_mb: How much memory the server may have after the requests, in MiB; 0 for any.
        max_latency_p50_ms: The most that the median of single-row requests may take, in milliseconds; 0 for any.
        max_latency_p99_ms: The most that their 99th percentile may take, in milliseconds; 0 for any.

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
        tolerance,
        max_memory_mb,
        max_latency_p50_ms,
        max_latency_p99_ms,
    )
    # It imports TensorFlow while the rows are read.
    with Server.open() as server:
        examples = Examples.read(examples_path)
        part = _newest_part(examples)
        with local_folder(model) as folder:
            table = _read_rows(folder, part, rows, examples.label)
            progress("loading the model as a server would")
            digest = digest_folder(folder)
            answer = _serve(server, folder, table, bounds)
    reason = answer.get("error") or judge(answer, bounds, len(table))
    latencies = answer.get("latency_ms") or {}
    if not reason:
        predictions = np.asarray(answer["predictions"])
        ScoredRows.of(source_of(examples, part), answer["columns"], predictions).write(output)
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
        tolerance=tolerance,
    ).write(output)
    if reason:
        return f"does not serve: {reason}"
    served = f"serves {plural(len(table), 'row')} as evaluation predicts them"
    served = "; ".join([served, *answer["warnings"]])
    if not latencies:
        return f"{served}; no request was timed"
    single = latencies["1"]
    return f"{served}; one row in {single['p50']:.1f} ms (p95 {single['p95']:.1f} ms)"


def _read_rows(folder: str, part: SpanPart, rows: int, label: str) -> pa.Table:
    """Read the columns that the model takes; all of them if its signature can't be read, which serving it reports."""
    columns = None
    with suppress(RetrainerError):
        # The label keeps the number of rows where no other column is there.
        columns = [*read_signature(folder).inputs, label]
    return pa.Table.from_batches([first_rows(part, rows, columns)])


def _newest_part(examples: Examples) -> SpanPart:
    part = newest_part(examples)
    if part is None:
        raise RetrainerError(
            "the evaluation split has no rows to send to the model. Add spans, or set data.split.eval_spans so that "
            "one of them holds rows."
        )
    return part


def _serve(server: Server, folder: str, table: pa.Table, bounds: Bounds) -> dict[str, Any]:
    request = {
        "model": os.path.abspath(folder),
        "instances": table.to_pylist(),
        "evaluation": evaluation_cells(folder, table),
        "requests": bounds.requests,
        "batches": bounds.batches,
        "memory_requests": bounds.memory_requests,
        "max_memory_growth_mb": bounds.max_memory_growth_mb,
        "tolerance": bounds.tolerance,
        "kept_rows": MOST_ROWS,
    }
    try:
        answer = server.ask(request, bounds.timeout_seconds)
    except ServerError as error:
        return {"error": str(error)}
    if "raised" in answer:
        message = Exception(answer["message"])
        return {"error": f"{answer['raised']}: {reason_of(message)}"}
    return answer
