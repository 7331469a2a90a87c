"""Checking that a model serves: real rows through a process that knows nothing but TensorFlow."""

import math
import os
from typing import Any

import numpy as np
import pyarrow as pa

from ..lib.digests import digest_folder
from ..lib.errors import RetrainerError
from ..lib.examples import EVAL, Examples
from ..lib.folders import local_folder
from ..lib.progress import progress
from ..lib.user_errors import reason_of
from ..lib.verdicts import ServingCheck
from ..lib.words import plural
from .server import Server, ServerError


def check(
    model: str,
    examples_path: str,
    output: str,
    rows: int = 64,
    requests: int = 50,
    max_latency_ms: float = 0.0,
    timeout_seconds: float = 300.0,
) -> str:
    """Serve real rows with a model in a clean process, and judge what comes back.

    Args:
        model: The model artifact, a SavedModel.
        examples_path: The examples artifact; rows are taken from its evaluation split.
        output: Folder for the serving check artifact.
        rows: How many rows to send.
        requests: How many single-row requests to time; 0 for none.
        max_latency_ms: The most that the 95th percentile of single-row requests may take, in milliseconds; 0 for any.
        timeout_seconds: How long loading and serving may take in all.

    Returns:
        The verdict. The artifact says whether the model passed; push_model refuses one that did not.

    Raises:
        RetrainerError: If a setting is out of its range, or the examples hold no rows to send.
    """
    _check_settings(rows, requests, max_latency_ms, timeout_seconds)
    # It imports TensorFlow while the rows are read.
    with Server.open() as server:
        table = _first_rows(Examples.read(examples_path), rows)
        progress("loading the model as a server would")
        with local_folder(model) as folder:
            digest = digest_folder(folder)
            answer = _serve(server, folder, table, requests, timeout_seconds)
    reason = answer.get("error") or _judge(answer, len(table), max_latency_ms)
    ServingCheck(
        ok=not reason,
        reason=reason and f"serving check: {reason}",
        model_digest=digest,
        rows=len(table),
        load_seconds=answer.get("load_seconds"),
        latency_ms=answer.get("latency_ms"),
        warnings=tuple(answer.get("warnings", ())),
    ).write(output)
    if reason:
        return f"does not serve: {reason}"
    served = f"serves {plural(len(table), 'row')}, both signatures agree"
    served = "; ".join([served, *answer.get("warnings", ())])
    latency = answer["latency_ms"]
    if not latency:
        return f"{served}; no request was timed"
    return f"{served}; one row in {latency['p50']:.1f} ms (p95 {latency['p95']:.1f} ms)"


def _check_settings(
    rows: int, requests: int, max_latency_ms: float, timeout_seconds: float
) -> None:
    if rows < 1:
        raise RetrainerError(f"serving.rows is {rows}; at least one row must be sent.")
    if requests < 0:
        raise RetrainerError(
            f"serving.requests is {requests}; it is how many requests to time, 0 for none."
        )
    if max_latency_ms < 0 or (max_latency_ms and not requests):
        raise RetrainerError(
            f"serving.max_latency_ms is {max_latency_ms:g} with {requests} requests; it is 0 for any latency, or above "
            "0 with at least one request that is timed."
        )
    if timeout_seconds <= 0:
        raise RetrainerError(f"serving.timeout_seconds is {timeout_seconds:g}; it must be above 0.")


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


def _serve(
    server: Server, folder: str, table: pa.Table, requests: int, timeout_seconds: float
) -> dict[str, Any]:
    request = {
        "model": os.path.abspath(folder),
        "instances": table.to_pylist(),
        "requests": requests,
    }
    try:
        answer = server.ask(request, timeout_seconds)
    except ServerError as error:
        return {"error": str(error)}
    if "raised" in answer:
        message = Exception(answer["message"])
        return {"error": f"{answer['raised']}: {reason_of(message)}"}
    return answer


def _judge(answer: dict[str, Any], rows: int, max_latency_ms: float) -> str:
    named = np.asarray(answer["predictions"], dtype=np.float64)
    if named.shape[:1] != (rows,):
        return f"{rows} rows went in and predictions of shape {named.shape} came out"
    if not np.isfinite(named).all():
        row = int(np.argwhere(~np.isfinite(named))[0][0])
        return f"the prediction of row {row} is {named[row].tolist()}"
    serialised = np.asarray(answer["example_predictions"], dtype=np.float64)
    if serialised.shape != named.shape or not np.allclose(named, serialised, rtol=1e-4, atol=1e-6):
        return "named features and serialised tf.Examples give different predictions"
    p95 = answer["latency_ms"]["p95"] if answer["latency_ms"] else 0.0
    if max_latency_ms and (p95 > max_latency_ms or math.isnan(p95)):
        return f"one row takes {p95:.1f} ms (95th percentile), more than max_latency_ms {max_latency_ms:g}"
    return ""
